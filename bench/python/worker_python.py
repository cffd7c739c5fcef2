"""cuseq from Python as a peer of bench frameworks: worker_python.py DATA THREADS."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "frameworks"))

import numpy as np
from worker import Opened, serve
from workload import Workload

import cuseq

WANTED = {"W1": ("annotations", "context"), "W2 B1": ("outputs",)}


def main(data: str, threads: str) -> None:
    def open_model(w: Workload) -> Opened:
        model, x = cuseq.load(Path(data) / w.name / "model.safetensors"), np.ascontiguousarray(w.input)
        wanted, count = WANTED[w.name], int(threads)
        return lambda: model(x, arrays=wanted, threads=count, device="cpu"), lambda found: [
            found[name] for name in wanted
        ]

    serve(f"cuseq {cuseq.__version__}", open_model, data)


if __name__ == "__main__":
    main(*sys.argv[1:])
