"""Finds a model's outputs, as Keras computes them, among the arrays of `cuseq run`: what the file lists must
all be there, in its order or under its names."""

import re

import numpy as np

TOLERANCE = 1e-5  # of max(1, the array's largest): Keras computes in float32 here
HALF = 5e-3  # where a line says that Keras computes in half precision


class Wrong(Exception):
    """Other numbers, or numbers of which nothing says where they are."""


def rows(array):
    """[B, everything else]."""
    array = np.asarray(array, np.float64)
    return array.reshape(len(array), -1)


def within(array, lengths, time):
    """Zeros where a position is behind the end of its row."""
    array = np.array(array, np.float64)
    for axis in range(1, array.ndim):
        if lengths is not None and array.shape[axis] == time:
            for row, length in enumerate(lengths):
                index = [row] + [slice(None)] * (array.ndim - 1)
                index[axis] = slice(int(length), None)
                array[tuple(index)] = 0
            break
    return array


def spread(value, positions, lengths, time):
    """What is of a row, at every position of it."""
    return value if value.ndim == 3 else within(np.repeat(value[:, None], positions, 1), lengths, time)


def error(got, want):
    """The largest error, relative to the array; infinite where the shapes differ."""
    got, want = rows(got), rows(want)
    if got.shape != want.shape:
        return np.inf
    difference = np.max(np.abs(got - want), initial=0.0) / max(1.0, np.max(np.abs(want), initial=0.0))
    return difference if np.isfinite(difference) else np.inf


def equal(got, want, notes):
    return error(got, want) <= (HALF if "half precision" in " ".join(notes) else TOLERANCE)


def places(got):
    """Every array by itself, and of those with steps each step."""
    for name, array in got.items():
        if array.dtype.kind != "f":
            continue
        yield name, array
        if array.ndim == 3:
            for step in range(array.shape[1]):
                yield f"{name} of step {step}", array[:, step]


def match(outputs, got, notes, lengths, time):
    """outputs: the model's, by their names, in the file's order. Raises Wrong for what is not there."""
    outputs = {name: within(value, lengths, time) for name, value in outputs.items()}
    values = list(outputs.values())
    if "outputs" in got:
        whole = within(got["outputs"], lengths, time)
        if equal(whole, np.concatenate([rows(value) for value in values], 1), notes):
            return  # the outputs of all steps, or of one head, in their order
        if any(value.ndim == 3 for value in values) and "the same at every position" in " ".join(notes):
            values = [spread(value, whole.shape[1], lengths, time) for value in values]
        if all(value.shape[:-1] == whole.shape[:-1] for value in values):
            if equal(whole, np.concatenate(values, -1), notes):
                return  # heads, side by side in their order
    said, offset = " ".join(notes), 0
    unseen = re.findall(r"output (\d+) of the model: left out, as it is the decoder's last cell state", said)
    for number, (name, value) in enumerate(outputs.items(), 1):
        if str(number) in unseen:  # cuseq run does not write it
            continue
        found = [place for place, array in places(got) if equal(within(array, lengths, time), value, notes)]
        if "outputs" in got and not found:  # one of several heads
            part = whole[..., offset : offset + value.shape[-1]]
            found = ["a head"] if equal(part, value, notes) else []
            offset += value.shape[-1] if found else 0
        if not found:
            least = min((error(within(array, lengths, time), value), place) for place, array in places(got))
            raise Wrong(f"output {name} is nowhere (nearest: {least[1]}, which differs by {least[0]:.2g})")
        if len(outputs) > 1 and not any(
            place.split()[0] in said or place in ("a head", "outputs") for place in found
        ):
            raise Wrong(f"output {name} is {found[0]}, of which no line speaks")
