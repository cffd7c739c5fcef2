"""What is wrong is refused in one line that names it, and the server lives."""

import json

import numpy
import pytest
import server as triton
from conftest import DATES

BASE = 'backend: "cuseq"\nmax_batch_size: 4\n'


def parameter(name, value):
    return BASE + f'parameters {{ key: "{name}" value {{ string_value: "{value}" }} }}\n'


REPOSITORIES = {
    "a_name_that_is_none": (
        BASE + 'input { name: "TEXTS" data_type: TYPE_STRING dims: 1 }',
        "input TEXTS: the model has no such input",
    ),
    "a_wrong_type": (BASE + 'input { name: "TEXT" data_type: TYPE_INT32 dims: 1 }', "input TEXT: data_type"),
    "wrong_dims": (BASE + 'input { name: "INPUT" data_type: TYPE_FP32 dims: [ -1, 36 ] }', "needed [T,37]"),
    "an_output_that_is_none": (
        BASE + 'output { name: "LOGITS" data_type: TYPE_FP32 dims: -1 }',
        "output LOGITS: the model has no such output",
    ),
    "a_batch_that_does_not_fit": (
        'backend: "cuseq"\nmax_batch_size: 65536\n' + parameter("max_time", 1048576).removeprefix(BASE),
        "memory",
    ),
    "an_unknown_parameter": (parameter("thread", 1), "parameters.thread: there is no such parameter"),
    "a_wrong_parameter": (parameter("threads", "many"), "parameters.threads"),
    "a_device_that_is_not_there": (
        parameter("device", "cuda:7") + "instance_group { kind: KIND_MODEL }",
        "cuda:7",
    ),
    "a_device_that_contradicts": (parameter("device", "cuda:0"), "contradicts the instance group"),
}


def in_the_log(log, name, part):
    lines = [line for line in log.read_text(errors="replace").splitlines() if name in line and part in line]
    return [line for line in lines if line.startswith("E")]


@pytest.mark.parametrize("name", REPOSITORIES)
def test_a_repository_with(name, server, repository, log):
    config, part = REPOSITORIES[name]
    triton.write_entry(repository, name, DATES, config)
    status, answer = server.load(name)
    assert status == 400
    assert in_the_log(log, name, part), answer
    assert server.texts("dates", ["3 May 1979"])[1]["TEXT"][1] == ["1979-05-03"]


def test_a_file_that_is_missing_or_no_model(server, repository, log):
    triton.write_entry(repository, "no_file", DATES)
    (repository / "no_file" / "1" / "model.safetensors").unlink()
    assert server.load("no_file")[0] == 400
    assert in_the_log(log, "no_file", "model.safetensors")
    triton.write_entry(repository, "no_model", DATES)
    (repository / "no_model" / "1" / "model.safetensors").write_bytes(b"x" * 100)
    assert server.load("no_model")[0] == 400
    assert in_the_log(log, "no_model", "model.safetensors")


ONE = ["3 May 1979"]
IDS = numpy.arange(5, dtype=numpy.int32)

TEXTS = {
    "an_empty_text": ([""], {}, "TEXT[0]: is empty"),
    "a_text_that_is_too_long": (["3 May", "x" * 31], {}, "TEXT[1]: too long"),
    "a_megabyte": (["x" * (1 << 20)], {}, "too long"),
    "an_unknown_parameter": (ONE, {"beams": 3}, "parameter beams: there is no such"),
    "a_parameter_of_another_type": (ONE, {"truncate": "perhaps"}, "truncate"),
    "n_best_without_beam": (ONE, {"n_best": 3}, "n_best: goes with beam"),
    "too_many_steps": (ONE, {"steps": 99}, "99"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_request_with(name, server):
    texts, parameters, part = TEXTS[name]
    status, error = server.texts("dates", texts, ("TEXT",), parameters)
    assert status == 400 and part in error and "\n" not in error


ARRAYS = {
    "ids_out_of_range": ({"INPUT": ("INT32", [1, 3], [1, 37, 2])}, "id [0,1] is out of range (found 37"),
    "lengths_out_of_range": (
        {"INPUT": ("INT32", [1, 3], [1, 2, 3]), "LENGTHS": ("INT32", [1, 1], [4])},
        "found 4",
    ),
    "too_long": ({"INPUT": ("INT32", [1, 31], [1] * 31)}, "found 31"),
    "another_type": ({"INPUT": ("INT64", [1, 3], [1, 2, 3])}, "INPUT"),
    "other_dims": ({"INPUT": ("INT32", [1, 3, 1], [1, 2, 3])}, "INPUT"),
    "another_name": ({"IDS": ("INT32", [1, 3], [1, 2, 3])}, "IDS"),
    "other_rows": (
        {"INPUT": ("INT32", [1, 3], [1, 2, 3]), "LENGTHS": ("INT32", [2, 1], [3, 3])},
        "",
    ),
    "nothing_to_encode": ({"LENGTHS": ("INT32", [1, 1], [3])}, "one of TEXT and INPUT is needed"),
    "lengths_of_texts": (
        {"TEXT": ("BYTES", [1, 1], ONE), "LENGTHS": ("INT32", [1, 1], [3])},
        "LENGTHS: goes with INPUT",
    ),
    "both_texts_and_ids": (
        {"TEXT": ("BYTES", [1, 1], ONE), "INPUT": ("INT32", [1, 3], [1, 2, 3])},
        "found both",
    ),
    "a_target_out_of_range": (
        {"TEXT": ("BYTES", [1, 1], ONE), "TARGETS": ("INT32", [1, 2], [1, 11])},
        "found 11",
    ),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_with(name, server):
    inputs, part = ARRAYS[name]
    status, error = server.infer("dates", inputs, ("TOKENS",))
    assert status == 400 and part in error and "\n" not in error, (status, error)


def test_text_that_is_not_utf_8(server):
    data = triton.pack([b"\xff\xfe"])
    entry = {"name": "TEXT", "shape": [1, 1], "datatype": "BYTES", "parameters": {"binary_data_size": len(data)}}
    head = json.dumps({"inputs": [entry], "outputs": [{"name": "TEXT"}]}).encode()
    headers = {"Inference-Header-Content-Length": str(len(head))}
    status, body = server.exchange("POST", "/v2/models/dates/infer", head + data, headers)
    assert status == 400 and b"UTF-8" in body


def test_an_output_that_is_not_there_or_not_with_a_search(server):
    assert server.texts("dates", ONE, ("LOGITS",))[0] == 400
    status, error = server.texts("feedback", ONE, ("TOKENS",), {"beam": 2})
    assert status == 400 and "TOKENS: a beam search does not give it" in error
    status, error = server.texts("feedback", ONE, ("BEAM_TOKENS",))
    assert status == 400 and "BEAM_TOKENS: goes with beam" in error


def test_a_text_that_is_too_long_is_cut_where_that_is_asked(server):
    status, answer = server.texts("dates", ["3 May 1979" + " " * 40], ("TEXT",), {"truncate": True})
    assert (status, answer["TEXT"][1]) == (200, ["1979-05-03"])
