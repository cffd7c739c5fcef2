"""Files of other kinds become models by the program `cuseq convert`, which lies beside this package where it was built
into a wheel, and elsewhere on PATH."""

from __future__ import annotations

import os
from collections.abc import Sequence

from . import _cuseq
from .errors import Error, ModelError, ReadError


def program() -> str:
    """The program's path: CUSEQ_PROGRAM in the environment, the package's own, or that on PATH."""
    import shutil

    own = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bin", "cuseq")
    found = os.environ.get("CUSEQ_PROGRAM") or (own if os.path.exists(own) else shutil.which("cuseq"))
    if not found:
        raise FileNotFoundError(
            "the program cuseq, which converts models, is neither in the package nor on PATH (CUSEQ_PROGRAM names it)"
        )
    return found


def is_cuseq_file(path: str) -> bool:
    """Whether the bytes begin as a .safetensors file does, with the size of a JSON object and its brace."""
    try:
        with open(path, "rb") as file:
            head = file.read(9)
    except IsADirectoryError:
        raise ReadError(f"{path}: a folder (needed a model's file)") from None
    except OSError as reason:
        raise ReadError(f"{path}: {reason.strerror}") from None
    return len(head) == 9 and head[8:] == b"{"


def convert(path: str, arguments: Sequence[str]) -> _cuseq.Model:
    """The model that `cuseq convert PATH` makes, with further arguments of that command."""
    import subprocess  # imported here: most programs load cuseq's own files
    import tempfile

    with tempfile.TemporaryDirectory(prefix="cuseq-") as folder:
        made = os.path.join(folder, "model.safetensors")
        ran = subprocess.run(
            [program(), "convert", path, made, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            check=False,
        )
        if ran.returncode == 0:
            return _cuseq.Model.load(made)
    line = ran.stderr.strip().removeprefix("cuseq: ")
    raise (ModelError if ran.returncode == 2 else Error)(line or f"{path}: it could not be converted")
