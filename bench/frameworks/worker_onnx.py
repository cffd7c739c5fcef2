"""ONNX Runtime as a peer: worker_onnx.py DATA THREADS exported|hoisted."""

import sys

import numpy as np
import onnxruntime

from onnx_model import make_model
from worker import Opened, serve
from workload import Workload


def main(data: str, threads: str, variant: str) -> None:
    def open_model(w: Workload) -> Opened:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = int(threads)
        options.inter_op_num_threads = 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.add_session_config_entry("session.force_spinning_stop", "1")
        model, names = make_model(w, variant == "hoisted")
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        x = {"x": np.ascontiguousarray(w.one_hot().transpose(1, 0, 2))}

        def results(outputs: list[np.ndarray]) -> list[np.ndarray]:
            if not w.encode_only:
                return outputs
            return [outputs[0].transpose(2, 0, 1, 3).reshape(w.B, w.T, w.A)]

        return lambda: session.run(names, x), results

    serve(f"ONNX Runtime {onnxruntime.__version__}", open_model, data)


if __name__ == "__main__":
    main(*sys.argv[1:])
