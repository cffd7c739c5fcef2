"""A beam search of one's own, step by step: only what a rule allows is written.

    python examples/beam/constrained_beam.py models/dates_feedback.safetensors "3 May 79" --from 2000-01-01 --to 2030-12-31

The model writes the date of a text, and may write any ten characters. Here it writes days of the calendar that lie between
two: at each step the hypotheses go on with characters alone that such a day can have there.

The encoder runs once. A hypothesis is a lane of a decoding: `rows` says that all of them attend to the one encoded row, the
arrays initial_... and previous what each goes on from."""

import argparse
import datetime
from collections.abc import Callable, Collection

import numpy as np

import cuseq

Allowed = Callable[[str], Collection[str]]


def constrained_beam(model: cuseq.Model, text: str, allowed: Allowed, beams: int = 4) -> list[tuple[str, float]]:
    """The best texts that the rule allows, with their log-probabilities, the best first.

    allowed  gives the symbols that may follow what is written; none: the hypothesis cannot go on, and is dropped"""
    info, carried = model.info(), model.carried
    symbols = [model.output_symbol(token) for token in range(info["outputs"])]
    session = model.session(max_beams=beams)
    ids, lengths = model.encode_texts([text])
    session.encode(ids, lengths, ())
    wanted = ("outputs", *(f"final_{name}" for name in carried))
    written, sums, given = [""], np.zeros(1), {}
    for _ in range(info["steps"]):
        step = session.decode(1, wanted, rows=np.zeros(len(written), np.int32), **given)
        with np.errstate(divide="ignore"):
            totals = sums[:, None] + np.log(step["outputs"][:, 0].astype(np.float64))
        for lane, so_far in enumerate(written):
            may = allowed(so_far)
            totals[lane, [token for token, symbol in enumerate(symbols) if symbol not in may]] = -np.inf
        best = np.argsort(-totals, axis=None, kind="stable")[:beams]
        best = best[np.isfinite(totals.ravel()[best])]
        lanes, tokens = np.divmod(best, len(symbols))
        written = [written[lane] + symbols[token] for lane, token in zip(lanes, tokens, strict=True)]
        sums = totals.ravel()[best]
        if not written:
            break
        given = {f"initial_{name}": step[f"final_{name}"][lanes] for name in carried}
        given["previous"] = tokens.astype(np.int32)
    return list(zip(written, sums.tolist(), strict=True))


def days_between(first: datetime.date, last: datetime.date) -> Allowed:
    """The rule: days of the calendar, as 2024-02-29."""
    days = [first + datetime.timedelta(n) for n in range((last - first).days + 1)]
    follow: dict[str, set[str]] = {}
    for day in map(str, days):
        for end in range(len(day)):
            follow.setdefault(day[:end], set()).add(day[end])
    return lambda so_far: follow.get(so_far, set())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("text", nargs="+")
    parser.add_argument("--from", dest="first", type=datetime.date.fromisoformat, default=datetime.date(1900, 1, 1))
    parser.add_argument("--to", dest="last", type=datetime.date.fromisoformat, default=datetime.date(2099, 12, 31))
    given = parser.parse_args()
    model, allowed = cuseq.load(given.model), days_between(given.first, given.last)
    for text in given.text:
        print(text)
        for day, log_probability in constrained_beam(model, text, allowed):
            print(f"  {day}  {log_probability:8.3f}")


if __name__ == "__main__":
    main()
