"""Models from files, bytes, arrays, and from what lives in Keras or PyTorch."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from . import _cuseq
from .arrays import floats
from .convert import convert, is_cuseq_file
from .model import Model


def load(
    source: Any,
    *,
    vocabulary: str | os.PathLike[str] | None = None,
    config: Mapping[str, Any] | str | os.PathLike[str] | None = None,
    options: Sequence[str] = (),
    verify: bool | Callable[[Any], Any] = True,
    time: int = 7,
    example: Any = None,
) -> Model:
    """A model from its file, from the bytes of a cuseq model, or from a live Keras model or PyTorch module.

    cuseq's own .safetensors are loaded as they are; every other kind of file becomes a model by the program
    `cuseq convert`, which knows kinds by what files hold. A live model is converted likewise - a Keras layer of a class
    of the author's own by what its call() does, a PyTorch module by torch.onnx or by `config` - and then computes
    random input beside cuseq: a difference is an error.

    source      a path; bytes; a built keras.Model of Keras 3 or of tf.keras 2; a torch.nn.Module
    vocabulary  a JSON file that becomes the model's vocabulary
    config      what named arrays mean (docs/from-pytorch.md): a mapping, or a JSON file
    options     further arguments of `cuseq convert`
    verify      of a live model: False leaves the comparison out; a function of one tensor stands for a module's forward
    time        how many positions the random input has, where the model does not say it
    example     an input that torch.onnx traces a module with, where the module's parts do not tell its shape
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        return Model(_cuseq.Model.load_bytes(source))
    arguments = [*(["--vocabulary", os.fspath(vocabulary)] if vocabulary is not None else []), *options]
    if not isinstance(source, (str, os.PathLike)):
        from . import live

        return live.load(source, config, arguments, verify, time, example, Model)
    name = os.fspath(source)
    if isinstance(config, Mapping):
        import tempfile  # imported here: most programs load cuseq's own files

        with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
            json.dump(config, file)
            file.flush()
            return Model(convert(name, ["--config", file.name, *arguments]))
    if config is not None:
        arguments = ["--config", os.fspath(config), *arguments]
    if not arguments and is_cuseq_file(name):
        return Model(_cuseq.Model.load(name))
    return Model(convert(name, arguments))


def create(config: Mapping[str, Any] | str, tensors: Mapping[str, Any]) -> Model:
    """A model from a configuration and its tensors, by the names of docs/model-format.md."""
    text = config if isinstance(config, str) else json.dumps(config)
    listed = []
    for name, tensor in tensors.items():
        array = floats(tensor, name)
        assert array is not None
        listed.append((name, array.shape, array))
    return Model(_cuseq.Model.create(text, listed))
