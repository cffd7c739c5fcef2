"""A model on a GPU, which is the emulated device, in the real server."""

import pytest
import server as triton
from conftest import DATES

CONFIG = """backend: "cuseq"
max_batch_size: 4
instance_group { kind: KIND_MODEL }
parameters { key: "device" value { string_value: "cuda:0" } }
"""


def test_texts_are_translated_on_a_gpu(build, tmp_path, monkeypatch):
    emulator = build / "emulator"
    if not (emulator / "libcudart.so.13").exists() or not (build / "libcuseq_cuda.so").exists():
        pytest.skip("the CUDA backend or the emulated device is not built (they need nvcc)")
    monkeypatch.setenv("LD_LIBRARY_PATH", str(emulator))
    monkeypatch.setenv("CUSEQ_EMULATOR_SM", "90")
    triton.write_entry(tmp_path / "repository", "dates", DATES, CONFIG)
    log = tmp_path / "log"
    with triton.Server(build, tmp_path / "repository", log=log) as server:
        status, answer = server.texts("dates", ["3 May 1979", "sat 21 Jan, 2012"])
    assert (status, answer) == (200, {"TEXT": ([2, 1], ["1979-05-03", "2012-01-21"])})
    assert "device cuda:0" in log.read_text(errors="replace")
