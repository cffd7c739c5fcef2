"""Graphs with what PyTorch's exporters do not write: other settings of ONNX's LSTM and GRU."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

B, T, F, H, CLASSES = 3, 6, 4, 5, 3


class Graph:
    """A recurrent node over [batch, time, features] and a class for each position.
    layout 1, which ONNX Runtime does not know, is compared with the same of layout 0."""

    def __init__(self, name, operation, settings, lengths=None, peepholes=None, expectation="same", layout=0):
        self.name, self.operation, self.settings = name, operation, settings
        self.lengths, self.peepholes, self.expectation, self.layout = lengths, peepholes, expectation, layout

    def model(self, layout):
        random = np.random.default_rng(len(self.name))
        directions = 2 if self.settings.get("direction") == "bidirectional" else 1
        gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[self.operation]

        def weights(name, *shape):
            return numpy_helper.from_array((random.standard_normal(shape) * 0.5).astype(np.float32), name)

        initializers = [weights("W", directions, gates * H, F), weights("R", directions, gates * H, H),
                        weights("B", directions, 2 * gates * H), weights("out", directions * H, CLASSES),
                        numpy_helper.from_array(np.array([0, 0, -1], np.int64), "shape")]
        inputs, nodes = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", "time", F])], []
        names = ["x" if layout else "turned", "W", "R", "B", "lengths" if self.lengths else "", "", "", ""]
        if self.peepholes is not None:
            initializers.append(numpy_helper.from_array(np.full((directions, 3 * H), self.peepholes, np.float32), "P"))
            names[7] = "P"
        while not names[-1]:
            names.pop()
        if self.lengths:
            inputs.append(helper.make_tensor_value_info("lengths", TensorProto.INT32, ["batch"]))
        if not layout:
            nodes.append(helper.make_node("Transpose", ["x"], ["turned"], "turn", perm=[1, 0, 2]))
        extra = {"layout": 1} if layout else {}
        nodes.append(helper.make_node(self.operation, names, ["Y"], "recurrent", hidden_size=H, **self.settings, **extra))
        order = [0, 1, 2, 3] if layout else [2, 0, 1, 3]  # to [batch, time, directions, H]
        nodes += [helper.make_node("Transpose", ["Y"], ["rows"], "rows", perm=order),
                  helper.make_node("Reshape", ["rows", "shape"], ["joined"], "join"),
                  helper.make_node("MatMul", ["joined", "out"], ["output"], "classes")]
        graph = helper.make_graph(nodes, "handmade", inputs, [helper.make_tensor_value_info("output", TensorProto.FLOAT, None)], initializers)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)

    def feeds(self):
        x = np.random.default_rng(1).standard_normal((B, T, F)).astype(np.float32)
        return {"x": x, **({"lengths": np.array(self.lengths, np.int32)} if self.lengths else {})}


def graphs():
    both = {"direction": "bidirectional"}
    yield Graph("gru-reset-before", "GRU", {**both, "linear_before_reset": 0})
    yield Graph("gru-reset-before-lengths", "GRU", {**both, "linear_before_reset": 0}, lengths=[6, 2, 4])
    yield Graph("gru-reverse", "GRU", {"direction": "reverse", "linear_before_reset": 1})
    yield Graph("lstm-reverse-lengths", "LSTM", {"direction": "reverse"}, lengths=[3, 6, 5])
    yield Graph("lstm-layout", "LSTM", both, layout=1)
    yield Graph("gru-layout", "GRU", {"linear_before_reset": 1}, layout=1)
    yield Graph("lstm-activations", "LSTM", {**both, "activations": ["Sigmoid", "Relu", "Relu", "HardSigmoid", "Tanh", "Tanh"]})
    yield Graph("lstm-hard-sigmoid", "LSTM", {"activations": ["HardSigmoid", "Tanh", "Tanh"], "activation_alpha": [1 / 6],
                                              "activation_beta": [0.5]})
    yield Graph("gru-activations", "GRU", {"activations": ["Sigmoid", "Softsign"], "linear_before_reset": 1})
    yield Graph("lstm-zero-peepholes", "LSTM", both, peepholes=0.0)
    yield Graph("lstm-peepholes", "LSTM", both, peepholes=0.5, expectation="refuse 'recurrent' peepholes")
    yield Graph("lstm-clip", "LSTM", {**both, "clip": 1.0}, expectation="refuse 'recurrent' clips")
    yield Graph("lstm-coupled", "LSTM", {"input_forget": 1}, expectation="refuse 'recurrent' coupled")
    yield Graph("lstm-two-activations", "LSTM", {"activations": ["Sigmoid", "Tanh", "Relu"]}, expectation="refuse 'recurrent' candidate")
    yield Graph("lstm-affine", "LSTM", {"activations": ["Affine", "Tanh", "Tanh"]}, expectation="refuse 'recurrent' Affine")
    yield Graph("rnn", "RNN", {}, expectation="refuse 'recurrent' RNN")
