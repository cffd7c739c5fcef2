"""The examples of step-wise calls."""

import datetime
import itertools
import subprocess
import sys

import numpy as np
import pytest
from conftest import GOLDEN, ROOT

import cuseq

sys.path.append(str(ROOT / "examples" / "beam"))
from constrained_beam import constrained_beam, days_between

ANY = "-0123456789"
MODEL = ROOT / "models" / "dates_feedback.safetensors"


@pytest.fixture(scope="module")
def model():
    return cuseq.load(MODEL)


@pytest.mark.parametrize("text", ["3 May 1979", "sat 21 jan 2012", "7/26/70", "12 13 14", "nothing"])
def test_a_beam_that_may_write_anything_is_the_librarys(model, text):
    found = constrained_beam(model, text, lambda so_far: ANY, beams=5)
    for (written, total), want in zip(found, model.translate([text], beam=5, n_best=5)[0], strict=True):
        assert written == want.text and abs(total - want.log_probability) < 1e-3


@pytest.mark.parametrize("text", ["3 May 1979", "30 feb 2004", "12 13 14"])
def test_a_beam_writes_the_best_of_what_is_allowed(model, text):
    """A beam that is wide enough finds what scoring every day finds."""
    first, last = datetime.date(2003, 11, 28), datetime.date(2004, 3, 3)
    days = [str(first + datetime.timedelta(n)) for n in range((last - first).days + 1)]
    found = constrained_beam(model, text, days_between(first, last), beams=64)
    assert {day for day, _ in found} <= set(days) and len(found) == 64
    scores = [score.log_probability for score in model.score([text] * len(days), days)]
    best = sorted(zip(scores, days, strict=True), reverse=True)
    for (score, day), (found_day, total) in zip(best[:3], found, strict=False):
        assert day == found_day and abs(score - total) < 1e-3


def test_a_rule_that_allows_nothing_gives_nothing(model):
    assert constrained_beam(model, "3 May 1979", lambda so_far: "" if so_far else "1") == []


def test_the_example_runs():
    command = [sys.executable, ROOT / "examples/beam/constrained_beam.py", MODEL, "3 May 79", "--from", "2000-01-01"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    lines = ran.stdout.splitlines()
    assert lines[0] == "3 May 79" and len(lines) == 5
    days = [datetime.date.fromisoformat(line.split()[0]) for line in lines[1:]]
    assert all(day.year >= 2000 for day in days)


def finals(model, names):
    """Final states of one step by these names; with the tokens and numbers that the model must be given."""
    decoder, token = model.config["decoder"], np.zeros((1, 1), np.int32)
    feedback = decoder.get("feedback", "none")
    options = {"targets": token} if feedback == "given" else {}
    options |= {"given": np.zeros((1, 1, decoder["given"]), np.float32)} if "given" in decoder else {}
    options |= {} if feedback == "none" else {"initial": {"previous": token[0]}}
    return model(np.zeros((1, 3), np.int32), steps=1, arrays=[f"final_{name}" for name in names], **options)


def test_what_a_decoder_carries_is_what_the_library_gives():
    """Of every kind of model: final states by these names, and no others."""
    seen = set()
    for path in itertools.chain((GOLDEN / "models").glob("*.safetensors"), (GOLDEN / "search").glob("*.safetensors")):
        model = cuseq.load(path)
        seen.add(model.carried)
        if not model.info()["has_decoder"]:
            assert model.carried == ()
            continue
        assert len(finals(model, model.carried)) == len(model.carried)
        for other in {"h", "c", "fed"} - set(model.carried):
            with pytest.raises(ValueError, match=f"final_{other}"):
                finals(model, [other])
    assert seen == {(), ("h",), ("h", "c"), ("h", "fed"), ("h", "c", "fed")}
