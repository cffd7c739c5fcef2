"""Sessions of fixed limits, for loops of one's own."""

import numpy as np
import pytest
from conftest import GOLDEN

import cuseq


def test_steps_one_by_one_give_what_one_call_gives(searched):
    x = np.load(GOLDEN / "search" / "luong.npz")["input"]
    config = searched.info()
    session = searched.session(max_batch=len(x), max_time=x.shape[1])
    want = session.run(x, None, config["steps"], ("tokens", "alphas", "outputs"))
    session.encode(x, None, ())
    states, tokens = {}, []
    for _ in range(config["steps"]):
        step = session.decode(1, ("tokens", "final_h", "final_c", "final_fed"), **states)
        tokens.append(step["tokens"][:, 0])
        states = {f"initial_{name}": step[f"final_{name}"] for name in ("h", "c", "fed")}
        states["previous"] = step["tokens"].ravel()
    ended = np.zeros(len(x), bool)
    for y, column in enumerate(tokens):
        assert (column == want["tokens"][:, y])[~ended].all()
        ended |= column == config["end_token"]


def test_rows_name_the_encoded_row_of_each_lane():
    model = cuseq.load(GOLDEN / "models" / "structure_rows.safetensors")
    vector = np.load(GOLDEN / "models" / "structure_rows.npz")
    x, rows = vector["input"], vector["rows"]
    session = model.session(max_batch=len(x), max_time=x.shape[1], max_beams=4)
    session.encode(x, vector.get("lengths"), ())
    given = {name: vector[name] for name in ("previous", "initial_h", "initial_c") if name in vector}
    found = session.decode(vector["outputs"].shape[1], ("outputs", "tokens"), rows=rows, **given)
    assert np.abs(found["outputs"] - vector["outputs"]).max() < 1e-5
    assert (found["tokens"] == vector["tokens"]).all()


def test_numbers_of_each_step_are_given_step_by_step():
    model = cuseq.load(GOLDEN / "models" / "structure_given_numbers.safetensors")
    vector = np.load(GOLDEN / "models" / "structure_given_numbers.npz")
    x, given = vector["input"], vector["given"]
    want = model(x, vector["lengths"], given=given)
    assert np.abs(want.outputs - vector["outputs"]).max() < 1e-5
    session = model.session(max_batch=len(x), max_time=x.shape[1])
    session.encode(x, vector["lengths"], ())
    states = {}
    for y in range(given.shape[1]):
        numbers = np.ascontiguousarray(given[:, y : y + 1])
        step = session.decode(1, ("outputs", "final_h", "final_c"), given=numbers, **states)
        assert np.abs(step["outputs"][:, 0] - want.outputs[:, y]).max() < 1e-5
        states = {f"initial_{name}": step[f"final_{name}"] for name in "hc"}
    for wrong, error, text in [
        (None, cuseq.ArgumentError, r"given is NULL .*needed \[3,4,3\]"),
        (given[:, :, :2], ValueError, r"given: wrong shape .*needed \[3,Y,3\]"),
        (given[:, 0], ValueError, "given: wrong shape"),
        (given * np.nan, cuseq.NonFinite, r"given: \[0,0,0\] is not finite"),
    ]:
        with pytest.raises(error, match=text):
            model(x, given=wrong)


def test_attend_gives_context_and_alphas(dates):
    session = dates.session(max_batch=2)
    session.encode(np.zeros((2, 30), np.int32), None, ())
    found = session.attend(np.zeros((2, 64), np.float32))
    assert found["context"].shape == (2, 64)
    assert np.allclose(found["alphas"].sum(1), 1)
    with pytest.raises(ValueError, match="state: wrong shape"):
        session.attend(np.zeros((2, 63), np.float32))


def test_limits_hold(dates):
    session = dates.session(max_batch=2)
    assert session.limits == (2, 30, 10, 1)
    with pytest.raises(ValueError, match="batch is out of range .found 3"):
        session.run(np.zeros((3, 30), np.int32))
    with pytest.raises(cuseq.ArgumentError, match="nothing is encoded"):
        dates.session().decode()


def test_a_closed_session_says_so(dates):
    session = dates.session()
    session.close()
    session.close()
    assert session.closed and session.device is None
    for call in (lambda: session.run(np.zeros((1, 30), np.int32)), session.decode, session.attend, session.search):
        with pytest.raises(RuntimeError, match="the session is closed"):
            call()


def test_a_search_finds_what_the_golden_file_says(searched):
    vector = np.load(GOLDEN / "search" / "luong.npz")
    K, N, LEAST, MOST, PENALTY, RETIRES, PRUNES = 1, 2, 4, 5, 6, 7, 8
    rules = vector["rules"].reshape(-1, 9)
    session = searched.session(
        max_batch=len(vector["input"]), max_time=vector["input"].shape[1], max_beams=64, max_steps=64
    )
    session.encode(vector["input"], vector["input_lengths"], ())
    for case, rule in enumerate(rules):
        found = session.search(
            beams=int(rule[K]),
            n_best=int(rule[N]),
            min_length=int(rule[LEAST]),
            max_length=int(rule[MOST]),
            length_penalty=int(rule[PENALTY]),
            alpha=float(vector["alpha"].ravel()[case]),
            finished=int(rule[RETIRES]),
            prune_by_score=bool(rule[PRUNES]),
        )
        for row in range(len(vector["input"])):
            for n in range(int(rule[N])):
                length = int(vector["lengths"][case, row, n])
                assert int(found["lengths"][row, n]) == length
                if length > 0:
                    want = vector["tokens"][case, row, n, :length]
                    assert (found["tokens"][row, n, :length] == want).all(), (case, row, n)
                    assert abs(found["scores"][row, n] - vector["scores"][case, row, n]) < 1e-3
