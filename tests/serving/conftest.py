"""A server for all tests: the real one, from its package, with models of the project."""

import os
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "serving"))
sys.path.insert(0, str(pathlib.Path(__file__).parent))

import server as triton  # noqa: E402

DATES = ROOT / "models" / "dates.safetensors"
NUMBERS = ROOT / "tests" / "golden" / "models" / "keras_general.safetensors"  # no vocabulary: features in
FEEDBACK = ROOT / "models" / "dates_feedback.safetensors"


def pytest_configure(config):
    config.addinivalue_line("markers", "long: takes more than a few seconds; only ./run test-serving runs it")


@pytest.fixture(scope="session")
def build():
    return pathlib.Path(os.environ.get("CUSEQ_BUILD", ROOT / "build")).resolve()


@pytest.fixture(scope="session")
def repository(tmp_path_factory):
    folder = tmp_path_factory.mktemp("repository")
    triton.write_entry(folder, "dates", DATES)
    triton.write_entry(folder, "feedback", FEEDBACK)
    triton.write_entry(folder, "numbers", NUMBERS)
    triton.write_entry(folder, "plain.cuseq", DATES)
    (folder / "plain.cuseq" / "config.pbtxt").unlink()
    return folder


@pytest.fixture(scope="session")
def log(tmp_path_factory):
    return tmp_path_factory.mktemp("log") / "server.log"


@pytest.fixture(scope="session")
def server(build, repository, log):
    options = ["--model-control-mode=explicit", "--load-model=*", "--exit-on-error=false"]
    with triton.Server(build, repository, options=options, log=log) as running:
        yield running
        assert running.process.poll() is None, "the server should have lived through all tests"
    assert running.process.returncode == 0
