"""Models that live in Keras or PyTorch: brought over, and held against the live model before they are returned."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _cuseq
from .arrays import Array
from .errors import ModelError, WrongType

if TYPE_CHECKING:
    from .model import Model

ROWS = 3
TOLERANCE = 2e-5
"""How far the live model's numbers, float32 like ours, may be from ours: |got - want| / max(1, |want|)."""


def load(
    source: Any,
    config: Mapping[str, Any] | str | os.PathLike[str] | None,
    options: Sequence[str],
    verify: bool | Callable[..., Any],
    time: int,
    example: Any,
    model: Callable[[_cuseq.Model], Model],
) -> Model:
    """cuseq.load of what is neither a file nor bytes; `model` makes a Model of its handle."""
    from . import live_keras

    if live_keras.is_keras_model(source):
        from .live_keras_check import verify_keras

        ours = model(live_keras.from_keras(source, options))
        if verify:
            verify_keras(source, ours, time)
        return ours
    from . import live_torch

    if live_torch.is_torch_module(source):
        forward = verify if callable(verify) else None
        if config is None:
            return live_torch.exported(source, options, bool(verify), forward, time, example, model)
        if not isinstance(config, Mapping):
            with open(config, encoding="utf-8-sig") as file:
                config = json.load(file)
        assert isinstance(config, Mapping)
        ours = model(live_torch.described(source, config, options))
        if verify:
            live_torch.verify_torch(source, ours, forward, time)
        return ours
    raise WrongType(
        f"source: wrong type (found {type(source).__name__}, needed a path, bytes of a model, a keras.Model or a "
        "torch.nn.Module)"
    )


# ---- held against the live model ----


def _candidates(found: Mapping[str, Array]) -> list[tuple[str, Array]]:
    """Everything that an output of a framework's model may be: arrays, their steps, and those with an axis of one."""
    listed = []
    for name, array in found.items():
        listed.append((name, array))
        if array.ndim == 3:
            listed += [(f"{name}[:, {y}]", array[:, y]) for y in range(array.shape[1])]
    return listed


def _distance(got: Array, want: Array) -> float:
    if got.size != want.size or [n for n in got.shape if n != 1] != [n for n in want.shape if n != 1]:
        return np.inf
    difference = np.abs(got.reshape(want.shape).astype(np.float64) - want) / np.maximum(1.0, np.abs(want))
    return float(difference.max(initial=0.0))


def check(
    ours: Model, x: Any, outputs: list[Array], subject: str, given: Array | None = None, numbers: Array | None = None
) -> None:
    """Refuses unless every output of the live model is one of our arrays, or a step of one.

    given    [B,Y] the tokens that the decoder of a teacher-forced graph reads, each step's own
    numbers  [B,Y,G] the numbers that its steps read"""
    options: dict[str, Any] = {}
    if given is not None:
        options = {"targets": np.roll(given, -1, axis=1), "initial": {"previous": given[:, 0]}}
    if numbers is not None:
        options["given"] = numbers
    candidates = _candidates(ours(x, device="cpu", **options))
    compared = 0
    for i, want in enumerate(outputs):
        if want.dtype.kind != "f":
            continue
        compared += 1
        name, distance = min(((n, _distance(got, want)) for n, got in candidates), key=lambda pair: pair[1])
        if not distance <= TOLERANCE:
            what = f"nearest is {name}, {distance:.2g} away" if np.isfinite(distance) else f"shape {list(want.shape)}"
            raise ModelError(
                f"{subject}: output {i} is none of the arrays that cuseq gives for the same input ({what})"
            )
    if not compared:
        raise ModelError(f"{subject}: no outputs to hold the model against")
