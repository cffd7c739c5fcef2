"""The server under load: every request is answered, and answered right, whatever else goes on."""

import json
import re
import shutil
import socket
import subprocess
import time

import numpy
import pytest
import server as triton
from conftest import DATES, FEEDBACK, NUMBERS, ROOT
from prepared import Prepared, computed, load, load_command, translated

TEXTS = [line.split("\t")[0] for line in (ROOT / "tests" / "golden" / "dates.tsv").read_text().splitlines()]


def of_texts(build, model=DATES):
    prepared = Prepared()
    for text, wanted in zip(TEXTS, translated(build, model, TEXTS), strict=True):
        prepared.add({"TEXT": [text]}, "TEXT", 200, triton.pack([wanted]))
    return prepared


def of_ids(build, folder, with_texts=False):
    """Ids of many lengths, and what is refused: two of 35. With texts one of seven is a text."""
    generator = numpy.random.default_rng(5)
    count = 350
    ids = generator.integers(0, 37, (count, 30), dtype=numpy.int32)
    lengths = generator.integers(1, 31, count).astype(numpy.int32)
    outputs = computed(build, DATES, ids, lengths, folder)["outputs"]
    answers = translated(build, DATES, TEXTS)
    prepared = Prepared()
    for i in range(count):
        row = ids[i : i + 1, : lengths[i]]
        if i % 35 == 3:
            prepared.add({"INPUT": numpy.ones((1, 31), numpy.int32)}, "OUTPUTS", 400, b"found 31")
        elif i % 35 == 5:
            wrong = row.copy()
            wrong[0, -1] = 37
            place = b"id [0,%d] is out of range (found 37" % (lengths[i] - 1)
            prepared.add({"INPUT": wrong}, "OUTPUTS", 400, place)
        elif with_texts and i % 7 == 6:
            text = i % len(TEXTS)
            prepared.add({"TEXT": [TEXTS[text]]}, "TEXT", 200, triton.pack([answers[text]]))
        else:
            prepared.add({"INPUT": row}, "OUTPUTS", 200, outputs[i].tobytes())
    return prepared


def executions(server, model):
    statistics = server.statistics(model)
    return statistics["inference_count"], statistics["execution_count"]


# Batches form where requests wait for one another, however fast this machine is.
WAITING = 'backend: "cuseq"\nmax_batch_size: 64\ndynamic_batching { max_queue_delay_microseconds: 2000 }\n'


def test_64_clients_with_mixed_lengths_and_bad_requests_get_every_answer_right(build, server, repository, tmp_path):
    triton.write_entry(repository, "waiting", DATES, WAITING)
    assert server.load("waiting")[0] == 200
    path = of_ids(build, tmp_path).write(tmp_path / "requests")
    result, shown = load(build, server.port, "waiting", path, 64, 10000)
    assert (result["right"], result["wrong"], result["lost"]) == (10000, 0, 0), shown
    answered, calls = executions(server, "waiting")
    assert 9420 < answered < 9440, "two of 35 are refused"
    assert answered > 2 * calls, f"batches should have formed ({answered} rows in {calls} calls)"
    sizes = [int(each["batch_size"]) for each in server.statistics("waiting")["batch_stats"]]
    assert max(sizes) > 8


def test_texts_and_ids_at_the_same_time_get_every_answer_right(build, server, tmp_path):
    path = of_ids(build, tmp_path, with_texts=True).write(tmp_path / "requests")
    result, shown = load(build, server.port, "dates", path, 64, 5000)
    assert (result["right"], result["wrong"], result["lost"]) == (5000, 0, 0), shown


def test_features_of_many_lengths_with_some_that_are_not_numbers(build, server, tmp_path):
    features = json.loads(server.get("/v2/models/numbers/config")[1])["input"][0]["dims"][1]
    generator = numpy.random.default_rng(7)
    rows = generator.uniform(-1, 1, (120, 20, int(features))).astype(numpy.float32)
    lengths = generator.integers(1, 21, len(rows)).astype(numpy.int32)
    outputs = computed(build, NUMBERS, rows, lengths, tmp_path)["outputs"]
    prepared = Prepared()
    for i, length in enumerate(lengths):
        row = rows[i : i + 1, :length].copy()
        if i % 20 == 9:
            row[0, -1, 1] = (numpy.nan, numpy.inf)[i % 2]
            place = b"[0,%d,1] is not finite" % (length - 1)
            prepared.add({"INPUT": row}, "OUTPUTS", 400, place)
        else:
            prepared.add({"INPUT": row}, "OUTPUTS", 200, outputs[i].tobytes())
    path = prepared.write(tmp_path / "requests")
    result, shown = load(build, server.port, "numbers", path, 64, 5000)
    assert (result["right"], result["wrong"], result["lost"]) == (5000, 0, 0), shown


