"""test_published.py BUILD_DIR [PACKAGE...]: models that packages of PyPI carry, converted and asked; are
the answers those of the packages?"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import environments
import wheels

HERE = Path(__file__).resolve().parent
# NAME.py for each package.
PACKAGES = {
    "indicate": "indicate",
    "netra-transliterate": "netra_transliterate",
    "g2p-id-py": "g2p_id_py",
    "g2p-fa": "g2p_fa",
    "g2p-en": "g2p_en",
    "nakdimon": "nakdimon",
    "uzmorph-nn": "uzmorph_nn",
    "g2pM": "g2pm",
    "arabic-diacritizer": "arabic_diacritizer",
}
REFUSED = {"rnnmorph": "rnnmorph"}
ENOUGH = 200  # words of a package
LIMIT = 3600  # seconds


def say(text: str) -> None:
    """Progress, to stderr."""
    print(f"test-published: {text}", file=sys.stderr, flush=True)


def environment_of(module: str) -> str:
    """What NAME.py says that its package needs."""
    for line in (HERE / f"{module}.py").read_text().splitlines():
        if line.startswith("ENVIRONMENT = "):
            return json.loads(line.partition(" = ")[2])
    raise KeyError(module)


def settings(build: Path) -> dict[str, str]:
    """One thread each, no talk of TensorFlow's, and `import cuseq`."""
    quiet = {
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "OMP_NUM_THREADS": "1",
        "KERAS_BACKEND": "tensorflow",
        "CUDA_VISIBLE_DEVICES": "",
    }
    return {**os.environ, **quiet, "PYTHONPATH": str(build / "python")}


def ask(name: str, build: Path, script: Path) -> object:
    """What a script prints in the package's environment, JSON; raises wheels.Missing."""
    module = PACKAGES.get(name) or REFUSED[name]
    python = environments.interpreter(environment_of(module) if name in PACKAGES else "keras3", build, say)
    folder = wheels.unpacked(name, build / "published", python)
    words = [python, "-B", script, module, folder, build / "cuseq"]
    done = subprocess.run(
        [str(word) for word in words],
        capture_output=True,
        text=True,
        env=settings(build),
        timeout=LIMIT,
        check=False,
    )
    lines = done.stdout.splitlines()
    if done.returncode != 0 or not lines:
        return {"fault": (done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1]}
    return json.loads(lines[-1])


def verdict(name: str, result: dict) -> tuple[bool, str]:
    """Whether a package passes, and its line."""
    if "fault" in result:
        return False, f"{name:<20} FAILED  {result['fault']}"
    words = result["words"]
    passes = (
        words >= ENOUGH
        and result["tokens"] == result["texts"] == words
        and result["error"] <= result["allowed"]
    )
    line = (
        f"{name:<20} {'ok' if passes else 'FAILED':<7} texts {result['texts']} "
        f"and tokens {result['tokens']} equal of {words}, "
        f"numbers within {result['error']:.1e} (allowed {result['allowed']:.1e}), "
        f"converted in {result['converted_s']} s"
    )
    for word, theirs, ours in result["others"][:5]:
        line += f"\n{'':<20} {word}: the package says {theirs}, cuseq {ours}"
    return passes, line


def refusal(name: str, tries: object) -> tuple[bool, str]:
    """Whether a model is refused as it has to be, and its lines."""
    if isinstance(tries, dict):
        return False, f"{name:<20} FAILED  {tries['fault']}"
    passes = all(re.search(wanted, said) and len(said.splitlines()) == 1 for _, said, wanted in tries)
    lines = [f"{name:<20} {'ok' if passes else 'FAILED':<7} refused"]
    return passes, "\n".join(lines + [f"{'':<20} {what}: {said}" for what, said, _ in tries])


def main(words: list[str]) -> int:
    """The whole; the exit status."""
    build, chosen = Path(words[0]).resolve(), words[1:]
    known = [*PACKAGES, *REFUSED]
    for name in chosen:
        if name not in known:
            say(f"there is no package {name} (there are {', '.join(known)})")
            return 2
    failed = skipped = 0
    for name in chosen or known:
        try:
            if name in PACKAGES:
                passes, line = verdict(name, ask(name, build, HERE / "check.py"))
            else:
                passes, line = refusal(name, ask(name, build, HERE / "refused.py"))
        except wheels.Missing as why:
            print(f"{name:<20} skipped: {why}", flush=True)
            skipped += 1
            continue
        failed += not passes
        print(line, flush=True)
    passed = len(chosen or known) - failed - skipped
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
