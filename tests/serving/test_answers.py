"""Answers of the real server are those of the command line."""

import json

import numpy
from conftest import DATES, FEEDBACK, ROOT
from prepared import computed, translated

TEXTS = [line.split("\t")[0] for line in (ROOT / "tests" / "golden" / "dates.tsv").read_text().splitlines()]


def data_of(answer, name):
    shape, data = answer[name]
    return numpy.array(data, dtype=numpy.float32 if name not in ("TOKENS", "BEAM_TOKENS") else None).reshape(shape)


def test_texts_are_those_of_translate(build, server):
    for name, model in (("dates", DATES), ("feedback", FEEDBACK), ("plain.cuseq", DATES)):
        wanted = translated(build, model, TEXTS)
        got = []
        for first in range(0, len(TEXTS), 32):
            status, answer = server.texts(name, TEXTS[first : first + 32])
            assert status == 200, answer
            got += answer["TEXT"][1]
        assert got == wanted


def test_scores_are_those_of_translate(build, server):
    wanted = [line.split("\t") for line in translated(build, DATES, TEXTS[:32], "--scores")]
    status, answer = server.texts("dates", TEXTS[:32], ("TEXT", "SCORES"))
    assert status == 200, answer
    for (text, score), got_text, got in zip(wanted, answer["TEXT"][1], answer["SCORES"][1], strict=True):
        assert got_text == text
        assert abs(got - float(score)) <= 1e-4 * max(1, abs(float(score)))


def test_a_search_finds_what_translate_finds(build, server):
    options = ["--beam", "4", "--n-best", "3", "--length-penalty", "gnmt", "--alpha", "0.6"]
    wanted = translated(build, FEEDBACK, TEXTS[:20], *options)
    parameters = {"beam": 4, "n_best": 3, "length_penalty": "gnmt", "alpha": 0.6}
    status, answer = server.texts("feedback", TEXTS[:20], ("TEXT",), parameters)
    assert status == 200, answer
    assert answer["TEXT"] == ([20, 3], wanted)


def test_arrays_are_those_of_run(build, server, tmp_path):
    generator = numpy.random.default_rng(3)
    ids = generator.integers(0, 37, (5, 23), dtype=numpy.int32)
    lengths = numpy.array([23, 1, 9, 22, 17], dtype=numpy.int32)
    wanted = computed(build, DATES, ids, lengths, tmp_path)
    inputs = {"INPUT": ("INT32", ids.shape, ids.ravel().tolist()), "LENGTHS": ("INT32", [5, 1], lengths.tolist())}
    status, answer = server.infer("dates", inputs)
    assert status == 200, answer
    for name in ("annotations", "h_fw", "c_fw", "h_bw", "c_bw", "context", "alphas", "states", "outputs", "tokens"):
        numpy.testing.assert_array_equal(data_of(answer, name.upper()), wanted[name], err_msg=name)


def test_only_what_is_asked_for_comes(server):
    status, answer = server.texts("dates", ["3 May 1979"], ("SCORES",))
    assert (status, list(answer)) == (200, ["SCORES"])


def test_one_request_has_a_beam_and_steps_of_its_own(server):
    for parameters, shape in (({"beam": 5, "n_best": 2}, [1, 2]), ({}, [1, 1]), ({"steps": 4}, [1, 1])):
        status, answer = server.texts("feedback", ["3 May 1979"], ("TEXT",), parameters)
        assert (status, answer["TEXT"][0]) == (200, shape)
        assert answer["TEXT"][1][0] == ("1979" if "steps" in parameters else "1979-05-03")


def test_what_is_said_of_a_model_is_filled_in(server):
    config = json.loads(server.get("/v2/models/plain.cuseq/config")[1])
    assert config["backend"] == "cuseq"
    assert config["max_batch_size"] == 64
    assert "dynamic_batching" in config
    inputs = {each["name"]: each for each in config["input"]}
    assert list(inputs) == ["TEXT", "INPUT", "LENGTHS", "TARGETS", "TARGET_LENGTHS"]
    assert all(each["optional"] for each in inputs.values())
    assert inputs["INPUT"]["allow_ragged_batch"]
    assert {each["name"] for each in config["output"]} >= {"TEXT", "SCORES", "TOKENS", "ALPHAS", "ANNOTATIONS"}
