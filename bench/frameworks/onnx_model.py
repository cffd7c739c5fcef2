"""A workload as an ONNX graph, of the operators that exporters use: one bidirectional LSTM node, attention from MatMul,
Tanh, Relu and Softmax once per step, the decoder an LSTM node of one step, unrolled."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from workload import Workload


def gates_iofc(kernel: np.ndarray) -> np.ndarray:
    """[.,4H] in cuseq's order i,f,c,o as ONNX's [4H,.] in the order i,o,f,c."""
    i, f, c, o = np.split(kernel, 4, axis=-1)
    return np.concatenate([i, o, f, c], axis=-1).T


class Graph:
    """Collects nodes and constants."""

    def __init__(self) -> None:
        self.nodes: list = []
        self.constants: list = []
        self.count = 0

    def constant(self, array: np.ndarray) -> str:
        """A constant; its name."""
        name = f"constant{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def add(self, kind: str, *inputs: str, outputs: int = 1, **attributes: object) -> str | list[str]:
        """A node; the name of its output, or the names."""
        self.count += 1
        names = [f"value{self.count}_{n}" for n in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, **attributes))
        return names[0] if outputs == 1 else names

    def gru(self, prefixes: list[str], tensors: dict[str, np.ndarray], x: str, *state: str) -> list[str]:
        """A GRU node over x [T,B,F], its reset after the product; Y [T,D,B,H] and Y_h [D,B,H]."""
        kernel, recurrent, bias, second = (
            np.stack([tensors[f"{p}.{name}"].T for p in prefixes])  # gates z, r, n, as cuseq's
            for name in ("kernel", "recurrent_kernel", "bias", "recurrent_bias")
        )
        constants = (kernel, recurrent, np.concatenate([bias, second], axis=1))
        inputs = [x, *(self.constant(array) for array in constants)]
        if state:
            inputs += ["", *state]
        return self.add(
            "GRU",
            *inputs,
            outputs=2,
            hidden_size=recurrent.shape[2],
            linear_before_reset=1,
            direction="bidirectional" if len(prefixes) == 2 else "forward",
        )

    def model(self, inputs: dict[str, np.ndarray], outputs: list[str], kinds: list[int]) -> bytes:
        """The model's bytes; inputs by name, as they will be; kinds: the outputs' types."""
        names = {np.dtype(np.float32): TensorProto.FLOAT, np.dtype(np.int32): TensorProto.INT32}
        given = [
            helper.make_tensor_value_info(name, names[array.dtype], array.shape)
            for name, array in inputs.items()
        ]
        values = [helper.make_tensor_value_info(name, kind, None) for name, kind in zip(outputs, kinds)]
        made = helper.make_graph(self.nodes, "workload", given, values, self.constants)
        model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)])
        model.ir_version = 8
        return model.SerializeToString()

    def lstm(
        self,
        prefixes: list[str],
        tensors: dict[str, np.ndarray],
        x: str,
        *state: str,
        lengths: str = "",
    ) -> list[str]:
        """An LSTM node over x [T,B,F]; Y [T,D,B,H], Y_h and Y_c [D,B,H]."""
        kernel = np.stack([gates_iofc(tensors[f"{p}.kernel"]) for p in prefixes])
        recurrent = np.stack([gates_iofc(tensors[f"{p}.recurrent_kernel"]) for p in prefixes])
        bias = np.stack([gates_iofc(tensors[f"{p}.bias"]) for p in prefixes])
        bias = np.concatenate([bias, np.zeros_like(bias)], axis=1)
        inputs = [x, *(self.constant(array) for array in (kernel, recurrent, bias))]
        if state or lengths:
            inputs += [lengths, *state]
        return self.add(
            "LSTM",
            *inputs,
            outputs=3,
            hidden_size=recurrent.shape[2],
            direction="bidirectional" if len(prefixes) == 2 else "forward",
        )


def attention(graph: Graph, w: Workload, hoist: bool, annotations: str):
    """Gives the function that makes a context [B,A] of a state [B,S]. hoist: a K_a is computed once, not in every step."""
    kernel, bias = w.tensors["attention.layers.0.kernel"], w.tensors["attention.layers.0.bias"]
    axis1 = graph.constant(np.array([1], np.int64))
    if hoist:
        keys = graph.add("MatMul", annotations, graph.constant(kernel[: w.A]))
        keys = graph.add("Add", keys, graph.constant(bias))
        query_kernel = graph.constant(kernel[w.A :])
    else:
        whole, whole_bias = graph.constant(kernel), graph.constant(bias)
        shape = graph.constant(np.array([w.B, w.T, kernel.shape[0] - w.A], np.int64))

    def step(state: str) -> str:
        if hoist:
            query = graph.add("Unsqueeze", graph.add("MatMul", state, query_kernel), axis1)
            energies = graph.add("Tanh", graph.add("Add", keys, query))
        else:
            repeated = graph.add("Expand", graph.add("Unsqueeze", state, axis1), shape)
            both = graph.add("Concat", annotations, repeated, axis=2)
            energies = graph.add("Tanh", graph.add("Add", graph.add("MatMul", both, whole), whole_bias))
        if w.keys > 1:
            second = graph.constant(w.tensors["attention.layers.1.kernel"])
            energies = graph.add(
                "Add",
                graph.add("MatMul", energies, second),
                graph.constant(w.tensors["attention.layers.1.bias"]),
            )
            energies = graph.add("Relu", energies)
        alphas = graph.add("Softmax", energies, axis=1)
        context = graph.add("MatMul", graph.add("Transpose", alphas, perm=[0, 2, 1]), annotations)
        return graph.add("Squeeze", context, axis1)

    return step


def make_model(w: Workload, hoist: bool) -> tuple[bytes, list[str]]:
    """The model's bytes and its outputs: what worker.py verifies; W3 and W4 as the node gives them, [T,2,B,H]."""
    graph = Graph()
    directions = [f"encoder.layers.0.{d}" for d in ("forward", "backward")]
    y, h, _ = graph.lstm(directions, w.tensors, "x")
    outputs = [y]
    if not w.encode_only:
        annotations = graph.add("Transpose", y, perm=[2, 0, 1, 3])
        annotations = graph.add("Reshape", annotations, graph.constant(np.array([w.B, w.T, w.A], np.int64)))
        step = attention(graph, w, hoist, annotations)
        if w.Y == 0:
            state = graph.add("Transpose", h, perm=[1, 0, 2])
            state = graph.add("Reshape", state, graph.constant(np.array([w.B, w.A], np.int64)))
            outputs = [annotations, step(state)]
        else:
            outputs = [decoder(graph, w, step)]
    x = {"x": np.zeros((w.T, w.B, w.F), np.float32)}
    return graph.model(x, outputs, [TensorProto.FLOAT] * len(outputs)), outputs


def decoder(graph: Graph, w: Workload, step) -> str:
    """The unrolled decoder; its outputs [B,Y,V]."""
    axis0, axis1 = (graph.constant(np.array([axis], np.int64)) for axis in (0, 1))
    h = c = graph.constant(np.zeros((1, w.B, w.S), np.float32))
    out, out_bias = graph.constant(w.tensors["output.kernel"]), graph.constant(w.tensors["output.bias"])
    steps = []
    for _ in range(w.Y):
        context = step(graph.add("Squeeze", h, axis0))
        _, h, c = graph.lstm(["decoder"], w.tensors, graph.add("Unsqueeze", context, axis0), h, c)
        logits = graph.add("Gemm", graph.add("Squeeze", h, axis0), out, out_bias)
        steps.append(graph.add("Unsqueeze", graph.add("Softmax", logits, axis=1), axis1))
    return graph.add("Concat", *steps, axis=1)
