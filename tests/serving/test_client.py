"""Triton's own client finds the server as it expects it."""

import json
import subprocess

import pytest
import server as triton
from conftest import DATES, ROOT

QUEUE = """backend: "cuseq"
max_batch_size: 64
dynamic_batching { max_queue_delay_microseconds: 500000 preferred_batch_size: [ 64 ] }
"""


def test_grpc_answers_refuses_and_cancels(build, server, repository):
    python = build / "triton-client" / "bin" / "python"
    if not (build / "triton-client" / "done").exists():
        pytest.skip("Triton's client is not in build/triton-client (./run test-serving fetches it)")
    triton.write_entry(repository, "queue", DATES, QUEUE)
    assert server.load("queue")[0] == 200
    command = [python, "-B", ROOT / "tests" / "serving" / "client.py", str(server.port + 1), "queue"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["text"] == "1979-05-03"
    assert "id [0,1] is out of range (found 99, needed 0 to 36)" in found["refused"]
    assert (found["cancelled"], found["answered"]) == (5, 3)
    statistics = server.statistics("queue")
    assert statistics["inference_count"] == 4, "what was cancelled should not be computed"
