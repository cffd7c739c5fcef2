"""Writes the arrays of this folder with numpy and the safetensors package, for the tests of the file formats.

Element (i, j, k) of every array of shape [2, 3, 4] is 100 i + 10 j + k, less 50 where the type is signed.
Made with numpy 2.4.6 and safetensors 0.8.0:  python3 make_format_files.py
"""

import pathlib

import numpy as np
import safetensors.numpy

folder = pathlib.Path(__file__).parent
i, j, k = np.indices((2, 3, 4))
values = 100 * i + 10 * j + k

arrays = {}
for kind in ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1"]:
    for order in "CF":
        for endian in "<>":
            signed = values if kind == "u1" else values - 50
            name = f"{kind}_{'little' if endian == '<' else 'big'}_{order}"
            arrays[name] = np.array(signed.astype(endian + kind), order=order)

np.savez(folder / "stored.npz", **arrays)
np.savez_compressed(folder / "deflated.npz", **arrays)
for version in [(1, 0), (2, 0), (3, 0)]:
    with open(folder / f"version{version[0]}.npy", "wb") as stream:
        np.lib.format.write_array(stream, arrays["f8_big_F"], version=version)

safetensors.numpy.save_file(
    {
        "matrix": (values[0] - 50).astype(np.float32),
        "halves": np.array([1.5, -2.0, 65504.0], np.float16),
        "scalar": np.array(0.1, np.float64),
        "empty": np.zeros((0, 3), np.int32),
        "ids": np.array([2**40, -1], np.int64),
        "bytes": np.array([1, 2, 255], np.uint8),
        "Gewicht-ä": np.array([True, False]),
    },
    folder / "package.safetensors",
    {"framework": "none", "Schlüssel": 'a "quoted"\nvalue'},
)
