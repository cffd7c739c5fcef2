"""test_descriptions.py PROGRAM [--count N] [--seed S] [--keep FOLDER] [--case N]: random PyTorch
checkpoints and their descriptions, right ones and mutated ones; what `cuseq convert --pytorch` makes of
each is the author's numbers, or a refusal. Needs nothing but Python."""

import argparse
import json
import random
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from arrays import read_npz, write_npy, write_safetensors
from author import Author
from describe import configuration, names
from mutate import Broken, mutate, wrap
from program import Fault, call, refusal

TOLERANCE = 2e-6
SUBJECTS = ("configuration: ", "names: ", "module '", "tensor ")  # what a refusal is about
TIME, BATCH = 5, 2


class Wrong(Exception):
    """Other numbers than the author's."""


class Case:
    """A model, its description, an input."""

    def __init__(self, seed: int, number: int):
        self.rng = random.Random(f"{seed} {number}")
        while True:
            self.model = Author(self.rng)
            self.lengths = self.rng.choice([None, [TIME, TIME - 2]])
            self.input = [[self.position() for _ in range(TIME)] for _ in range(BATCH)]
            self.wanted = [self.model.forward(self.input[row][: self.length(row)]) for row in range(BATCH)]
            if not self.is_close():
                break
        self.broken = Broken(self.model, configuration(self.model), names(self.model))
        mutate(self.broken, self.rng.choice([0, 0, 1, 1, 1, 2]))
        wrap(self.broken, self.rng.choice([""] * 6 + ["module.", "model.net."]))

    def length(self, row: int) -> int:
        """Of one row."""
        return self.lengths[row] if self.lengths else TIME

    def position(self):
        """A token, or numbers that float32 has."""
        if self.model.vocabulary:
            return self.rng.randrange(self.model.vocabulary)
        return [self.rng.randint(-64, 64) / 64 for _ in range(self.model.features)]

    def is_close(self) -> bool:
        """Whether a step's two best outputs are so alike that rounding tells the token."""
        for found in self.wanted:
            for output in found.get("outputs", []):
                best, second = sorted(output)[-1:-3:-1]
                if best - second < 1e-4:
                    return True
        return False

    def write(self, folder: Path) -> None:
        """checkpoint.safetensors, config.json, input.npy, lengths.npy."""
        write_safetensors(folder / "checkpoint.safetensors", self.broken.tensors)
        described = {**self.broken.config, "names": self.broken.names}
        (folder / "config.json").write_text(json.dumps(described, indent=1) + "\n")
        if self.model.vocabulary:
            write_npy(folder / "input.npy", (BATCH, TIME), sum(self.input, []), "i")
        else:
            numbers = [number for row in self.input for x in row for number in x]
            write_npy(folder / "input.npy", (BATCH, TIME, self.model.features), numbers, "f")
        if self.lengths:
            write_npy(folder / "lengths.npy", (BATCH,), self.lengths, "i")


def flat(value) -> list[float]:
    """All numbers of nested lists, in order."""
    return [number for part in value for number in flat(part)] if isinstance(value, list) else [float(value)]


def compare(case: Case, got: dict) -> None:
    """Every array that the author's forward pass has, row by row, up to the row's end and its end token."""
    for row, found in enumerate(case.wanted):
        for name, value in found.items():
            if name not in got:
                raise Wrong(f"there is no {name}")
            want = flat(value)
            size = len(got[name].numbers) // BATCH
            have = got[name].numbers[row * size : (row + 1) * size]
            if name == "alphas":
                width = got[name].shape[-1]
                have = [have[i] for i in range(size) if i % width < case.length(row)]
            if size < len(want) or (case.model.end is None and name == "outputs" and size != len(want)):
                raise Wrong(f"{name}: {size} numbers a row (needed {len(want)})")
            for a, b in zip(have, want):
                if not abs(a - b) <= TOLERANCE * max(1.0, abs(b)):
                    raise Wrong(f"{name}: {a:.8g} (needed {b:.8g})")


def convert_and_compare(case: Case, program: Path, folder: Path) -> tuple[str, str]:
    """The verdict, and its reason."""
    checkpoint, out = folder / "checkpoint.safetensors", folder / "model.safetensors"
    status, lines = call(program, "convert", checkpoint, out, "--pytorch", folder / "config.json")
    if status == 2:
        if out.exists():
            raise Fault("a model in spite of a refusal")
        reason = refusal(lines, checkpoint).removeprefix(f"{folder / 'config.json'}: ")
        if not reason.startswith(SUBJECTS):
            raise Fault(f"a refusal that does not say what of: {reason}")
        if not case.broken.done:
            raise Wrong(f"a right description is refused: {reason}")
        return "refused", reason
    if case.broken.must_refuse:
        raise Wrong(f"converted in spite of this: {case.broken.must_refuse}")
    words = ["run", out, folder / "input.npy", "-o", folder / "out.npz", "--device", "reference"]
    words += ["--lengths", folder / "lengths.npy"] if case.lengths else []
    status, lines = call(program, *words)
    if status != 0:
        raise Wrong(f"converted, but run says: {' | '.join(lines)}")
    compare(case, read_npz(folder / "out.npz"))
    return "equal", ""


def try_case(case: Case, program: Path, folder: Path) -> tuple[str, str]:
    """The same, with failures among the verdicts."""
    try:
        return convert_and_compare(case, program, folder)
    except Wrong as wrong:
        return "WRONG", str(wrong)
    except Fault as fault:
        return "FAULT", str(fault)


def arguments(words: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="test_descriptions.py", description=__doc__)
    parser.add_argument("program", type=Path)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--case", type=int)
    return parser.parse_args(words)


def main(words: list[str]) -> int:
    """All cases; 1 where one went wrong."""
    given = arguments(words)
    counts, failed = Counter(), 0
    for number in range(given.count) if given.case is None else [given.case]:
        case = Case(given.seed, number)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            case.write(folder)
            verdict, reason = try_case(case, given.program.resolve(), folder)
            counts[verdict] += 1
            for done in case.broken.done or ["(nothing)"]:
                counts[f"  {done}, {verdict}"] += 1
            if verdict in ("WRONG", "FAULT"):
                failed += 1
                print(
                    f"{verdict} --seed {given.seed} --case {number}: {reason} [{', '.join(case.broken.done)}]"
                )
                if given.keep:
                    shutil.copytree(folder, given.keep / f"d_{given.seed}_{number}", dirs_exist_ok=True)
    print(f"seed {given.seed}, {given.count} descriptions:")
    for name, count in sorted(counts.items(), key=lambda pair: (pair[0].startswith("  "), pair[0])):
        print(f"{count:6} {name}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
