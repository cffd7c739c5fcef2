#!/usr/bin/env python3
"""Has the numpy implementation (structure_numpy.py) judge the reference on random structures.

    judge_structures.py STRUCTURE_EXPORT [COUNT [SEED [LARGEST]]]

STRUCTURE_EXPORT is the program of structure_export.c. COUNT (300) structures are drawn, and a third as many
with something changed in them that the parser accepts. Every array of every structure must be within the
rounding of the reference's results to float32, tokens and lengths the same. Prints how many structures and
arrays were compared and which ingredients they had. Exit status 77 where there is no numpy: the test is
skipped.
"""

import collections
import json
import pathlib
import struct
import subprocess
import sys
import tempfile

try:
    import numpy as np
except ImportError:
    print("skipped: there is no numpy")
    sys.exit(77)

import structure_numpy

TOLERANCE = 6.1e-8  # half a unit of a float32 in the last place, and float64's own errors
INPUTS = "input", "lengths", "start_h", "start_c", "rows", "initial_h", "initial_c", "initial_fed", "previous"
INPUTS += "targets", "target_lengths", "given"
INTEGERS = "tokens", "output_lengths"


def read_model(path):
    """Configuration and tensors of a .safetensors file of float32."""
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + size])
    config = json.loads(header.pop("__metadata__")["cuseq"])
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        values = np.frombuffer(data[8 + size + begin : 8 + size + end], "<f4")
        tensors[name] = values.reshape(entry["shape"])
    return config, tensors


def flat(arrays):
    return {name: np.ravel(array) for name, array in arrays.items()}


def differences(got, want):
    """What is wrong, in words. got: the reference's, want: numpy's."""
    if set(got) != set(want):
        yield f"arrays differ: {sorted(set(got) ^ set(want))}"
    for name in sorted(set(got) & set(want)):
        a, b = np.ravel(got[name]), np.ravel(want[name])
        if a.size != b.size:
            yield f"{name}: {a.size} elements, needed {b.size}"
        elif name in INTEGERS:
            if not np.array_equal(a, b):
                yield f"{name}: got {a.tolist()}, want {b.tolist()}"
        else:
            error = np.abs(a - b) - TOLERANCE * np.maximum(1, np.abs(b))
            worst = int(np.argmax(np.where(np.isnan(error), np.inf, error)))
            if not error[worst] <= 0:
                yield f"{name}[{worst}]: got {a[worst]:.9g}, want {b[worst]:.9g}"


def words_of(value, prefix=""):
    """The ingredients of a configuration: its keys, and the words that they may be."""
    if isinstance(value, dict):
        for key, inner in value.items():
            path = f"{prefix}.{key}" if prefix else key
            yield from words_of(inner, path)
            yield path
    elif isinstance(value, list):
        for inner in value:
            yield from words_of(inner, prefix)
    elif isinstance(value, (str, bool)):
        yield f"{prefix}={value}"


class Judge:
    def __init__(self, program):
        self.program, self.compared, self.structures, self.wrong = program, 0, 0, 0
        self.found = collections.Counter()

    def one(self, path):
        """Compares one structure, and prints what differs."""
        config, tensors = read_model(path)
        arrays = dict(np.load(path.with_suffix(".npz")))
        inputs = {name: arrays.pop(name) for name in INPUTS if name in arrays}
        steps = arrays["states"].shape[1] // state_width(config) if "decoder" in config else None
        with np.errstate(over="ignore"):
            want = structure_numpy.run(config, tensors, inputs, steps)
        faults = list(differences(arrays, want))
        if faults:
            print(f"structure {path.stem}: {json.dumps(config)}; given {sorted(inputs)}")
            print("".join(f"    {fault}\n" for fault in faults), end="")
        self.wrong += bool(faults)
        self.structures += 1
        self.compared += len(arrays)
        self.found.update(set(words_of(config)) | {f"given {name}" for name in inputs})

    def many(self, count, *options):
        with tempfile.TemporaryDirectory() as name:
            seed, largest, *rest = map(str, options)
            subprocess.run([self.program, name, seed, str(count), largest, *rest], check=True)
            for number in range(count):
                self.one(pathlib.Path(name) / f"{number}.safetensors")


def state_width(config):
    return config["decoder"]["layers"][-1]["cell"]["units"]


def main(program, count=300, seed=1, largest=7):
    judge = Judge(program)
    judge.many(count, seed, largest)
    judge.many(count // 3, seed + 1, largest, "changed")
    print(f"{judge.structures} structures, {judge.compared} arrays, {judge.wrong} structures differ")
    rarest = ", ".join(f"{word} {times}" for word, times in judge.found.most_common()[:-9:-1])
    print(f"{len(judge.found)} ingredients; the rarest: {rarest}")
    return judge.wrong > 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], *map(int, sys.argv[2:])))
