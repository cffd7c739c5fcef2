"""Models: what `import cuseq` is about."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from . import _cuseq
from .arrays import Array, as_array, as_integers, device_of, given_numbers, given_states, given_targets, input_array
from .errors import ArgumentError
from .labels import classify, tag
from .parts import joined
from .results import Classification, Evaluation, Hypothesis, Result, Score, Tag, Translations
from .sessions import Pool

Place = Literal["host", "device"]
Precision = Literal["float32", "tf32", "bf16"]
LengthPenalty = Literal["none", "length", "gnmt"]
_PENALTIES: dict[str, int] = {"none": 0, "length": 1, "gnmt": 2}
# The types that the library takes, in native byte order: numpy has one object for each.
_FLOAT32, _FLOAT64, _INT32, _INT64 = (np.dtype(name) for name in ("float32", "float64", "int32", "int64"))
_TOLERATED = {
    "annotations": 0,
    "h_fw": 1,
    "h_bw": 1,
    "encoder_h": 1,
    "c_fw": 2,
    "c_bw": 2,
    "encoder_c": 2,
    "context": 3,
    "alphas": 4,
    "states": 5,
    "final_h": 5,
    "final_c": 6,
    "outputs": 7,
    "log_probabilities": 8,
}


class Model:
    """A trained model. Immutable; any number of threads may call it at once.

    m(x) computes everything; m.translate(texts), m.score(pairs) and m.evaluate(pairs) take texts where the model has a
    vocabulary; m.session(...) gives a session of fixed limits for loops of one's own. A device is "cpu", "cuda",
    "cuda:1", "reference" (float64) or "auto", the fastest there is. A precision is what products with weights are
    computed in: "float32", "bf16" (on processors with AVX-512 BF16: weights take half the memory) or "tf32"; a device
    refuses what it has not.
    """

    def __init__(self, handle: _cuseq.Model) -> None:
        self._handle = handle
        self._pools: dict[tuple[str | None, int, Precision], Pool] = {}
        self._sizes = handle.sizes
        self._steps = self._sizes["steps"] or 1
        self._units = _encoder_units(handle)
        self._parts: list[dict[str, Any]] = json.loads(handle.config_json).get("input", {}).get("parts", [])

    # ---- what it is ----

    @property
    def config(self) -> dict[str, Any]:
        """The configuration, as docs/model-format.md specifies it."""
        config: dict[str, Any] = json.loads(self._handle.config_json)
        return config

    def info(self) -> dict[str, Any]:
        """Widths and counts: features, annotation_width, context_width, state_units, outputs, steps, parameters, ..."""
        parameters = sum(math.prod(shape) for _, shape, _ in self._handle.tensors())
        return {**self._sizes, "parameters": parameters}

    @property
    def carried(self) -> tuple[str, ...]:
        """What the decoder carries from step to step beside its token, for loops of one's own: each name is a result as
        final_NAME and the next step's argument as initial_NAME. Some of "h", "c" and "fed"."""
        decoder = self.config.get("decoder") or {}
        if not self._sizes["has_decoder"]:
            return ()
        cells = [layer["cell"]["kind"] for layer in decoder.get("layers", ())]  # of version 1 there are LSTMs alone
        names = ("h", "c") if not cells or "lstm" in cells else ("h",)
        return (*names, "fed") if self._sizes["fed_width"] > 0 else names

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of the inputs that lie side by side in the one: of a model that was made of a graph of several."""
        return tuple(part["name"] for part in self._parts)

    def input_symbol(self, id: int) -> str | None:
        """What an id of the input vocabulary stands for: a character or word, or a name in <>; None: nothing."""
        return self._handle.input_symbol(id)

    def output_symbol(self, token: int) -> str | None:
        """The same of a token that the model writes."""
        return self._handle.output_symbol(token)

    def tensors(self) -> dict[str, Array]:
        """The weights, float32, by the names of docs/model-format.md: copies."""
        return {
            name: np.frombuffer(data, np.float32).reshape(shape).copy() for name, shape, data in self._handle.tensors()
        }

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the model as .safetensors. The file appears whole or not at all."""
        self._handle.save(path)

    def tolerance(self, array: str, time: int, steps: int = 0, precision: Precision = "float32") -> float:
        """How far a device may be from the reference in an array: |got - want| <= tolerance max(1, |want|)."""
        if array not in _TOLERATED:
            raise ArgumentError(f"{array}: no array that has a tolerance (needed one of {', '.join(_TOLERATED)})")
        return self._handle.tolerance(precision, time, steps, _TOLERATED[array])

    def __repr__(self) -> str:
        encoder = self.config["encoder"]
        return f"<cuseq.Model of {self._sizes['features']} features, {json.dumps(encoder)[:60]}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (self._handle.config_json, self._handle.tensors())

    # ---- arrays ----

    def __call__(
        self,
        x: Any,
        lengths: Any = None,
        *,
        steps: int = 0,
        targets: Any = None,
        target_lengths: Any = None,
        given: Any = None,
        initial: Mapping[str, Any] | None = None,
        arrays: Sequence[str] | None = None,
        out: dict[str, Any] | None = None,
        results: Place | None = None,
        device: str | None = None,
        threads: int = 0,
        precision: Precision = "float32",
    ) -> Result:
        """Encodes and decodes.

        x         [B,T,F] float32 or float64, or [B,T] token ids int32 or int64: numpy's, or of any library that has
                  DLPack, __cuda_array_interface__, __array_interface__ or the buffer protocol, in host memory or on a
                  CUDA device; the model then runs on that device. A model of several inputs (m.inputs) also takes a
                  dictionary of arrays by their names, or a list of them in that order: [B,T], [B,T,F], or [B,F] of one
                  that is the same at every position
        lengths   [B] positions of each row; None: all of them
        steps     of the decoder; 0: as many as the model says
        targets   [B,Y] given tokens: each step is followed by its target, and log_probabilities are theirs
        target_lengths  [B] how many of them count
        given     [B,Y,G] float32, the numbers that the decoder reads at every step, of a model whose decoder reads some
        initial   states to begin with: encoder_h, encoder_c as a result has them; initial_h, initial_c [B,S] of the
                  decoder, initial_fed [B,X], previous [B], the tokens before its first step
        arrays    names of the arrays that are wanted (see Result); None: all that a call gives anyway
        out       arrays, by name, that results are put into: float32 or int32, contiguous, writable, of the right
                  shape, apart from one another and from what is read; numpy's or, on a CUDA device, another library's
        results   "host": numpy arrays; "device": Tensors on the CUDA device; None: where x lies. They are complete when
                  the call returns
        """
        dtype = x.dtype if type(x) is np.ndarray else None
        taken = dtype is _FLOAT32 or dtype is _INT32 or dtype is _FLOAT64 or dtype is _INT64
        data = x if taken else self._input(x)
        shape = data.shape
        if len(shape) < 2:
            raise ArgumentError(f"input: too few axes (found {len(shape)}, needed [B,T,F], or [B,T] of token ids)")
        if dtype is None and type(data) is not np.ndarray and device in (None, "auto", "cuda"):
            device = device_of(data, "input")
        options: dict[str, Any] = {}
        if targets is not None or target_lengths is not None:
            options = given_targets(targets, target_lengths, shape[0])
            steps = options["targets"].shape[1]
        if given is not None:
            options["given"] = given_numbers(given, shape[0], self._sizes["given_width"])
            steps = steps or options["given"].shape[1]
        if initial:
            options |= given_states(initial)
        if out is not None:
            options["out"] = out
        if results is not None:
            options["results"] = results
        if lengths is not None:
            lengths = as_integers(lengths, "lengths")
        pool = self._pools.get((device, threads, precision)) or self._pool(device, threads, precision)
        session = pool.take(shape[0], shape[1], steps or self._steps)
        try:
            # Without the detour by a dictionary where it is empty, as it mostly is.
            if options:
                found = session.run(data, lengths, steps, arrays, **options)
            else:
                found = session.run(data, lengths, steps, arrays)
        except BaseException:
            pool.give_back(session)
            raise
        pool.idle.append(session)
        if arrays is not None or out is not None:
            self._shape_states(found, shape[0])
        return Result(found)

    def _input(self, x: Any) -> Any:
        """One array of what was given."""
        if self._parts and isinstance(x, (Mapping, list, tuple)):
            x = joined(self._parts, x)
        return input_array(x)

    def _shape_states(self, arrays: dict[str, Any], batch: int) -> None:
        """Encoder states of one width become [layers x directions,B,H]."""
        for name in ("encoder_h", "encoder_c"):
            if (
                name in arrays
                and len(arrays[name].shape) == 1
                and self._units.count(self._units[0]) == len(self._units)
            ):
                arrays[name] = arrays[name].reshape(len(self._units), batch, self._units[0])

    async def arun(self, x: Any, lengths: Any = None, **options: Any) -> Result:
        """m(x) in a thread of asyncio's."""
        import asyncio

        return await asyncio.to_thread(self, x, lengths, **options)

    def session(
        self,
        *,
        max_batch: int = 1,
        max_time: int = 0,
        max_steps: int = 0,
        max_beams: int = 1,
        device: str | None = None,
        threads: int = 0,
        precision: Precision = "float32",
        allow_nonfinite: bool = False,
        cuda_plan: str | None = None,
        stream: Any = None,
        capture: bool = False,
    ) -> _cuseq.Session:
        """A session of fixed limits: run, encode, attend, decode and search without an allocation but for results. One
        thread at a time.

        stream  of CUDA, that the session's work is queued on: its address, or a stream of PyTorch or CuPy, which must
                be there until the session is closed. None: one of its own
        capture calls may be captured in a CUDA graph: all arrays lie on the device, results go into `out`, and
                session.synchronize() waits for what is queued"""
        return _cuseq.Session(
            self._handle,
            device,
            max_batch,
            max_time,
            max_steps,
            max_beams,
            threads,
            allow_nonfinite,
            cuda_plan,
            stream,
            precision,
            capture,
        )

    def compare(self, x: Any, reference: Mapping[str, Any], lengths: Any = None, **options: Any) -> dict[str, float]:
        """Holds this model's arrays against those of a framework, by name: the largest |got - want| / max(1, |want|) of
        each. Shapes must be equal."""
        found = self(x, lengths, arrays=list(reference), **options)
        errors = {}
        for name, wanted in reference.items():
            want, got = (as_array(array, name).astype(np.float64) for array in (wanted, found[name]))
            if want.shape != got.shape:
                raise ArgumentError(f"{name}: wrong shape (found {list(want.shape)}, needed {list(got.shape)})")
            errors[name] = float((np.abs(got - want) / np.maximum(1.0, np.abs(want))).max(initial=0.0))
        return errors

    def _pool(self, device: str | None, threads: int, precision: Precision = "float32") -> Pool:
        key = (device, threads, precision)
        pool = self._pools.get(key)
        if pool is None:
            pool = self._pools.setdefault(key, Pool(self._handle, device, threads, precision))
        return pool

    # ---- texts ----

    def encode_texts(self, texts: Iterable[str], truncate: bool = False) -> tuple[Array, Array]:
        """ids [N,T] int32 and lengths [N] int32, by the model's vocabulary."""
        return self._encode(list(texts), truncate)[:2]

    def _encode(self, texts: list[str], truncate: bool) -> tuple[Array, Array, list[int]]:
        width = self._sizes["text_length"]
        ids, lengths, characters = np.zeros((len(texts), max(width, 1)), np.int32), np.zeros(len(texts), np.int32), []
        for i, text in enumerate(texts):
            if "\0" in text:
                raise ArgumentError(f"text {i}: a character U+0000")
            lengths[i], count = self._handle.encode_text(text, truncate, ids[i])
            characters.append(min(count, width))
        return ids, lengths, characters

    def translate(
        self,
        texts: str | Iterable[str],
        *,
        beam: int = 1,
        n_best: int = 1,
        length_penalty: LengthPenalty = "none",
        alpha: float = 1.0,
        min_length: int = 0,
        max_length: int = 0,
        retires: bool = False,
        prune_by_score: bool = False,
        truncate: bool = False,
        batch: int = 64,
        device: str | None = None,
        threads: int = 0,
        precision: Precision = "float32",
    ) -> Translations:
        """Texts for texts; with n_best above 1 a list of Hypothesis for each, the best first.

        beam        hypotheses that live at once; 1 takes the best token at each step
        length_penalty, alpha  "none", "length" (sum / length^alpha), "gnmt" (sum / ((5 + length) / 6)^alpha)
        retires     hypotheses that have ended leave their places to others, as in OpenNMT-py
        truncate    texts that are too long are cut; else they are an error
        """
        sources = [texts] if isinstance(texts, str) else list(texts)
        if length_penalty not in _PENALTIES:
            raise ArgumentError(f"length_penalty: unknown (found {length_penalty!r}, needed none, length or gnmt)")
        if batch < 1:
            raise ArgumentError(f"batch: too small (found {batch}, needed at least 1)")
        ids, lengths, characters = self._encode(sources, truncate)
        made = Translations(sources)
        for row, count in zip(ids, characters, strict=True):
            made.symbols.append([self._handle.input_symbol(int(id)) or "" for id in row[:count]])
        how = {
            "beams": beam,
            "n_best": n_best,
            "min_length": min_length,
            "max_length": max_length,
            "length_penalty": _PENALTIES[length_penalty],
            "alpha": alpha,
            "finished": int(retires),
            "prune_by_score": prune_by_score,
        }
        searches = beam > 1 or n_best > 1 or min_length > 1
        pool = self._pool(device, threads, precision)
        for first in range(0, len(sources), batch):
            rows = slice(first, first + batch)
            session = pool.take(len(ids[rows]), ids.shape[1], max_length or self._steps, max(beam, 1))
            try:
                if searches:
                    self._search(session, ids[rows], lengths[rows], characters[rows], how, made)
                else:
                    found = session.run(ids[rows], lengths[rows], max_length)
                    self._add_greedy(found, characters[rows], made)
            finally:
                pool.give_back(session)
        return made

    def _add_output(self, text: str, made: Translations) -> None:
        made.outputs.append(text)
        made.written.append(text.split() if self._sizes["output_words"] else list(text))

    def _add_greedy(self, found: dict[str, Array], characters: list[int], made: Translations) -> None:
        if "tokens" not in found:
            raise ArgumentError("the model has no outputs that are texts")
        lengths = found.get("output_lengths")
        for row, tokens in enumerate(found["tokens"]):
            steps = len(tokens) if lengths is None else int(lengths[row])
            text = self._handle.decode_tokens(np.ascontiguousarray(tokens[:steps]))
            made.append(text)
            self._add_output(text, made)
            if "alphas" in found:
                made.alphas.append(found["alphas"][row, : len(made.written[-1]), : characters[row]])

    def _search(
        self,
        session: _cuseq.Session,
        ids: Array,
        lengths: Array,
        characters: list[int],
        how: dict[str, Any],
        made: Translations,
    ) -> None:
        session.encode(ids, lengths, ())
        wanted = ["tokens", "lengths", "scores", "log_probabilities"]
        if self._sizes["context_width"] > 0:
            wanted.append("alphas")
        found = session.search(wanted=wanted, **how)
        for row in range(len(ids)):
            hypotheses = []
            for k in range(found["tokens"].shape[1]):
                count = int(found["lengths"][row, k])
                if count == 0:
                    continue
                tokens = np.ascontiguousarray(found["tokens"][row, k, :count])
                text = self._handle.decode_tokens(tokens)
                score, total = float(found["scores"][row, k]), float(found["log_probabilities"][row, k])
                hypotheses.append(Hypothesis(text, score, total, tokens))
            made.append(hypotheses if how["n_best"] > 1 else hypotheses[0].text)
            self._add_output(hypotheses[0].text, made)
            if "alphas" in found:
                made.alphas.append(found["alphas"][row, 0, : len(made.written[-1]), : characters[row]])

    def score(
        self,
        texts: Sequence[str],
        targets: Sequence[str],
        *,
        truncate: bool = False,
        batch: int = 64,
        device: str | None = None,
        threads: int = 0,
        precision: Precision = "float32",
    ) -> list[Score]:
        """How probable each target is as the output for the text beside it."""
        if len(texts) != len(targets):
            raise ArgumentError(f"targets: as many as texts are needed (found {len(targets)}, needed {len(texts)})")
        ids, lengths, _ = self._encode(list(texts), truncate)
        longest = max((len(target.encode()) for target in targets), default=0) + 1
        tokens = [self._handle.text_tokens(target, longest) for target in targets]
        scores = []
        for first in range(0, len(tokens), batch):
            rows = slice(first, first + batch)
            counts = np.array([len(row) for row in tokens[rows]], np.int32)
            padded = np.zeros((len(counts), counts.max()), np.int32)
            for row, of_row in zip(padded, tokens[rows], strict=True):
                row[: len(of_row)] = of_row
            found = self(
                ids[rows],
                lengths[rows],
                targets=padded,
                target_lengths=counts,
                arrays=["log_probabilities"],
                device=device,
                threads=threads,
                precision=precision,
            )
            for row, count in zip(found["log_probabilities"].astype(np.float64), counts, strict=True):
                total = float(row[:count].sum())
                scores.append(Score(total, math.exp(min(-total / int(count), 700.0)), int(count)))
        return scores

    def evaluate(self, pairs: Iterable[tuple[str, str]], *, progress: bool = False, **options: Any) -> Evaluation:
        """How many texts are translated to exactly what stands beside them; options as translate has them.

        progress  a bar on stderr, where tqdm is installed"""
        listed = list(pairs)
        batch = options.get("batch", 64)
        firsts: Iterable[int] = range(0, len(listed), batch)
        if progress:
            try:
                from tqdm import tqdm

                firsts = tqdm(firsts, unit="batch")
            except ImportError:
                pass
        wrong = []
        for first in firsts:
            some = listed[first : first + batch]
            found = self.translate([text for text, _ in some], **options).outputs
            wrong += [(text, want, got) for (text, want), got in zip(some, found, strict=True) if want != got]
        return Evaluation(len(listed), len(listed) - len(wrong), wrong)

    def classify(
        self,
        texts: str | Iterable[str],
        *,
        top: int = 1,
        truncate: bool = False,
        batch: int = 64,
        device: str | None = None,
        threads: int = 0,
        precision: Precision = "float32",
    ) -> list[Classification]:
        """The most probable labels of each text, by a model whose vocabulary has "labels" for its outputs."""
        sources = [texts] if isinstance(texts, str) else list(texts)
        return classify(
            self, sources, top, truncate, batch, {"device": device, "threads": threads, "precision": precision}
        )

    def tag(
        self,
        texts: str | Iterable[str],
        *,
        truncate: bool = False,
        batch: int = 64,
        device: str | None = None,
        threads: int = 0,
        precision: Precision = "float32",
    ) -> list[list[Tag]]:
        """A label for each token of each text - its characters or words, as the model's vocabulary cuts it."""
        sources = [texts] if isinstance(texts, str) else list(texts)
        return tag(self, sources, truncate, batch, {"device": device, "threads": threads, "precision": precision})


def _encoder_units(handle: _cuseq.Model) -> list[int]:
    """H of each direction of each encoder layer."""
    names = re.compile(r"encoder\.layers\.\d+\.\w+\.recurrent_kernel")
    return [shape[0] for name, shape, _ in handle.tensors() if names.fullmatch(name)]


def _rebuild(config_json: str, tensors: list[tuple[str, tuple[int, ...], bytes]]) -> Model:
    return Model(_cuseq.Model.create(config_json, tensors))
