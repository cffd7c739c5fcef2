"""Compares what a model's file lists with what cuseq gives: "equal", "WRONG" with a reason, or "half"
where a reason is wanting only on stderr."""

import numpy as np

TOLERANCE = 5e-6  # of max(1, the array's largest): cuseq's reference rounds weights and results to float32


class Wrong(Exception):
    """Other numbers, or numbers without the word that must go with them."""


def rows(array):
    """[B, everything else]."""
    array = np.asarray(array, np.float64)
    return array.reshape(len(array), -1)


def differ(got, want):
    """The largest error, relative to the array."""
    return float(np.max(np.abs(got - want), initial=0.0)) / max(1.0, float(np.max(np.abs(want), initial=0.0)))


def compare(what, got, want):
    got, want = rows(got), rows(want)
    if got.shape != want.shape:
        raise Wrong(f"{what}: {got.shape[1]} numbers a row (the file has {want.shape[1]})")
    if not differ(got, want) <= TOLERANCE:
        raise Wrong(f"{what}: differs by {differ(got, want):.2g}")


def within(array, lengths, time):
    """Zeros where a position is behind the end of its row."""
    array = np.array(array, np.float64)
    if lengths is None:
        return array
    axis = 1 if array.ndim == 3 and array.shape[1] == time else array.ndim - 1
    if array.ndim == 3 and array.shape[1] == 1:
        axis = 2
    for row, length in enumerate(lengths):
        index = [row] + [slice(None)] * (array.ndim - 1)
        index[axis] = slice(int(length), None)
        array[tuple(index)] = 0
    return array


def within_outputs(array, lengths, time):
    """Zeros behind a row's end, where there is an output for every position."""
    array = np.array(array, np.float64)
    if lengths is not None and array.ndim == 3 and array.shape[1] == time:
        for row, length in enumerate(lengths):
            array[row, int(length) :] = 0
    return array


def joined(values, ours, lengths, time):
    """Outputs of every position, or step, side by side; others one after the other."""
    if all(value.ndim == 3 and value.shape[:2] == np.shape(ours)[:2] for value in values):
        return within_outputs(np.concatenate(values, -1), lengths, time)
    return np.concatenate([rows(value) for value in values], axis=1)


def judge(listed, values, got, notes, lengths, time):
    """listed: of the file's outputs, (kind, step); values: what Keras computes of each; got: cuseq's
    arrays."""
    main = [np.asarray(value, np.float64) for (kind, _), value in zip(listed, values) if kind == "main"]
    if main:
        ours = got["outputs"] if "outputs" in got else got["context"]
        positions = None if "states" in got else lengths  # whose ends are those of the outputs
        compare("outputs", within_outputs(ours, positions, time), joined(main, ours, positions, time))
    for (kind, step), value in zip(listed, values):
        if kind == "main":
            continue
        if kind == "other" or kind not in got:
            if not any("left out" in line for line in notes):
                raise Wrong(f"an output of the file that cuseq has not ({kind}), without a word")
            continue
        ours = got[kind] if step is None else got[kind][:, step : step + 1]
        timed = kind in ("alphas", "annotations")
        compare(
            kind,
            within(ours, lengths, time) if timed else ours,
            within(value, lengths, time) if timed else value,
        )
        if not any("output" in line for line in notes):
            raise Wrong(f"{kind} among the outputs, of which no line says where they are")
    return "equal"
