"""Who is compared: each system, how its worker is started, and what it is or had to do."""

import os
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
OURS = "cuseq"
FIRST = ("W1", "W2 B1", "W2 B32", "W2 B1024", "W3", "W4")
BEAMS = ("W6 beam B1", "W6 beam B32")
GREEDY = ("W5 B1", "W5 B32", "W6 B1", "W6 B32", "W9 B1", "W9 B128")
TAGGERS = ("W7 B1", "W7 B32")
RAGGED = ("W8",)
WORKLOADS = (*FIRST, *GREEDY[:4], *BEAMS, *TAGGERS, *RAGGED, *GREEDY[4:], "W10")
BF16 = ("W3", "W4", "W10")
OURS_BF16 = "cuseq bf16"
DATES = ("W2 B1", "W2 B32", "W2 B1024")


@dataclass(frozen=True)
class Peer:
    """One system. command lacks the last two arguments of a worker's, DATA and THREADS, which `arguments` may follow."""

    system: str
    command: tuple[str, ...]
    what: str
    did: str
    arguments: tuple[str, ...] = ()
    workloads: tuple[str, ...] = FIRST
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def bf16(self) -> bool:
        """Whether it computes in bf16: it is judged by what that may err, and compared with its like."""
        return is_bf16(self.system)

    def worker(self, data: Path, threads: int) -> list[str]:
        """The worker's command."""
        return [*self.command, str(data), str(threads), *self.arguments]

    def settings(self, threads: int) -> dict[str, str]:
        """The worker's environment: as many threads as it may have, and none that spins for long after a call."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("OPENBLAS_", "OMP_", "KMP_"))
        }
        count = str(threads)
        return (
            kept
            | {
                "OMP_NUM_THREADS": count,
                "OPENBLAS_NUM_THREADS": count,
                "KMP_BLOCKTIME": "5",
                "OPENBLAS_THREAD_TIMEOUT": "22",
                "PYTHONDONTWRITEBYTECODE": "1",
            }
            | self.environment
        )


def is_bf16(system: str) -> bool:
    """Whether a system computes in bf16, by its name."""
    return system.endswith(" bf16")


def all_peers(programs: Path, packages: Path) -> list[Peer]:
    """Every system, ours first; programs is where CMake left its own, packages where packages.py left the others."""
    python = str(packages / "venv/bin/python")
    onednn = packages / "venv/lib"
    unrolled = tuple(name for name in WORKLOADS if name not in BEAMS)
    compiled = tuple(name for name in WORKLOADS if name not in RAGGED)
    return [
        Peer(
            OURS,
            (str(programs / "bench_frameworks_cuseq"),),
            "the CPU backend, from C",
            "ids are gathered; W2 also gives contexts, alphas and tokens, W1 alphas",
            workloads=WORKLOADS,
        ),
        Peer(
            OURS_BF16,
            (str(programs / "bench_frameworks_cuseq"),),
            "the same in sessions of precision bf16, where the processor has AVX-512 BF16",
            "products with weights in bf16, states and all results in float32",
            arguments=("bf16",),
            workloads=BF16,
        ),
        Peer(
            "oneDNN 3.2 OpenMP",
            (str(packages / "onednn-openmp"),),
            "its primitives from C++; its newest release with OpenMP threads",
            "takes dense one-hot rows, ready-made; weights packed once; LSTM primitive for encoder and decoder cell, matmul "
            "and binary primitives; softmax and the sum of annotations are the bench's own C++; a K_a once, by hand",
        ),
        Peer(
            "oneDNN 3.13 SYCL",
            (str(packages / "onednn-sycl"),),
            "the same program; its current release, whose CPU is a SYCL device",
            "as oneDNN 3.2; each primitive passes through a SYCL queue",
            environment={
                "OCL_ICD_FILENAMES": str(onednn / "libintelocl.so"),
                "ONEAPI_DEVICE_SELECTOR": "opencl:cpu",
                "LD_LIBRARY_PATH": str(onednn),
            },
        ),
        Peer(
            "ONNX Runtime",
            (python, str(HERE / "worker_onnx.py")),
            "as an exporter writes the model",
            "takes dense one-hot rows, ready-made, of W1 and W2; LSTM and GRU nodes; decoders unrolled; a K_a again in every "
            "step of W2; W8's lengths as the node takes them; no beam search",
            arguments=("exported",),
            workloads=unrolled,
        ),
        Peer(
            "ONNX Runtime, tuned",
            (python, str(HERE / "worker_onnx.py")),
            "the graph rewritten by hand",
            "as ONNX Runtime, but a K_a once",
            arguments=("hoisted",),
            workloads=DATES,
        ),
        Peer(
            "OpenVINO",
            (python, str(HERE / "worker_openvino.py")),
            "the graphs of ONNX Runtime, tuned; float32",
            "as ONNX Runtime, tuned",
            workloads=unrolled,
        ),
        Peer(
            "PyTorch eager",
            (python, str(HERE / "worker_torch.py")),
            "nn.LSTM, nn.GRU and their cells; PyPI's wheel, with oneDNN and MKL",
            "takes dense one-hot rows, ready-made, of W1 and W2; a K_a once, by hand; decoders are loops in Python; beams as "
            "OpenNMT-py does them; W8 as packed sequences, ready-made, its result left packed",
            arguments=("eager",),
            workloads=WORKLOADS,
        ),
        Peer(
            "PyTorch compiled",
            (python, str(HERE / "worker_torch.py")),
            "the same through torch.compile, for fixed sizes, with frozen weights",
            "as PyTorch eager; of W5 to W9 the decoder's step is compiled, with its choice of tokens",
            arguments=("compiled",),
            workloads=compiled,
            environment={"TORCHINDUCTOR_CACHE_DIR": str(packages / "inductor")},
        ),
        Peer(
            "PyTorch bf16",
            (python, str(HERE / "worker_torch.py")),
            "PyTorch eager, module and input as bfloat16",
            "its input is bf16 ready-made, and its result is left in bf16",
            arguments=("bf16",),
            workloads=BF16,
        ),
        Peer(
            "PyTorch padded",
            (python, str(HERE / "worker_torch.py")),
            "W8 with all rows as long as the longest",
            "the backward direction reads rows turned around ready-made",
            arguments=("padded",),
            workloads=RAGGED,
        ),
        Peer(
            "Keras compiled",
            (python, str(HERE / "worker_keras.py")),
            "the model in a tf.function, traced once",
            "takes dense one-hot rows, ready-made; a K_a again in every step; the decoder unrolled",
            arguments=("call",),
        ),
        Peer(
            "Keras XLA",
            (python, str(HERE / "worker_keras.py")),
            "the same with jit_compile, which few set",
            "as Keras compiled",
            arguments=("xla",),
        ),
        Peer(
            "Keras predict",
            (python, str(HERE / "worker_keras.py")),
            "model.predict(x), as people use it",
            "as Keras compiled, and a data pipeline around every call",
            arguments=("predict",),
        ),
        Peer(
            "textbook C",
            (str(programs / "bench_frameworks_textbook"),),
            "a loop for every sum, libm, -O3 -march=native",
            "ids are gathered; a K_a again in every step; rows shared among threads by OpenMP",
        ),
    ]
