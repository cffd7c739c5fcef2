"""A model as a module of PyTorch, for inference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from .errors import WrongType
from .model import Model


class Module(torch.nn.Module):  # type: ignore[misc]
    """A model in the place of the module that it was trained as.

        encoder = cuseq.torch.Module(cuseq.load(trained))
        outputs = encoder(x)                     # [B,T,F] or [B,T] of ids, a tensor; what comes out is one, too

    It has no parameters and takes no gradients: an input that requires one is refused (call it with x.detach()).
    Results lie where the input does. It is saved by torch.save and travels in a state_dict as its configuration and
    weights.

    arrays  the names of what is given back (see Result): one, which comes as a tensor, or several, as a tuple
    options of every call, as Model has them: steps, device, threads, precision
    """

    def __init__(self, model: Model, arrays: str | Sequence[str] = "outputs", **options: Any) -> None:
        super().__init__()
        if not isinstance(model, Model):
            raise WrongType(f"model: wrong type (found {type(model).__name__}, needed a cuseq.Model)")
        self.model, self.options = model, options
        self.single = isinstance(arrays, str)
        self.arrays = [arrays] if isinstance(arrays, str) else list(arrays)

    @torch.compiler.disable  # type: ignore[untyped-decorator,unused-ignore]
    def forward(self, x: Any, lengths: Any = None, **options: Any) -> Any:
        if x.requires_grad:
            raise WrongType("input: it requires a gradient, and cuseq computes none (call it with x.detach())")
        if x.dtype == torch.bfloat16:
            x = x.float()
        found = self.model(x, lengths, arrays=self.arrays, **{**self.options, **options})
        tensors = tuple(torch.from_dlpack(found[name]) for name in self.arrays)
        return tensors[0] if self.single else tensors

    def get_extra_state(self) -> dict[str, Any]:
        config_json, tensors = self.model.__reduce__()[1]
        return {"config": config_json, "tensors": [(name, list(shape), data) for name, shape, data in tensors]}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        from . import _cuseq

        listed = [(name, tuple(shape), data) for name, shape, data in state["tensors"]]
        self.model = Model(_cuseq.Model.create(state["config"], listed))

    def extra_repr(self) -> str:
        return f"{self.model!r}, arrays={self.arrays!r}"
