"""The workloads as bench_frameworks_data wrote them, for the peers written in Python."""

import json
import struct
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np


@dataclass
class Workload:
    """One folder of the data: shape, configuration, weights by name, input. Letters as in cuseq.h."""

    name: str
    B: int
    T: int
    F: int
    H: int
    keys: int
    S: int
    Y: int
    V: int
    beams: int
    ids: bool
    encode_only: bool
    lengths: list[int] | None
    judged: list[list]
    config: dict = field(repr=False)
    tensors: dict[str, np.ndarray] = field(repr=False)
    input: np.ndarray = field(repr=False)

    @property
    def published(self) -> bool:
        """Whether it is one of W5 to W9: a model of version 2."""
        return self.config["version"] == 2

    @property
    def A(self) -> int:
        """The annotations' width."""
        return 2 * self.H

    def one_hot(self) -> np.ndarray:
        """The dense [B,T,F] input: what is in the file, or its ids as one-hot rows."""
        if not self.ids:
            return self.input
        return np.eye(self.F, dtype=np.float32)[self.input]

    def rows(self) -> list[int]:
        """The rows that are verified, as worker_rows chooses them."""
        return sorted({(self.B - 1) * n // 3 for n in range(4)})


def read_safetensors(path: Path) -> tuple[dict, dict[str, np.ndarray]]:
    """The configuration and the float32 tensors of a model's file."""
    data = path.read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length])
    config = json.loads(header.pop("__metadata__")["cuseq"])
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        tensors[name] = np.frombuffer(data[8 + length + begin : 8 + length + end], np.float32).reshape(
            entry["shape"]
        )
    return config, tensors


def read_workload(data: Path, name: str) -> Workload:
    """The workload of the folder data/name."""
    folder = data / name
    shape = json.loads((folder / "shape").read_text())
    size = [shape["B"], shape["T"]] + ([] if shape["ids"] else [shape["F"]])
    values = np.fromfile(folder / "input", np.int32 if shape["ids"] else np.float32).reshape(size)
    config, tensors = read_safetensors(folder / "model.safetensors")
    return Workload(name, **shape, config=config, tensors=tensors, input=values)
