"""Provides the pinned packages of requirements/ in virtual environments under the build folder."""

import shutil
import subprocess
import sys
from pathlib import Path

REQUIREMENTS = Path(__file__).resolve().parent / "requirements"
PYTHONS = {"keras3": ((3, 11), (3, 13)), "keras2": ((3, 11), (3, 11))}  # what the packages are built for


class Missing(Exception):
    """Packages that are not to be had here; the text says why."""


def version_of(python: str) -> tuple[int, int] | None:
    """An interpreter's version; None where it does not run."""
    words = [python, "-c", "import sys; print(sys.version_info[0], sys.version_info[1])"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    major, minor = map(int, done.stdout.split())
    return major, minor


def interpreter(name: str) -> str:
    """The first Python here that the packages are for."""
    least, most = PYTHONS[name]
    candidates = [sys.executable] + [f"python3.{minor}" for minor in range(most[1], least[1] - 1, -1)]
    for python in candidates:
        version = version_of(python)
        if version and least <= version <= most:
            return python
    span = "3.11" if least == most else f"3.{least[1]} to 3.{most[1]}"
    raise Missing(f"{name}: its packages are for Python {span} (found 3.{sys.version_info[1]})")


def succeeds(words: list[str], log: Path) -> bool:
    """Runs a command whose output goes to a log."""
    with log.open("a") as file:
        file.write(f"$ {' '.join(words)}\n")
        file.flush()
        return subprocess.run(words, stdout=file, stderr=file, check=False).returncode == 0


def provide(name: str, folder: Path) -> Path:
    """The interpreter of an environment that has requirements/NAME.txt; raises Missing."""
    wanted = (REQUIREMENTS / f"{name}.txt").read_text()
    venv, done, log = folder / name, folder / name / "installed", folder / "packages.log"
    if done.exists() and done.read_text() == wanted:
        return venv / "bin/python"
    folder.mkdir(parents=True, exist_ok=True)
    python = interpreter(name)
    print(f"test-keras: fetching {name}", file=sys.stderr, flush=True)
    shutil.rmtree(venv, ignore_errors=True)
    if not succeeds([python, "-m", "venv", str(venv)], log):
        raise Missing(f"{name}: {python} -m venv fails (Debian's package python3-venv has it)")
    pip = [
        str(venv / "bin/python"),
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
    ]
    if not succeeds(
        [*pip, "--only-binary", ":all:", "--requirement", str(REQUIREMENTS / f"{name}.txt")], log
    ):
        raise Missing(f"{name}: its packages could not be fetched (the reason is in {log})")
    done.write_text(wanted)
    return venv / "bin/python"
