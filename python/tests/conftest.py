import os
import pathlib

import numpy as np
import pytest

import cuseq

ROOT = pathlib.Path(os.environ.get("ROOT", pathlib.Path(__file__).resolve().parents[2]))
GOLDEN = ROOT / "tests" / "golden"


@pytest.fixture(scope="session")
def dates():
    return cuseq.load(ROOT / "models" / "dates.safetensors")


@pytest.fixture(scope="session")
def searched():
    """A model with feedback and an end token."""
    return cuseq.load(GOLDEN / "search" / "luong.safetensors")


@pytest.fixture(scope="session")
def model():
    return cuseq.load(GOLDEN / "models" / "keras_concat.safetensors")


@pytest.fixture(scope="session")
def x():
    return np.load(GOLDEN / "models" / "keras_concat.npz")["input"]
