"""Who is compared: each system, how its worker is started, and what it is or had to do."""

import os
import platform
import sys
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
OURS = "cuseq"
WORKLOADS = ("W1", "W2 B1", "W2 B32", "W2 B1024", "W3", "W4")
DATES = ("W2 B1", "W2 B32", "W2 B1024")


@dataclass(frozen=True)
class Peer:
    """One system. command lacks the last two arguments of a worker's, DATA and THREADS, which `arguments` may follow."""

    system: str
    command: tuple[str, ...]
    what: str
    did: str
    arguments: tuple[str, ...] = ()
    workloads: tuple[str, ...] = WORKLOADS
    environment: dict[str, str] = field(default_factory=dict)

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


def all_peers(programs: Path, packages: Path) -> list[Peer]:
    """Every system, ours first; programs is where CMake left its own, packages where packages.py left the others."""
    python = str(packages / "venv/bin/python")
    onednn = packages / "venv/lib"
    torch_blas = {"LD_LIBRARY_PATH": f"/usr/lib/{platform.machine()}-linux-gnu/openblas-openmp"}
    return [
        Peer(
            OURS,
            (str(programs / "bench_frameworks_cuseq"),),
            "the CPU backend, from C",
            "ids are gathered; W2 also gives contexts, alphas and tokens, W1 alphas",
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
            "takes dense one-hot rows, ready-made; LSTM nodes; the decoder unrolled; a K_a again in every step",
            arguments=("exported",),
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
            "PyTorch eager",
            (sys.executable, str(HERE / "worker_torch.py")),
            "nn.LSTM, nn.LSTMCell; the distribution's package (Debian 12: 1.13.1 of December 2022), with OpenBLAS on its own OpenMP threads; the newest "
            "wheels are CUDA builds",
            "takes dense one-hot rows, ready-made; a K_a once, by hand; the decoder is a loop in Python",
            arguments=("eager",),
            environment=torch_blas,
        ),
        Peer(
            "PyTorch TorchScript",
            (sys.executable, str(HERE / "worker_torch.py")),
            "the same model scripted, frozen and optimised for inference",
            "as PyTorch eager; the decoder's loop is in the script",
            arguments=("script",),
            environment=torch_blas,
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
