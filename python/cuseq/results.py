"""What calls give: arrays by name, hypotheses, texts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .arrays import Array
from .errors import ArgumentError

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Result(Mapping[str, Any]):
    """The arrays of a call, as attributes and as a mapping: numpy's, or Tensors where they lie on a device.

    B rows, T positions, Y steps of the decoder; models without a decoder have no axis of steps, taggers one of
    positions:

    annotations [B,T,A], h_fw c_fw h_bw c_bw [B,H] final states of the last encoder layer, context [B,Y,C], alphas
    [B,Y,T] (0 behind a row's length), states [B,Y,S], outputs [B,Y,V], log_probabilities [B,Y], tokens [B,Y] int32,
    output_lengths [B] int32. Only where asked for: encoder_h, encoder_c, final states of all encoder layers
    [layers x directions,B,H] (one after the other where they differ in width); final_h, final_c [B,S], those of the
    decoder; final_fed [B,X], what its last step hands on beside them.
    """

    __slots__ = ("_arrays",)

    def __init__(self, arrays: dict[str, Any]) -> None:
        self._arrays = arrays

    def __getitem__(self, name: str) -> Any:
        return self._arrays[name]

    def __getattr__(self, name: str) -> Any:
        try:
            return self._arrays[name]
        except KeyError:
            raise AttributeError(f"the result has no {name!r} (it has {', '.join(self._arrays)})") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def __dir__(self) -> list[str]:
        return sorted([*super().__dir__(), *self._arrays])

    def __repr__(self) -> str:
        arrays = ", ".join(f"{name} {list(array.shape)}" for name, array in self._arrays.items())
        return f"Result({arrays})"

    def plot(
        self, row: int = 0, x_labels: Sequence[str] | None = None, y_labels: Sequence[str] | None = None
    ) -> Figure:
        """Draws what a row attended to, with matplotlib: a line for each step, a column for each position."""
        from .plot import heat_map

        alphas: Array = np.asarray(self["alphas"])[row]
        return heat_map(alphas if alphas.ndim == 2 else alphas[None], x_labels, y_labels)


class Hypothesis(NamedTuple):
    """One result of a beam search."""

    text: str
    score: float
    """What it is ranked by: the sum of log-probabilities after length normalisation."""
    log_probability: float
    """The sum of its tokens' log-probabilities."""
    tokens: Array
    """[length] int32, the end token with it."""


class Translations(list[Any]):
    """Texts, one for each given one; with n_best above 1 a list of Hypothesis for each.

    sources: the texts that were given; symbols: what the model reads of each, character by character or word by word;
    outputs: the best text for each; written: its characters or words; alphas: for each an array [written, symbols],
    empty without attention."""

    def __init__(self, sources: list[str]) -> None:
        super().__init__()
        self.sources = sources
        self.symbols: list[list[str]] = []
        self.outputs: list[str] = []
        self.written: list[list[str]] = []
        self.alphas: list[Array] = []

    def plot(self, index: int = 0) -> Figure:
        """Draws what of a text each character or word of its translation came from, with matplotlib."""
        from .plot import heat_map

        if not self.alphas:
            raise ArgumentError("the model has no attention")
        alphas = self.alphas[index]
        return heat_map(alphas, self.symbols[index], self.written[index])

    def _repr_png_(self) -> bytes | None:
        """The first attention map, in a notebook; nothing where matplotlib is missing."""
        try:
            from .plot import as_png

            return as_png(self.plot()) if len(self) and self.alphas else None
        except ImportError:
            return None


class Score(NamedTuple):
    """How probable a text is as the output for another."""

    log_probability: float
    """The sum over its tokens, natural logarithm."""
    perplexity: float
    """exp(-log_probability / tokens)."""
    tokens: int


class Evaluation(NamedTuple):
    """How many outputs were what they should be."""

    pairs: int
    right: int
    wrong: list[tuple[str, str, str]]
    """(text, wanted, found) of those that were not."""

    @property
    def accuracy(self) -> float:
        return self.right / self.pairs if self.pairs else 0.0


class Label(NamedTuple):
    """A label, and how probable it is."""

    label: str
    probability: float


class Classification(NamedTuple):
    """What a text was found to be."""

    labels: dict[str, list[Label]]
    """For each head that has labels, by its name, the most probable ones, the best first; nothing of an empty text."""

    @property
    def label(self) -> str | None:
        """The most probable label of the first head."""
        return next((found[0].label for found in self.labels.values()), None)

    @property
    def probability(self) -> float | None:
        """That label's."""
        return next((found[0].probability for found in self.labels.values()), None)


class Tag(NamedTuple):
    """A token of a text, as the text has it, and what it was found to be."""

    token: str
    labels: dict[str, Label]
    """For each head that has labels, by its name, the most probable one."""

    @property
    def label(self) -> str:
        """The first head's."""
        return next(iter(self.labels.values())).label

    @property
    def probability(self) -> float:
        """That label's."""
        return next(iter(self.labels.values())).probability
