"""Fetches the pinned files of packages.txt, once for all builds, and unpacks them."""

import hashlib
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
import zipfile
from pathlib import Path

PINS = Path(__file__).resolve().parent / "packages.txt"


class Missing(Exception):
    """Something that is not to be had here; the text says what and why."""


def cache() -> Path:
    """Where fetched files are kept: $XDG_CACHE_HOME/cuseq/published, or ~/.cache/cuseq/published."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cuseq/published"


def pins() -> dict[str, tuple[str, str]]:
    """The line of packages.txt and the file's SHA-256 of each package, by its name."""
    lines = [line for line in PINS.read_text().splitlines() if line and not line.startswith("#")]
    return {line.split("==")[0]: (line, line.rpartition(":")[2]) for line in lines}


def kept(digest: str) -> Path | None:
    """A file of the cache, found by what is in it."""
    for path in cache().glob("*.*"):
        if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == digest:
            return path
    return None


def fetch(name: str, python: Path | str) -> Path:
    """The file of a package, from the cache or by pip, which checks its hash."""
    line, digest = pins()[name]
    found = kept(digest)
    if found:
        return found
    cache().mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(line + "\n")
        file.flush()
        words = [str(python), "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        words += ["--require-hashes", "--dest", str(cache()), "--requirement", file.name]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
    found = kept(digest)
    if done.returncode != 0 or not found:
        reason = re.sub(r"\s+", " ", done.stderr.strip())[-200:]
        raise Missing(f"its file could not be fetched ({reason or done.returncode})")
    return found


def inside(name: str) -> bool:
    """Whether a path stays in the folder that it begins in."""
    return not name.startswith("/") and ".." not in Path(name).parts


def unpacked(name: str, folder: Path, python: Path | str) -> Path:
    """The folder FOLDER/NAME, in which the package's file is unpacked."""
    source, target = fetch(name, python), folder / name
    done = target / ".unpacked"
    if done.exists() and done.read_text() == source.name:
        return target
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    if source.suffix == ".whl":
        with zipfile.ZipFile(source) as archive:
            archive.extractall(target)
    else:
        with tarfile.open(source) as archive:
            for member in archive.getmembers():
                if member.isfile() and inside(member.name):
                    archive.extract(member, target, set_attrs=False)
    done.write_text(source.name)
    return target