def test_two_instances_work_at_the_same_time(build, server, repository, tmp_path):
    config = 'backend: "cuseq"\nparameters { key: "threads" value { string_value: "1" } }\n'
    triton.write_entry(repository, "two", DATES, config + "instance_group { kind: KIND_CPU count: 2 }\n")
    assert server.load("two")[0] == 200
    path = of_texts(build).write(tmp_path / "requests")
    result, shown = load(build, server.port, "two", path, 64, 5000)
    assert (result["right"], result["lost"]) == (5000, 0), shown


def test_a_model_is_reloaded_under_load_without_a_lost_request(build, server, repository, tmp_path):
    triton.write_entry(repository, "reloaded", DATES)
    assert server.load("reloaded")[0] == 200
    path = of_texts(build).write(tmp_path / "requests")
    command = load_command(build, server.port, "reloaded", path, 32, 30000)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as loading:
        reloads = 0
        while loading.poll() is None:
            shutil.rmtree(repository / "reloaded" / str(1 + reloads % 2))
            triton.write_entry(repository, "reloaded", DATES, version=1 + (reloads + 1) % 2)
            assert server.load("reloaded")[0] == 200
            reloads += 1
        output, shown = loading.communicate()
    result = json.loads(output)
    assert (result["right"], result["lost"]) == (30000, 0), shown
    assert reloads >= 3
    server.unload("reloaded")


def test_a_model_is_exchanged_for_another_and_unloaded(server, repository):
    triton.write_entry(repository, "exchanged", DATES)
    assert server.load("exchanged")[0] == 200
    assert server.texts("exchanged", TEXTS[:1])[0] == 200
    config = 'backend: "cuseq"\nmax_batch_size: 4\ninput { name: "TEXT" data_type: TYPE_STRING dims: 1 }\n'
    triton.write_entry(repository, "exchanged", FEEDBACK, config)
    assert server.load("exchanged")[0] == 200
    status, answer = server.texts("exchanged", TEXTS[:1], ("TEXT",), {"beam": 2, "n_best": 2})
    assert (status, answer["TEXT"][0]) == (200, [1, 2])
    assert server.unload("exchanged")[0] == 200
    for _ in range(200):
        if server.get("/v2/models/exchanged/ready")[0] != 200:
            break
        time.sleep(0.02)
    assert server.texts("exchanged", TEXTS[:1])[0] in (400, 404)


def test_clients_that_die_in_the_middle_leave_the_others_alone(build, server, tmp_path):
    prepared = of_texts(build)
    path = prepared.write(tmp_path / "requests")
    head, _, rest = prepared.records[0].partition(b"\n")
    _, header, body, _ = map(int, head.split())
    request = (
        f"POST /v2/models/dates/infer HTTP/1.1\r\nHost: x\r\nInference-Header-Content-Length: {header}\r\n"
        f"Content-Length: {body}\r\n\r\n"
    ).encode() + rest[:body]
    command = load_command(build, server.port, "dates", path, 16, 5000)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as loading:
        for i in range(300):
            with socket.create_connection(("127.0.0.1", server.port)) as client:
                client.sendall(request[: len(request) - (i % 3) * 20])
        output, shown = loading.communicate()
    assert json.loads(output)["right"] == 5000, shown
    assert server.texts("dates", ["3 May 1979"])[1]["TEXT"][1] == ["1979-05-03"]


def metric(server, name, model):
    """Of a model, over all reasons."""
    found = re.findall(rf'^{name}{{[^}}]*model="{model}"[^}}]*}} (\d+)', server.metrics(), re.MULTILINE)
    return sum(map(int, found))


def test_metrics_count_requests_failures_and_executions(server):
    names = ("nv_inference_request_success", "nv_inference_request_failure", "nv_inference_exec_count")
    before = [metric(server, name, "feedback") for name in names]
    for _ in range(5):
        server.texts("feedback", TEXTS[:3])
    server.texts("feedback", [""])
    for _ in range(200):  # an answer is sent before it is counted
        counted = [metric(server, name, "feedback") - value for name, value in zip(names, before, strict=True)]
        if counted == [5, 1, 5]:
            break
        time.sleep(0.02)
    assert counted == [5, 1, 5]


@pytest.mark.long
def test_memory_does_not_grow_over_a_hundred_thousand_requests(build, server, tmp_path):
    path = of_ids(build, tmp_path, with_texts=True).write(tmp_path / "requests")
    load(build, server.port, "dates", path, 64, 20000)
    before = server.memory()
    result, shown = load(build, server.port, "dates", path, 64, 100000)
    assert (result["right"], result["lost"]) == (100000, 0), shown
    assert server.memory() - before < 4 << 20


@pytest.mark.long
def test_memory_does_not_grow_over_reloads(build, server, repository):
    triton.write_entry(repository, "again", DATES)

    def reload(count):
        for i in range(count):
            shutil.rmtree(repository / "again" / str(1 + i % 2), ignore_errors=True)
            triton.write_entry(repository, "again", DATES, version=1 + (i + 1) % 2)
            assert server.load("again")[0] == 200
            assert server.texts("again", TEXTS[:8])[0] == 200

    reload(20)
    before = server.memory()
    reload(60)
    assert server.memory() - before < 8 << 20
    server.unload("again")
