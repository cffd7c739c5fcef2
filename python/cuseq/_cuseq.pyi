from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

def version() -> str: ...
def devices() -> list[tuple[str, str]]: ...

class Model:
    @classmethod
    def load(cls, path: Any, /) -> Model: ...
    @classmethod
    def load_bytes(cls, data: Any, /) -> Model: ...
    @classmethod
    def create(cls, config_json: str, tensors: list[tuple[str, tuple[int, ...], Any]], /) -> Model: ...
    def save(self, path: Any, /) -> None: ...
    def tensors(self) -> list[tuple[str, tuple[int, ...], bytes]]: ...
    def tolerance(self, precision: str, time: int, steps: int, result: int, /) -> float: ...
    def encode_text(self, text: str, truncate: bool, ids: np.ndarray[Any, Any], /) -> tuple[int, int]: ...
    def decode_tokens(self, tokens: np.ndarray[Any, Any], /) -> str: ...
    def text_tokens(self, text: str, capacity: int, /) -> list[int]: ...
    def input_symbol(self, id: int, /) -> str | None: ...
    def output_symbol(self, id: int, /) -> str | None: ...
    def heads(self) -> list[tuple[str, int, int, str, list[str]]]: ...
    def text_spans(self, text: str, /) -> list[tuple[int, int]]: ...
    @property
    def config_json(self) -> str: ...
    @property
    def sizes(self) -> dict[str, Any]: ...

class Tensor:
    @classmethod
    def from_dlpack(cls, capsule: Any, stream: int, /) -> Tensor: ...
    @classmethod
    def from_interface(
        cls,
        owner: Any,
        pointer: int,
        read_only: bool,
        type: str,
        bytes: int,
        shape: tuple[int, ...],
        strides: tuple[int, ...] | None,
        stream: int,
        /,
    ) -> Tensor: ...
    @classmethod
    def device_number(cls, pointer: int, /) -> int: ...
    def __dlpack__(
        self,
        *,
        stream: int | None = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> Any: ...
    def __dlpack_device__(self) -> tuple[int, int]: ...
    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]: ...
    def __len__(self) -> int: ...
    def numpy(self) -> np.ndarray[Any, Any]: ...
    def reshape(self, *sizes: int) -> Tensor: ...
    @property
    def __cuda_array_interface__(self) -> dict[str, Any]: ...
    @property
    def shape(self) -> tuple[int, ...]: ...
    @property
    def ndim(self) -> int: ...
    @property
    def dtype(self) -> str: ...
    @property
    def device(self) -> str: ...
    @property
    def read_only(self) -> bool: ...

Results = Literal["host", "device"]
Precision = Literal["float32", "tf32", "bf16"]

class Session:
    def __init__(
        self,
        model: Model,
        device: str | None = None,
        max_batch: int = 1,
        max_time: int = 0,
        max_steps: int = 0,
        max_beams: int = 1,
        threads: int = 0,
        allow_nonfinite: bool = False,
        cuda_plan: str | None = None,
        stream: Any = None,
        precision: Precision = "float32",
        capture: bool = False,
    ) -> None: ...
    def synchronize(self) -> None: ...
    def run(
        self,
        data: Any,
        lengths: Any = None,
        steps: int = 0,
        wanted: Sequence[str] | None = None,
        encoder_h: Any = None,
        encoder_c: Any = None,
        initial_h: Any = None,
        initial_c: Any = None,
        initial_fed: Any = None,
        previous: Any = None,
        targets: Any = None,
        target_lengths: Any = None,
        out: dict[str, Any] | None = None,
        results: Results | None = None,
        given: Any = None,
    ) -> dict[str, Any]: ...
    def encode(
        self,
        data: Any,
        lengths: Any = None,
        wanted: Sequence[str] | None = None,
        encoder_h: Any = None,
        encoder_c: Any = None,
        out: dict[str, Any] | None = None,
        results: Results | None = None,
    ) -> dict[str, Any]: ...
    def decode(
        self,
        steps: int = 0,
        wanted: Sequence[str] | None = None,
        rows: Any = None,
        initial_h: Any = None,
        initial_c: Any = None,
        initial_fed: Any = None,
        previous: Any = None,
        targets: Any = None,
        target_lengths: Any = None,
        out: dict[str, Any] | None = None,
        results: Results | None = None,
        given: Any = None,
    ) -> dict[str, Any]: ...
    def attend(
        self,
        state: Any = None,
        wanted: Sequence[str] | None = None,
        out: dict[str, Any] | None = None,
        results: Results | None = None,
    ) -> dict[str, Any]: ...
    def search(
        self,
        beams: int = 1,
        n_best: int = 1,
        min_length: int = 0,
        max_length: int = 0,
        length_penalty: int = 0,
        alpha: float = 1.0,
        finished: int = 0,
        prune_by_score: bool = False,
        wanted: Sequence[str] | None = None,
        initial_h: Any = None,
        initial_c: Any = None,
        initial_fed: Any = None,
        previous: Any = None,
        out: dict[str, Any] | None = None,
        results: Results | None = None,
    ) -> dict[str, Any]: ...
    def holds(self, batch: int, time: int, steps: int, beams: int, /) -> bool: ...
    def close(self) -> None: ...
    @property
    def device(self) -> str | None: ...
    @property
    def precision(self) -> Precision | None: ...
    @property
    def busy(self) -> bool: ...
    @property
    def stream(self) -> int | None: ...
    @property
    def closed(self) -> bool: ...
    @property
    def limits(self) -> tuple[int, int, int, int]: ...
