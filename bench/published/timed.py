"""timed.py NAME FOLDER CUSEQ: a package of PyPI and cuseq on the same words, one word at a time, by turns,
on one processor. Prints a line of JSON. Runs in the Python that the package's framework is in."""

import importlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / "tests/published"))

import cuseq  # noqa: E402
from program import Program  # noqa: E402

WORDS = 20  # of a round
ROUND_SECONDS = 4.0  # what takes longer has fewer words
LEAST_WORDS, LEAST_ROUNDS, MOST_ROUNDS = 3, 5, 30
SECONDS = 30.0  # of a package


def microseconds(call: Callable[[str], object], word: str) -> float:
    """The processor time of one call, in all threads, which take turns on one processor: what else the
    machine does is left out."""
    began = time.process_time()
    call(word)
    return 1e6 * (time.process_time() - began)


def measure(words: list[str], theirs: Callable[[str], object], ours: Callable[[str], object]) -> dict:
    """Rounds of a mean time a word each, both sides word by word."""
    rounds: dict[str, list[float]] = {"package_us": [], "cuseq_us": []}
    began = time.perf_counter()
    while len(rounds["cuseq_us"]) < MOST_ROUNDS:
        if len(rounds["cuseq_us"]) >= LEAST_ROUNDS and time.perf_counter() - began > SECONDS:
            break
        times = [(microseconds(theirs, word), microseconds(ours, word)) for word in words]
        for name, taken in zip(rounds, zip(*times)):
            rounds[name].append(sum(taken) / len(words))
    return rounds


def main(given: list[str]) -> int:
    """The whole; the exit status."""
    name, folder, program = given[0], *map(Path, given[1:])
    module = importlib.import_module(name)
    with tempfile.TemporaryDirectory() as work:
        model = cuseq.load(module.convert(folder, Program(program, Path(work))))
    published = module.Package(folder)
    words = list(dict.fromkeys(published.words()))
    words = words[:: max(1, len(words) // WORDS)][:WORDS]
    session = published.session(model, max(len(published.ids(word)) for word in words))

    def ours(word: str) -> object:
        return published.spell(word, published.answer(session, word))

    for word in words:  # warms both up
        if ours(word) != published.text(word):
            raise SystemExit(f"{word}: the package says {published.text(word)}, cuseq {ours(word)}")
    once = sum(microseconds(published.text, word) for word in words[:LEAST_WORDS]) / LEAST_WORDS
    words = words[: max(LEAST_WORDS, min(WORDS, int(1e6 * ROUND_SECONDS / once)))]
    result = {"words": len(words), **measure(words, published.text, ours)}
    if hasattr(published, "as_called"):
        result["as_called_us"] = microseconds(published.as_called, words[0])
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
