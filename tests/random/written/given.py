"""The one array that cuseq takes, made of what a model's inputs take, as the lines of a conversion say."""

import re

import numpy as np

BLOCKS = re.compile(
    r"input '([^']*)' (?:.*?with (\d+) positions of zeros behind it )?.*?give it as \[batch, (.+?), (\d+)\]"
)
COLUMNS = re.compile(
    r"input '([^']*)' is columns (\d+) to (\d+) of one input, which is given as numbers "
    r"\[batch, (\w+), (\d+)\](, the same at every position)?(?:, behind (\d+) positions of zeros)?"
)


STEPS = re.compile(
    r"input '([^']*)' is (?:columns \d+ to \d+ of )?what every step of the decoder is given: "
    r"give it as given \[batch, (\w+), (\d+)\]"
)


def steps(arrays, lines):
    """What the steps of a decoder are given, side by side; None where they are given nothing."""
    said = STEPS.findall("\n".join(lines))
    if not said:
        return None
    array = np.concatenate([arrays[name] for name, _, _ in said], -1)
    assert array.shape[2] == int(said[0][2]) and said[0][1] in ("steps", str(array.shape[1]))
    return array


def blocks(array, zeros, width):
    """Several positions as one."""
    array = array.reshape(len(array), array.shape[1], -1)
    array = np.concatenate([array, np.zeros((len(array), zeros, array.shape[2]), array.dtype)], 1)
    return array.reshape(len(array), -1, width)


def columns(arrays, said):
    """All inputs side by side."""
    parts = {
        name: (int(first), int(last) + 1, same, int(zeros or 0))
        for name, first, last, _, _, same, zeros in said
    }
    arrays = {
        name: arrays[name].reshape(len(arrays[name]), -1, part[1] - part[0]) for name, part in parts.items()
    }
    time = max(array.shape[1] + parts[name][3] for name, array in arrays.items())
    whole = np.zeros((len(next(iter(arrays.values()))), time, int(said[0][4])), np.float32)
    for name, (first, last, same, zeros) in parts.items():
        array = arrays[name]
        whole[:, zeros:, first:last] = np.repeat(array, time, 1) if same and array.shape[1] == 1 else array
    return whole


def given(arrays, lines):
    """
    arrays  by the names of the model's inputs, in their order
    lines   what the conversion said
    """
    text = "\n".join(lines)
    of_steps = {name for name, _, _ in STEPS.findall(text)}
    arrays = {name: array for name, array in arrays.items() if name not in of_steps}
    for name, zeros, _, width in BLOCKS.findall(text):
        arrays[name] = blocks(arrays[name], int(zeros or 0), int(width))
    said = COLUMNS.findall(text)
    return columns(arrays, said) if said else next(iter(arrays.values()))
