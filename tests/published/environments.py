"""The Pythons that packages run in. Two environments hold all that is needed, and are those of other
commands: build/frameworks of ./run bench frameworks (ONNX Runtime, PyTorch, Keras 3 with TensorFlow, NumPy)
and build/keras/keras2 of ./run test-keras."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from wheels import Missing

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "bench/frameworks"), str(ROOT / "tests/random/models")]

import packages  # noqa: E402  of bench/frameworks
import provide  # noqa: E402  of tests/random/models

# The lists of bench/frameworks/requirements that an environment's packages need; that of onnx has NumPy.
LISTS = {"numpy": ("onnx",), "onnx": ("onnx",), "torch": ("onnx", "torch"), "keras3": ("onnx", "keras")}


def frameworks(name: str, folder: Path, say: Callable[[str], None]) -> Path:
    """The interpreter of build/frameworks, with the lists that are needed."""
    folder.mkdir(parents=True, exist_ok=True)
    venv, log = folder / "venv", folder / "packages.log"
    python = venv / "bin/python"
    if not python.exists():
        base = provide.interpreter("keras3")
        if subprocess.run([base, "-m", "venv", str(venv)], check=False).returncode != 0:
            raise Missing(f"{base} -m venv fails (Debian's package python3-venv has it)")
    pip = [str(python), "-m", "pip", "install"]
    for name_of_list in LISTS[name]:
        if not packages.install(name_of_list, pip, venv / f"{name_of_list}.installed", True, log, say):
            raise Missing(f"its framework could not be fetched (the reason is in {log})")
    return python


def interpreter(name: str, build: Path, say: Callable[[str], None]) -> Path:
    """The interpreter that has a framework; raises Missing."""
    try:
        return (
            provide.provide(name, build / "keras")
            if name == "keras2"
            else frameworks(name, build / "frameworks", say)
        )
    except provide.Missing as why:
        raise Missing(str(why)) from None
