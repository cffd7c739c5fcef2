"""The date model in Triton's Python backend, by cuseq's Python package: what libtriton_cuseq.so is measured beside."""

import os
import sys

sys.path[:0] = os.environ["CUSEQ_PACKAGES"].split(os.pathsep)  # the backend does not look at PYTHONPATH

import cuseq  # noqa: E402
import numpy as np  # noqa: E402
import triton_python_backend_utils as utils  # noqa: E402


class TritonPythonModel:
    def initialize(self, args):
        self.model = cuseq.load(os.path.join(args["model_repository"], args["model_version"], "model.safetensors"))

    def execute(self, requests):
        """All requests of a batch are one call."""
        given = [utils.get_input_tensor_by_name(request, "TEXT").as_numpy() for request in requests]
        texts = [text.decode() for array in given for text in array.ravel()]
        outputs = list(self.model.translate(texts, threads=1, batch=len(texts)))
        responses, first = [], 0
        for array in given:
            part = np.array([[text] for text in outputs[first : first + len(array)]], dtype=object)
            first += len(array)
            responses.append(utils.InferenceResponse(output_tensors=[utils.Tensor("TEXT", part)]))
        return responses
