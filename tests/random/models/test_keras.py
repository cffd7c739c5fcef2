"""test_keras.py BUILD_DIR [options]: random models, made and saved by Keras itself; what cuseq makes of
each is the same numbers, or a refusal."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import report
from provide import Missing, provide

HERE = Path(__file__).resolve().parent
AT_ONCE = {"keras3": 40, "keras2": 15}  # models of one process: Keras forgets nothing that it made


def say(text: str) -> None:
    """Progress, to stderr."""
    print(f"test-keras: {text}", file=sys.stderr, flush=True)


def arguments(words: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="./run test-keras",
        description="Makes random models of the family with Keras 3 and Keras 2, converts what they save, "
        "and compares what cuseq computes with what Keras computes. Exit status 1 where numbers differ.",
    )
    parser.add_argument("build", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--count", type=int, default=1000, help="so many models (default 1000)")
    parser.add_argument("--seed", type=int, default=1, help="other models (default 1)")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the files that went wrong there")
    parser.add_argument(
        "--keras", choices=("2", "3"), help="of this version only; otherwise a quarter are Keras 2's"
    )
    parser.add_argument("--model", type=int, metavar="N", help="the model of this number only (with --keras)")
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: one a CPU)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write a line of JSON for each file")
    given = parser.parse_args(words)
    if given.count < 1 or given.jobs < 1 or given.seed < 0:
        parser.error("--count and --jobs: 1 or more are needed, --seed: 0 or more")
    if given.model is not None and not given.keras:
        parser.error("--model: it needs --keras")
    return given


def environments(given: argparse.Namespace) -> dict[str, Path]:
    """The interpreters that have a Keras."""
    found, folder = {}, given.build / "keras"
    for name in ("keras3", "keras2"):
        if given.keras and given.keras not in name:
            continue
        try:
            found[name] = provide(name, folder)
        except Missing as why:
            say(f"{why}; left out")
    return found


def chunks(given: argparse.Namespace, names: list[str]) -> list[tuple[str, int, int]]:
    """(environment, first model, one past the last) for each process."""
    if given.model is not None:
        return [(names[0], given.model, given.model + 1)]
    counts = {name: given.count for name in names}
    if len(names) == 2:
        counts["keras2"] = given.count // 4
        counts["keras3"] = given.count - counts["keras2"]
    made = []
    for name in names:
        size = AT_ONCE[name]
        made += [(name, first, min(first + size, counts[name])) for first in range(0, counts[name], size)]
    return sorted(made, key=lambda chunk: chunk[1] / counts[chunk[0]])


def run_chunk(
    given: argparse.Namespace, python: Path, chunk: tuple[str, int, int]
) -> tuple[dict, list[dict]]:
    """What one process tells: of itself, and of each file."""
    name, first, last = chunk
    with tempfile.TemporaryDirectory() as folder:
        words = [python, "-B", HERE / "worker.py", given.build / "cuseq", folder, given.seed, first, last]
        words += [given.keep.resolve()] if given.keep else []
        done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False)
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode != 0 or not lines:
        at = lines[-1].get("number", first - 1) + 1 if lines else first
        reason = f"the process that makes models ended with {done.returncode}: {done.stderr.strip()[-300:]}"
        lost = {
            "keras": int(name[-1]),
            "number": at,
            "verdict": "FAULT",
            "reason": reason,
            "kind": "",
            "twists": [],
        }
        lines = [lines[0] if lines else {}, *lines[1:], lost]
    return lines[0], lines[1:]


def main(words: list[str]) -> int:
    """The whole; the exit status."""
    given = arguments(words)
    given.build = given.build.resolve()
    pythons = environments(given)
    if not pythons:
        say("no Keras is to be had here; nothing was tested")
        return 2
    work, lines, versions = chunks(given, list(pythons)), [], {}
    with ThreadPoolExecutor(given.jobs) as pool:
        for done, (facts, results) in enumerate(
            pool.map(lambda one: run_chunk(given, pythons[one[0]], one), work)
        ):
            lines += results
            if given.json:
                given.json.write_text("".join(json.dumps(line) + "\n" for line in lines))
            if facts:
                versions[facts["version"]] = facts["backend"]
            if sys.stderr.isatty() or done % 5 == 4:
                say(f"{done + 1} of {len(work)} parts: {report.summary(lines)}")
    print(report.text(given, versions, lines))
    return 1 if any(line["verdict"] in report.FAILURES for line in lines) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
