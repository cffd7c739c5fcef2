"""Texts in, texts out."""

import math

import pytest
from conftest import GOLDEN, ROOT

import cuseq

TEXTS = ["3 May 1979", "sat 21 Jan, 2012", "7/26/70"]
DATES = ["1979-05-03", "2012-01-21", "1970-07-26"]


@pytest.fixture(scope="module")
def pairs():
    lines = (GOLDEN / "dates.tsv").read_text(encoding="utf-8").splitlines()
    return [tuple(line.split("\t")[:2]) for line in lines]


def test_texts_are_translated(dates):
    found = dates.translate(TEXTS)
    assert found == DATES and found.sources == TEXTS
    assert [alphas.shape for alphas in found.alphas] == [(10, 10), (10, 15), (10, 7)]
    assert dates.translate("3 May 1979") == ["1979-05-03"]
    assert dates.translate([]) == []
    assert dates.translate(TEXTS * 50, batch=7) == DATES * 50


def test_bad_texts_are_named(dates):
    with pytest.raises(cuseq.ArgumentError, match="too long"):
        dates.translate(["x" * 31])
    assert len(dates.translate(["3 May 1979" + " " * 30], truncate=True)) == 1
    with pytest.raises(ValueError, match="text 1: a character U.0000"):
        dates.translate(["a", "b\0c"])
    with pytest.raises(TypeError):
        dates.translate([5])


def test_beams_need_feedback(dates):
    with pytest.raises(cuseq.ArgumentError, match="feeds no tokens back"):
        dates.translate(TEXTS, beam=3)
    with pytest.raises(ValueError, match="length_penalty: unknown"):
        dates.translate(TEXTS, length_penalty="long")


def test_pairs_are_scored(dates):
    right, wrong = dates.score(["3 May 1979"] * 2, ["1979-05-03", "1979-05-04"])
    assert right.tokens == 10 and right.log_probability > -0.01 and math.isclose(right.perplexity, 1, abs_tol=1e-3)
    assert wrong.log_probability < -1 and wrong.perplexity > 1.1
    with pytest.raises(ValueError, match="as many as texts"):
        dates.score(["a"], [])
    assert dates.score([], []) == []


def test_pairs_are_counted(dates, pairs):
    found = dates.evaluate(pairs)
    assert found.pairs == len(pairs) and found.right == len(pairs) and found.accuracy == 1
    missed = dates.evaluate([("3 May 1979", "1979-05-04")], progress=True)
    assert missed.right == 0 and missed.wrong == [("3 May 1979", "1979-05-04", "1979-05-03")]


def test_attention_is_drawn(dates):
    pytest.importorskip("matplotlib")
    found = dates.translate(TEXTS)
    assert found._repr_png_().startswith(b"\x89PNG")
    labels = [label.get_text() for label in found.plot(1).axes[0].get_xticklabels()]
    assert labels == list("sat 21 jan 2012")
    ids, lengths = dates.encode_texts(TEXTS)
    assert dates(ids, lengths).plot(2).axes


def test_files_of_other_kinds_are_converted():
    model = cuseq.load(ROOT / "examples" / "dates" / "dates.keras", vocabulary=ROOT / "examples/dates/vocabulary.json")
    assert model.translate(TEXTS) == DATES


def test_files_that_are_no_models_are_named(tmp_path):
    for name, data in (("empty", b""), ("text", b"not a model at all"), ("zip", b"PK\x03\x04" + b"\0" * 40)):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(cuseq.Error, match=name):
            cuseq.load(tmp_path / name)
    with pytest.raises(cuseq.ReadError, match="a folder"):
        cuseq.load(tmp_path)
    with pytest.raises(OSError, match="missing"):
        cuseq.load(tmp_path / "missing.safetensors")
    with pytest.raises(cuseq.FileError):
        cuseq.load(b"123456789")
    with pytest.raises(TypeError):
        cuseq.load(5)
