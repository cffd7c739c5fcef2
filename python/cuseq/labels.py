"""Texts in, labels out: what the commands `classify` and `tag` do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .arrays import Array
from .errors import ArgumentError
from .results import Classification, Label, Tag

if TYPE_CHECKING:
    from .model import Model


class _Head(NamedTuple):
    name: str
    offset: int
    units: int
    activation: str
    labels: list[str]

    def probabilities(self, outputs: Array) -> Array:
        """[N,labels] of outputs [N,V]."""
        own: Array = outputs[:, self.offset : self.offset + self.units].astype(np.float64)
        if len(self.labels) > self.units:  # one unit decides between two
            second = 1 / (1 + np.exp(-own)) if self.activation == "linear" else own
            return np.concatenate([1 - second, second], axis=1)
        if self.activation == "linear":
            raised: Array = np.exp(own - own.max(axis=1, keepdims=True))
            softmax: Array = raised / raised.sum(axis=1, keepdims=True)
            return softmax
        return np.exp(own) if self.activation == "log_softmax" else own

    def best(self, outputs: Array, top: int) -> list[list[Label]]:
        """The most probable labels of each row; of equal ones the first comes first."""
        probabilities = self.probabilities(outputs)
        order = np.argsort(-probabilities, axis=1, kind="stable")[:, :top]
        return [
            [Label(self.labels[k], float(row[k])) for k in ks] for row, ks in zip(probabilities, order, strict=True)
        ]


def _heads(model: Model, tagger: bool) -> list[_Head]:
    sizes = model._sizes
    if sizes["has_decoder"] or sizes["heads"] == 0 or sizes["is_tagger"] != tagger:
        what = "a decoder" if sizes["has_decoder"] else "no outputs" if sizes["heads"] == 0 else "outputs for a text"
        needed = "a label for each token" if tagger else "a label for a text"
        what = "outputs for each token" if sizes["is_tagger"] and not sizes["has_decoder"] else what
        raise ArgumentError(f"the model does not fit (found {what}, needed {needed})")
    if sizes["text_length"] == 0:
        raise ArgumentError("the model has no vocabulary (needed to read texts; a call of it takes arrays)")
    heads = [head for head in (_Head(*entry) for entry in model._handle.heads()) if head.labels]
    if not heads:
        raise ArgumentError('the model\'s vocabulary has no "labels"')
    return heads


def _outputs(
    model: Model, texts: list[str], truncate: bool, batch: int, options: dict[str, Any]
) -> list[tuple[Array, int]]:
    """The outputs for each text that is not empty, and how many tokens it has."""
    if batch < 1:
        raise ArgumentError(f"batch: too small (found {batch}, needed at least 1)")
    ids, lengths, tokens = model._encode(texts, truncate)
    found: list[tuple[Array, int]] = []
    for first in range(0, len(texts), batch):
        rows = slice(first, first + batch)
        outputs = model(ids[rows], lengths[rows], arrays=["outputs"], **options)["outputs"]
        found += zip(outputs, tokens[rows], strict=True)
    return found


def classify(
    model: Model, texts: list[str], top: int, truncate: bool, batch: int, options: dict[str, Any]
) -> list[Classification]:
    heads = _heads(model, tagger=False)
    most = max(len(head.labels) for head in heads)
    if not 1 <= top <= most:
        raise ArgumentError(f"top: out of range (found {top}, needed 1 to {most}, the model's labels)")
    found = iter(_outputs(model, [text for text in texts if text], truncate, batch, options))
    made = []
    for text in texts:
        row = next(found)[0].reshape(1, -1) if text else None
        made.append(Classification({} if row is None else {head.name: head.best(row, top)[0] for head in heads}))
    return made


def tag(model: Model, texts: list[str], truncate: bool, batch: int, options: dict[str, Any]) -> list[list[Tag]]:
    heads = _heads(model, tagger=True)
    found = iter(_outputs(model, [text for text in texts if text], truncate, batch, options))
    made: list[list[Tag]] = []
    for text in texts:
        if not text:
            made.append([])
            continue
        outputs, count = next(found)
        data = text.encode()
        tokens = [data[begin:end].decode() for begin, end in model._handle.text_spans(text)][:count]
        labels = [head.best(outputs[: len(tokens)], 1) for head in heads]
        made.append(
            [
                Tag(token, {head.name: of_head[t][0] for head, of_head in zip(heads, labels, strict=True)})
                for t, token in enumerate(tokens)
            ]
        )
    return made
