"""test_written.py BUILD_DIR [options]: models that people write, made and saved by Keras itself; what cuseq
makes of each is the same numbers, or a refusal."""

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "models"))
from provide import Missing, provide

VERDICTS = ("equal", "refused", "WRONG", "FAULT", "unmade")
FAILURES = ("WRONG", "FAULT")


def arguments(words: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="./run test-written",
        description="Makes models of the kinds that people write with Keras 3 and Keras 2, converts what they "
        "save, and compares what cuseq computes with what Keras computes. Exit status 1 where numbers differ.",
    )
    parser.add_argument("build", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("names", nargs="*", metavar="NAME", help="these models only (default: all)")
    parser.add_argument("--keras", choices=("2", "3"), help="of this version only (default: both)")
    random = "N encoders, N decoders and N loops over probabilities by chance instead of the written models"
    parser.add_argument("--random", type=int, metavar="N", help=random)
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep all files there")
    return parser.parse_intermixed_args(words)


def run(given: argparse.Namespace, name: str) -> list[dict]:
    """What the models of one Keras came to; an empty list where there is no such Keras here."""
    try:
        python = provide(name, given.build / "keras")
    except Missing as why:
        print(f"test-written: {why}; left out", file=sys.stderr)
        return []
    with tempfile.TemporaryDirectory() as folder:
        place = given.keep.resolve() / name if given.keep else Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        words = [python, "-B", HERE / "worker.py", given.build / "cuseq", place, *given.names]
        done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False)
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode != 0 or not lines:
        raise SystemExit(f"test-written: {name}: {done.stderr.strip()[-2000:]}")
    return lines


def report(lines: list[dict]) -> str:
    """A line for each file, then how many of each verdict."""
    made = []
    for line in lines:
        if "verdict" in line:
            name = f"{line['name']}{line['file']}"
            made.append(f"Keras {line['keras']} {name:44} {line['verdict']:8} {line['reason']}")
    for keras in (3, 2):
        for ending in (".keras", ".h5"):
            some = [one for one in lines if one.get("keras") == keras and one.get("file") == ending]
            counts = Counter(one["verdict"] for one in some)
            told = ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS if counts[verdict])
            if told:
                made.append(f"# Keras {keras}, {len(some)} {ending}: {told}")
    return "\n".join(made)


def main(words: list[str]) -> int:
    """The whole; the exit status."""
    given = arguments(words)
    given.build = given.build.resolve()
    given.names += [f"{kind}_{seed}" for kind in ("woven", "drawn", "probable") for seed in range(given.random or 0)]
    names = [name for name in ("keras3", "keras2") if not given.keras or given.keras in name]
    with ThreadPoolExecutor(2) as pool:
        lines = [line for some in pool.map(lambda name: run(given, name), names) for line in some]
    if not lines:
        print("test-written: no Keras is to be had here; nothing was tested", file=sys.stderr)
        return 2
    print(report(lines))
    return 1 if any(line.get("verdict") in FAILURES for line in lines) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
