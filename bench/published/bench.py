"""bench.py BUILD_DIR [--json FILE] [PACKAGE...]: how long packages of PyPI take for a word, and cuseq with
the same model."""

import argparse
import json
import math
import platform
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT / "tests/published"))

import test_published as test  # noqa: E402
import wheels  # noqa: E402

HEAD = (
    "# a word    by the package's own call, and by cuseq (import cuseq: letters to ids, the network,\n"
    "#           tokens to text); by turns, word for word, in one process on one processor, as the\n"
    "#           processor time of all its threads. Mean of a round's words, median of the rounds, and\n"
    "#           their spread\n"
    "#\n"
    "# package              words rounds      package        cuseq    faster    spread"
)


def output_of(*command: str) -> str:
    """The first line that a command prints."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    return (done.stdout.splitlines() or ["unknown"])[0]


def facts(build: Path, words: list[str]) -> dict:
    """What heads the table and the JSON."""
    found = re.search(r"^model name\s*:\s*(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return {
        "bench": "published",
        "machine": f"{found[1] if found else platform.machine()}, one processor",
        "versions": {
            "cuseq": output_of(str(build / "cuseq"), "--version").split(" ")[-1],
            "compiler": output_of("gcc", "--version"),
        },
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "commit": output_of("bench/results/commit.sh"),
        "command": " ".join(["./run bench published", *words]),
    }


def rows(name: str, result: dict) -> list[dict]:
    """Two rows of bench/results."""
    made = []
    for system, key in (("the package", "package_us"), ("cuseq", "cuseq_us")):
        times = result[key]
        row = {
            "kind": "time",
            "workload": name,
            "threads": 1,
            "system": system,
            "rounds": len(times),
            "words": result["words"],
        }
        made.append(
            {**row, "median_us": statistics.median(times), "low_us": min(times), "high_us": max(times)}
        )
    made[0]["as_called_us"] = result.get("as_called_us")
    return made


def spread(row: dict) -> float:
    """(largest - smallest) / median, percent."""
    return 100 * (row["high_us"] - row["low_us"]) / row["median_us"]


def line(theirs: dict, ours: dict) -> str:
    """A line of the table."""
    own, our = theirs["median_us"] / 1e3, ours["median_us"] / 1e3
    text = (
        f"{theirs['workload']:<22} {ours['words']:>5} {ours['rounds']:>6} {own:9.2f} ms {our:9.3f} ms"
        f" {own / our:8.1f}x {spread(theirs):4.0f}% {spread(ours):3.0f}%"
    )
    if theirs["as_called_us"]:
        text += f"   (as it is called, which pads to 10,000: {theirs['as_called_us'] / 1e6:.1f} s, one call)"
    return text


def main(words: list[str]) -> int:
    """The whole; the exit status."""
    parser = argparse.ArgumentParser(prog="./run bench published", description=__doc__)
    parser.add_argument("build", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the rows as JSON")
    parser.add_argument(
        "packages", nargs="*", metavar="PACKAGE", help=f"of {', '.join(test.PACKAGES)} (default: all)"
    )
    given = parser.parse_intermixed_args(words)
    if not set(given.packages) <= set(test.PACKAGES):
        parser.error(f"there is no package {sorted(set(given.packages) - set(test.PACKAGES))[0]}")
    build = given.build.resolve()
    made = {**facts(build, given.packages), "rows": []}
    for key in ("machine", "commit", "date", "command"):
        print(f"# {key:<9} {made[key]}")
    print(HEAD, flush=True)
    for name in given.packages or test.PACKAGES:
        try:
            result = test.ask(name, build, HERE / "timed.py")
        except wheels.Missing as why:
            print(f"{name:<22} skipped: {why}", flush=True)
            continue
        if "fault" in result:
            print(f"{name:<22} not timed: {result['fault']}", flush=True)
            continue
        made["rows"] += rows(name, result)
        print(line(*made["rows"][-2:]), flush=True)
        if given.json:
            given.json.write_text(json.dumps(made, indent=1) + "\n")
    pairs = list(zip(made["rows"][::2], made["rows"][1::2]))
    ratios = [theirs["median_us"] / ours["median_us"] for theirs, ours in pairs]
    if not ratios:
        return 1
    mean = math.exp(statistics.fmean(map(math.log, ratios)))
    print(f"# faster    on {sum(ratio > 1 for ratio in ratios)} of {len(ratios)}; geometric mean {mean:.1f}x")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
