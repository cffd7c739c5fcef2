"""Texts in, labels out; the same as the commands classify and tag give."""

import json
import os
import subprocess

import numpy as np
import pytest

import cuseq

LETTERS = {"length": 6, "input": ["a", "b", "c", " "]}
WORDS = {"length": 6, "split": "whitespace", "lowercase": True, "drop": ",."}
CELL = {"cell": {"kind": "lstm", "units": 3}, "direction": "bidirectional"}
CLASSES = {
    "output": {"over": "mean", "layers": [{"units": 3, "activation": "softmax"}]},
    "vocabulary": {**LETTERS, "labels": ["no", "per haps", "yes"]},
}
HEADS = {
    "output": {
        "heads": [
            {"name": "topic", "over": "mean", "layers": [{"units": 4, "activation": "log_softmax"}]},
            {"name": "plain", "over": "final", "layers": [{"units": 2, "activation": "tanh"}]},
            {"name": "tone", "over": "last", "layers": [{"units": 3, "activation": "sigmoid"}]},
        ]
    },
    "vocabulary": {**LETTERS, "labels": {"tone": ["dry", "warm", "loud"], "topic": ["w", "x", "y", "z"]}},
}
REVIEW = {
    "output": {"over": "maximum", "layers": [{"units": 1}]},
    "vocabulary": {**WORDS, "input": ["the", "cat", "sat", "<unk>"], "labels": ["bad", "good"]},
}
TAGS = {
    "output": {
        "heads": [
            {"name": "pos", "over": "every", "layers": [{"units": 3}]},
            {"name": "number", "over": "every", "layers": [{"units": 1, "activation": "sigmoid"}]},
        ]
    },
    "vocabulary": {
        **WORDS,
        "input": ["the", "cat", "sat", "café"],
        "labels": {"pos": ["DET", "NOUN", "VERB"], "number": ["singular", "plural"]},
    },
}


def made(parts):
    """A model of random weights."""
    config = {"version": 2, "input": {"features": 4}, "encoder": {"layers": [CELL]}, **parts}
    tensors, random = {}, np.random.default_rng(4)
    while True:  # the library names what is missing, and its shape
        try:
            return cuseq.create(config, tensors)
        except cuseq.ModelError as refusal:
            name, shape = missing(str(refusal))
            tensors[name] = random.standard_normal(shape)


def missing(line):
    import re

    name = re.search(r"tensor '?([\w.]+)'?", line)
    shape = re.search(r"\[([\d, ]+)\]", line)
    assert name and shape, line
    return name[1], [int(size) for size in shape[1].split(",")]


def command(model, name, texts, tmp_path, *options):
    if "CUSEQ_PROGRAM" not in os.environ:
        pytest.skip("there is no program to compare with")
    model.save(tmp_path / "model.safetensors")
    arguments = [os.environ["CUSEQ_PROGRAM"], name, tmp_path / "model.safetensors", *texts, "--json", *options]
    return json.loads(subprocess.run(arguments, check=True, capture_output=True, text=True).stdout)


def head_of(entry, name):
    return entry["heads"][name] if "heads" in entry else entry


@pytest.mark.parametrize("parts", [CLASSES, HEADS, REVIEW])
def test_texts_are_classified_as_the_command_does(parts, tmp_path):
    model = made(parts)
    texts = ["the cat", "sat cat cat", "the", "", "cat"] if parts is REVIEW else ["ab c", "a", "cba", "", "bb"]
    found = model.classify(texts, top=2)
    wanted = command(model, "classify", texts, tmp_path, "--top", "2")
    for got, want in zip(found, wanted, strict=True):
        for name, labels in got.labels.items():
            listed = head_of(want, name)["labels"]
            assert [label.label for label in labels] == [label["label"] for label in listed]
            assert np.allclose([label.probability for label in labels], [label["probability"] for label in listed])
    assert found[3].label is None and found[0].label == found[0].labels[next(iter(found[0].labels))][0].label
    assert model.classify(texts[0])[0].label == found[0].label
    assert [c.label for c in model.classify(texts, batch=2)] == [c.label for c in found]


def test_tokens_are_tagged_as_the_command_does(tmp_path):
    model = made(TAGS)
    texts = ["  The, cat\tsat. ", "", "Café sat", "cat"]
    found = model.tag(texts)
    wanted = command(model, "tag", texts, tmp_path)
    assert [[tag.token for tag in tags] for tags in found] == [["The,", "cat", "sat."], [], ["Café", "sat"], ["cat"]]
    for tags, want in zip(found, wanted, strict=True):
        for got, entry in zip(tags, want["tokens"], strict=True):
            assert got.token == entry["token"]
            for name, label in got.labels.items():
                assert label.label == entry["heads"][name]["label"]
                assert abs(label.probability - entry["heads"][name]["probability"]) < 1e-6
    assert found[0][0].label in ("DET", "NOUN", "VERB") and 0 < found[0][0].probability <= 1


def test_models_that_do_not_label_are_named(dates):
    with pytest.raises(ValueError, match="found a decoder, needed a label for a text"):
        dates.classify("a")
    with pytest.raises(ValueError, match="found outputs for each token, needed a label for a text"):
        made(TAGS).classify("cat")
    with pytest.raises(ValueError, match="found outputs for a text, needed a label for each token"):
        made(CLASSES).tag("a")
    with pytest.raises(ValueError, match='has no "labels"'):
        made({**CLASSES, "vocabulary": LETTERS}).classify("a")
    with pytest.raises(ValueError, match="no vocabulary"):
        made({"output": CLASSES["output"]}).classify("a")
    with pytest.raises(ValueError, match="top: out of range .found 4, needed 1 to 3"):
        made(CLASSES).classify("a", top=4)
    with pytest.raises(cuseq.ArgumentError, match="too long"):
        made(CLASSES).classify("abcabca")
