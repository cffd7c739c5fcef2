"""OpenVINO as a peer: worker_openvino.py DATA THREADS. It reads the graphs that are made for ONNX Runtime."""

import sys

import openvino

from worker import Opened, serve
from worker_onnx import model_of, results_of
from workload import Workload


def main(data: str, threads: str) -> None:
    core = openvino.Core()
    settings = {
        "INFERENCE_NUM_THREADS": int(threads),
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",  # else it computes in bfloat16 where the processor can
    }

    def open_model(w: Workload) -> Opened:
        model, _, x = model_of(w, "hoisted")
        compiled = core.compile_model(core.read_model(model), "CPU", settings)
        request = compiled.create_infer_request()
        inputs = {name: openvino.Tensor(array) for name, array in x.items()}

        def call() -> list:
            request.infer(inputs, share_inputs=True, share_outputs=True)
            return [request.get_output_tensor(n).data for n in range(len(compiled.outputs))]

        return call, lambda outputs: results_of(w, outputs)

    serve(f"OpenVINO {openvino.__version__.split('-')[0]}", open_model, data)


if __name__ == "__main__":
    main(*sys.argv[1:])
