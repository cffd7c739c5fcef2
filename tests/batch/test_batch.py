"""examples/batch on two workers of this machine: every line once, whatever is killed."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("CUSEQ_BUILD", ROOT / "build")).resolve()
MODEL = ROOT / "models" / "dates.safetensors"
EXAMPLE = ROOT / "examples" / "batch"
TEXTS = [line.split("\t")[0] for line in (ROOT / "tests" / "golden" / "dates.tsv").read_text().splitlines()]
FILES, LINES = 3, 4000


@pytest.fixture
def source(tmp_path):
    """Files of texts, among them empty lines and one that is too long."""
    folder = tmp_path / "source"
    folder.mkdir()
    for n in range(FILES):
        lines = [TEXTS[(n + i) % len(TEXTS)] for i in range(LINES)]
        lines[7] = ""
        if n == 1:
            lines[1234] = "x" * 40
        (folder / f"texts{n}.txt").write_text("".join(f"{line}\n" for line in lines))
    return folder


@pytest.fixture
def wanted(source):
    """What the program makes of them, file by file."""
    files = {}
    for path in sorted(source.iterdir()):
        lines = [line if len(line) <= 30 else "" for line in path.read_text().splitlines()]
        command = [BUILD / "cuseq", "translate", MODEL, "-", "--device", "cpu"]
        done = subprocess.run(command, input="".join(f"{line}\n" for line in lines), capture_output=True, text=True)
        files[path.name] = done.stdout
    return files


def start(script, source, output, *options):
    command = [sys.executable, "-B", EXAMPLE / script, MODEL, source, output, "--workers", "2", *options]
    environment = {**os.environ, "PYTHONPATH": str(BUILD / "python"), "RAY_DEDUP_LOGS": "0"}
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )


def done_parts(output):
    folder = output / ".parts"
    if not folder.exists():
        return 0
    return sum(path.suffix not in (".errors",) and ".partial." not in path.name for path in folder.iterdir())


def wait_for_parts(job, output, count):
    while done_parts(output) < count:
        assert job.poll() is None, job.communicate()[0]
        time.sleep(0.02)


def expect(job, output, wanted):
    text = job.communicate()[0]
    assert job.returncode == 0, text
    for name, lines in wanted.items():
        assert (output / name).read_text() == lines
    errors = (output / "errors.txt").read_text().splitlines()
    assert len(errors) == 1
    assert errors[0].startswith("texts1.txt:1235: ") and "too long (found 40 characters" in errors[0]
    assert sorted(path.name for path in output.iterdir()) == ["errors.txt", *sorted(wanted)]
    return text


def workers_of(job):
    """The processes of a job that are Ray's workers at work."""
    found = []
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes()
            name = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if name.startswith(b"ray::MapWorker") and f"CUSEQ_JOB={job}".encode() in environment:
            found.append(int(folder.name))
    return found


def test_every_line_has_its_line_in_processes_without_ray(source, wanted, tmp_path):
    expect(start("plain.py", source, tmp_path / "output", "--lines", "500"), tmp_path / "output", wanted)


def test_a_worker_that_is_killed_costs_no_line_and_doubles_none(source, wanted, tmp_path, monkeypatch):
    output = tmp_path / "output"
    monkeypatch.setenv("CUSEQ_JOB", str(os.getpid()))
    job = start("translate.py", source, output, "--lines", "50")
    wait_for_parts(job, output, 20)
    for worker in workers_of(os.getpid())[:1]:
        os.kill(worker, signal.SIGKILL)
        break
    else:
        pytest.fail("there should be a worker")
    text = expect(job, output, wanted)
    assert "died" in text, "the worker was to be killed before the job was done"


def test_a_job_that_is_killed_goes_on_where_it_was(source, wanted, tmp_path):
    output = tmp_path / "output"
    job = start("translate.py", source, output, "--lines", "50")
    wait_for_parts(job, output, 20)
    os.killpg(job.pid, signal.SIGKILL)
    job.wait()
    time.sleep(1)  # Ray's own processes find out that it is gone
    there = done_parts(output)
    assert 20 <= there < FILES * LINES // 50
    text = expect(start("translate.py", source, output, "--lines", "50"), output, wanted)
    assert " parts, 0 of them" not in text
