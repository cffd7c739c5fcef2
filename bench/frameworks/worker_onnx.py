"""ONNX Runtime as a peer: worker_onnx.py DATA THREADS exported|hoisted."""

import sys

import numpy as np
import onnxruntime

from onnx_model import make_model
from onnx_published import make_published
from worker import Opened, serve
from workload import Workload


def model_of(w: Workload, variant: str) -> tuple[bytes, list[str], dict[str, np.ndarray]]:
    """The model's bytes, its outputs and its inputs."""
    if w.published:
        return make_published(w)
    model, names = make_model(w, variant == "hoisted")
    return model, names, {"x": np.ascontiguousarray(w.one_hot().transpose(1, 0, 2))}


def results_of(w: Workload, outputs: list[np.ndarray]) -> list[np.ndarray]:
    """What is verified, batch first."""
    if not w.encode_only:
        return outputs
    return [np.asarray(outputs[0]).transpose(2, 0, 1, 3).reshape(w.B, w.T, w.A)]


def main(data: str, threads: str, variant: str) -> None:
    def open_model(w: Workload) -> Opened:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = int(threads)
        options.inter_op_num_threads = 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.add_session_config_entry("session.force_spinning_stop", "1")
        model, names, x = model_of(w, variant)
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        return lambda: session.run(names, x), lambda outputs: results_of(w, outputs)

    serve(f"ONNX Runtime {onnxruntime.__version__}", open_model, data)


if __name__ == "__main__":
    main(*sys.argv[1:])
