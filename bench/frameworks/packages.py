"""Provides the other systems: pinned packages in build/frameworks, oneDNN's program built against them. What cannot be had is
said and left out; the bench goes on without it."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
REQUIREMENTS = HERE / "requirements"


def succeeds(command: list[str], log: Path) -> bool:
    """Runs a command whose output goes to a log."""
    with log.open("a") as file:
        file.write(f"$ {' '.join(command)}\n")
        file.flush()
        return subprocess.run(command, stdout=file, stderr=file, check=False).returncode == 0


def same(list_file: Path, done: Path) -> bool:
    """Whether a list was installed as it is now."""
    return done.exists() and done.read_text() == list_file.read_text()


def install(
    name: str, pip: list[str], done: Path, fetch: bool, log: Path, say: Callable[[str], None]
) -> bool:
    """Installs requirements/name.txt unless it is there; false where it is not to be had."""
    list_file = REQUIREMENTS / f"{name}.txt"
    if same(list_file, done):
        return True
    if not fetch:
        return False
    say(f"fetching {name}")
    if not succeeds(
        [
            *pip,
            "--quiet",
            "--disable-pip-version-check",
            "--no-deps",
            "--only-binary",
            ":all:",
            "--requirement",
            str(list_file),
        ],
        log,
    ):
        say(f"{name}: its packages could not be fetched (the reason is in {log.name}); left out")
        return False
    done.write_text(list_file.read_text())
    return True


def build_onednn(
    build: Path, root: Path, runtime: Path, program: Path, log: Path, say: Callable[[str], None]
) -> None:
    """oneDNN's worker against the library under root; runtime has the libraries that it needs in turn."""
    source = HERE / "worker_onednn.cpp"
    if program.exists() and program.stat().st_mtime >= max(
        source.stat().st_mtime, (root / "lib/libdnnl.so").stat().st_mtime
    ):
        return
    command = [
        "g++",
        "-std=c++17",
        "-O3",
        "-march=native",
        "-ffast-math",
        f"-I{root / 'include'}",
        f"-I{HERE.parent.parent / 'include'}",
        str(source),
        str(build / "bench/frameworks/libbench_frameworks_worker.a"),
        f"-L{build}",
        "-lcuseq",
        f"-L{root / 'lib'}",
        "-ldnnl",
        "-Wl,--disable-new-dtags",
        "-Wl,--allow-shlib-undefined",
        *(f"-Wl,-rpath,{path}" for path in (build, root / "lib", runtime)),
        "-o",
        str(program),
    ]
    say(f"building {program.name}")
    if not succeeds(command, log):
        program.unlink(missing_ok=True)
        say(f"{program.name}: it could not be built (the reason is in {log.name}); left out")


def provide(build: Path, folder: Path, fetch: bool, say: Callable[[str], None]) -> None:
    """Everything that is missing under folder."""
    folder.mkdir(parents=True, exist_ok=True)
    log, venv, openmp = folder / "packages.log", folder / "venv", folder / "onednn-2023"
    log.write_text("")
    python = venv / "bin/python"
    if not python.exists() and fetch:
        say("making a virtual environment")
        if not succeeds([sys.executable, "-m", "venv", str(venv)], log):
            shutil.rmtree(venv, ignore_errors=True)
            say(
                "python3 -m venv fails (Debian's package python3-venv has it); only what needs no packages is measured"
            )
    if not python.exists():
        return
    pip = [str(python), "-m", "pip", "install"]
    for name in ("onnx", "openvino", "torch", "keras"):
        install(name, pip, venv / f"{name}.installed", fetch, log, say)
    if install("onednn", pip, venv / "onednn.installed", fetch, log, say):
        build_onednn(build, venv, venv / "lib", folder / "onednn-sycl", log, say)
        beside = [*pip, "--ignore-installed", "--prefix", str(openmp)]
        if install("onednn-openmp", beside, folder / "onednn-openmp.installed", fetch, log, say):
            build_onednn(build, openmp, venv / "lib", folder / "onednn-openmp", log, say)
