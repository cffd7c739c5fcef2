"""check.py NAME FOLDER CUSEQ: converts the model of a package that was unpacked in FOLDER, and compares
what cuseq answers with what the package does. Prints a line of JSON. Runs in the Python that the package's
framework is in."""

import importlib
import json
import sys
import tempfile
import time
from pathlib import Path

import cuseq
import numpy as np
from program import Program
from published import Published


def table(rows: list[list[int]]) -> np.ndarray:
    """Rows of unlike lengths as one array."""
    made = np.zeros((len(rows), max(map(len, rows))), np.int32)
    for row, values in zip(made, rows):
        row[: len(values)] = values
    return made


def lengths(rows: list[list[int]]) -> np.ndarray:
    """How long each is."""
    return np.array([len(row) for row in rows], np.int32)


def run(published: Published, model: cuseq.Model, rows: list[list[int]], tokens: list[list]) -> cuseq.Result:
    """All rows at once. Where the package searches, along the tokens that it has found."""
    given = {"targets": table(tokens), "target_lengths": lengths(tokens)} if published.searches else {}
    counts = lengths(rows) if published.gives_lengths else None
    device = "reference" if published.exact else "cpu"
    return model(table(rows), counts, device=device, arrays=["tokens", "output_lengths", "outputs"], **given)


def compare(published: Published, model: cuseq.Model) -> dict:
    """The package's answers and cuseq's, word for word: what is equal, and how far the numbers are apart at
    most."""
    words = list(dict.fromkeys(published.words()))
    texts, tokens, numbers = zip(*map(published.network, words))
    rows = [published.ids(word) for word in words]
    longest = max(map(len, rows))
    result, session = run(published, model, rows, tokens), published.session(model, longest)
    allowed = 2 * model.tolerance("outputs", longest, published.steps)  # of two that compute in float32
    made = {"words": len(words), "tokens": 0, "texts": 0, "allowed": allowed, "others": []}
    errors = [0.0]
    for row, word in enumerate(words):
        answered = published.answer(session, word)
        spelt = published.spell(word, answered)
        counted = published.counted(word, result.output_lengths[row])
        at_once = result.tokens[row, counted].tolist()
        same = answered == tokens[row] and (at_once == tokens[row] or published.searches)
        made["tokens"] += same
        made["texts"] += spelt == texts[row]
        if not same or spelt != texts[row]:
            made["others"].append([word, str(texts[row]), str(spelt)])
        elif len(tokens[row]) > 0:
            error = np.abs(result.outputs[row, counted] - numbers[row]) / np.maximum(1, np.abs(numbers[row]))
            errors.append(error.max())
    return {**made, "error": float(np.max(errors))}  # NaN where there is one


def main(words: list[str]) -> int:
    """The whole; the exit status."""
    name, folder, program = words[0], *map(Path, words[1:])
    module = importlib.import_module(name)
    with tempfile.TemporaryDirectory() as work:
        began = time.perf_counter()
        path = module.convert(folder, Program(program, Path(work)))
        seconds = time.perf_counter() - began
        result = compare(module.Package(folder), cuseq.load(path))
    print(json.dumps({"converted_s": round(seconds, 2), **result}, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
