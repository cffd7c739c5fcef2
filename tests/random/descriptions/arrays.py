"""Files of arrays, written and read with what Python itself has: lists of numbers as .safetensors, .npy
and .npz."""

import ast
import json
import struct
import zipfile
from pathlib import Path

FORMATS = {"F64": "d", "F32": "f", "F16": "e", "I64": "q"}


class Tensor:
    """Numbers in row-major order with a shape; dtype is how a file has them."""

    def __init__(self, shape: tuple[int, ...], numbers: list[float], dtype: str = "F32"):
        self.shape, self.numbers, self.dtype = tuple(shape), list(numbers), dtype

    def row(self, index: int) -> list[float]:
        """A row of a matrix."""
        width = self.shape[1]
        return self.numbers[index * width : (index + 1) * width]

    def rows(self) -> list[list[float]]:
        """All rows of a matrix."""
        return [self.row(index) for index in range(self.shape[0])]

    def data(self) -> bytes:
        """As a file has it."""
        if self.dtype == "BF16":
            return b"".join(struct.pack("<f", number)[2:] for number in self.numbers)
        kind = FORMATS[self.dtype]
        return struct.pack(
            f"<{len(self.numbers)}{kind}", *(map(int, self.numbers) if kind == "q" else self.numbers)
        )


def write_safetensors(path: Path, tensors: dict[str, Tensor]) -> None:
    """A state_dict as the safetensors package saves it."""
    header, blocks, at = {}, [], 0
    for name, tensor in tensors.items():
        block = tensor.data()
        header[name] = {
            "dtype": tensor.dtype,
            "shape": list(tensor.shape),
            "data_offsets": [at, at + len(block)],
        }
        blocks.append(block)
        at += len(block)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(blocks))


def write_npy(path: Path, shape: tuple[int, ...], numbers: list[float], kind: str) -> None:
    """kind: f for float32, i for int32."""
    described = {"descr": f"<{kind}4", "fortran_order": False, "shape": tuple(shape)}
    text = repr(described).encode()
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    path.write_bytes(
        b"\x93NUMPY\1\0"
        + struct.pack("<H", len(text))
        + text
        + struct.pack(f"<{len(numbers)}{kind}", *numbers)
    )


def read_npz(path: Path) -> dict[str, Tensor]:
    """Every array of a file that cuseq wrote: float32 or int32."""
    found = {}
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            content = archive.read(name)
            size = struct.unpack("<H", content[8:10])[0]
            described = ast.literal_eval(content[10 : 10 + size].decode())
            kind = {"<f4": "f", "<i4": "i"}[described["descr"]]
            data = content[10 + size :]
            numbers = struct.unpack(f"<{len(data) // 4}{kind}", data)
            found[name.removesuffix(".npy")] = Tensor(described["shape"], list(numbers))
    return found
