"""A model in cuseq's format, run by Keras layers in float64: the LSTM, Bidirectional, LSTMCell, Dense,
Embedding, Softmax, Dot, Attention and AdditiveAttention of whichever Keras is installed, fed one step
at a time.
"""

import keras
import numpy as np

from golden_models import end_rows, sizes_of

layers = keras.layers
as_tensor = keras.ops.convert_to_tensor if hasattr(keras, "ops") else keras.backend.constant


def with_weights(layer, weights, *inputs, **options):
    """Calls a layer to build it, then with its weights."""
    layer(*inputs, **options)
    layer.set_weights([np.asarray(w, np.float64) for w in weights])
    return layer


def cell_weights(tensors, prefix):
    return [tensors[prefix + kind] for kind in ("kernel", "recurrent_kernel", "bias")]


def gates(part):
    return dict(
        activation=part.get("activation", "tanh"),
        recurrent_activation=part.get("recurrent_activation", "sigmoid").replace("_keras2", ""),
    )


def encode(config, tensors, x, lengths, start):
    encoder = config["encoder"]
    units, directions, _, _ = sizes_of(config)
    batch, time = x.shape[:2]
    mask = None if lengths is None else np.arange(time)[None] < lengths[:, None]
    final_h, final_c, a = [], [], x
    for index in range(encoder.get("layers", 1)):
        layer = layers.LSTM(units, return_sequences=True, return_state=True, **gates(encoder))
        prefixes = [f"encoder.layers.{index}.{d}." for d in ("forward", "backward")[:directions]]
        if directions == 2:
            layer = layers.Bidirectional(layer, merge_mode=encoder.get("merge", "concat"))
        weights = [w for prefix in prefixes for w in cell_weights(tensors, prefix)]
        options = {} if mask is None else {"mask": mask}
        if start is not None:
            rows = range(index * directions, (index + 1) * directions)
            options["initial_state"] = [as_tensor(s[row].astype(np.float64)) for row in rows for s in start]
        values = with_weights(layer, weights, a, **options)(a, **options)
        a, *states = [np.array(v) for v in values]
        if mask is not None:
            a[~mask] = 0
        final_h += states[0::2]
        final_c += states[1::2]
    result = {"annotations": a, "encoder_h": np.stack(final_h), "encoder_c": np.stack(final_c)}
    for index, side in enumerate(("fw", "bw")[:directions]):
        result["h_" + side], result["c_" + side] = final_h[index - directions], final_c[index - directions]
    return result, mask


def dense(tensors, prefix, activation, x):
    layer = layers.Dense(tensors[prefix + ".kernel"].shape[1], activation=activation)
    return with_weights(layer, [tensors[prefix + ".kernel"], tensors[prefix + ".bias"]], x)


def concat_attention(config, tensors, a, mask, state):
    scale = config["attention"].get("scale", 1)
    stack, u = [], np.zeros((*a.shape[:2], a.shape[2] + state))
    for index, layer in enumerate(config["attention"]["layers"]):
        stack.append(dense(tensors, f"attention.layers.{index}", layer.get("activation", "tanh"), u))
        u = np.array(stack[-1](u))
    softmax, dot = layers.Softmax(axis=1), layers.Dot(axes=1)

    def attend(s):
        u = layers.Concatenate()([a, np.repeat(s[:, None], a.shape[1], 1)])
        for layer in stack:
            u = layer(u)
        options = {} if mask is None else {"mask": mask}
        alphas = softmax(np.array(u)[..., 0] * scale, **options)
        return np.array(dot([alphas, a])), np.array(alphas)

    return attend


def layer_attention(config, tensors, a, mask, state):
    """dot, general, additive through Keras' own layers."""
    attention = config["attention"]
    scale = attention.get("scale", 1)
    query, key, layer, weights = None, None, None, []
    if attention["score"] == "additive":
        width = len(tensors["attention.value"])
        query = layers.Dense(width)
        bias = tensors.get("attention.bias", np.zeros(width))
        with_weights(query, [tensors["attention.query"], bias], np.zeros((1, 1, state)))
        mapping = with_weights(layers.Dense(width, use_bias=False), [tensors["attention.key"]], a)
        key = np.array(mapping(a))
        layer, weights = layers.AdditiveAttention(use_scale=True), [tensors["attention.value"] * scale]
    else:
        if attention["score"] == "general":
            query = layers.Dense(a.shape[2], use_bias=False)
            with_weights(query, [tensors["attention.general"].T], np.zeros((1, 1, state)))
        layer, weights = layers.Attention(use_scale=scale != 1), [np.float64(scale)] if scale != 1 else []

    def attend(s):
        q = np.array(query(s[:, None])) if query else s[:, None]
        inputs = [q, a] + ([key] if key is not None else [])
        options = dict(return_attention_scores=True)
        if mask is not None:
            options["mask"] = [None, mask] + ([None] if key is not None else [])
        if not layer.built or weights:
            with_weights(layer, weights, inputs, **options)
        context, alphas = [np.array(v)[:, 0] for v in layer(inputs, **options)]
        return context, alphas

    return attend


def initial_states(config, tensors, result, batch):
    part = config.get("decoder", config.get("state", {}))
    _, directions, _, state = sizes_of(config)
    rule = part.get("initial_state", "encoder")
    if rule == "zeros":
        return np.zeros((batch, state)), np.zeros((batch, state))
    states = []
    for kind in "hc":
        sides = [result[f"{kind}_{side}"] for side in ("fw", "bw")[:directions]]
        s = np.concatenate(sides, -1)
        if rule == "dense" and f"initial.{kind}.kernel" in tensors:
            s = np.array(dense(tensors, "initial." + kind, part.get("initial_activation", "linear"), s)(s))
        states.append(s)
    return states


def run(config, tensors, x, lengths=None, start=None, initial=None, previous=None):
    """The arrays of golden_models' docstring that come out."""
    if x.ndim == 2:
        x = np.eye(config["encoder"]["features"])[x]
    x = x.astype(np.float64)
    result, mask = encode(config, tensors, x, lengths, start)
    a, batch = result["annotations"], len(x)
    s, c = initial if initial is not None else initial_states(config, tensors, result, batch)
    s = np.asarray(s, np.float64)
    attend = (concat_attention if config["attention"]["score"] == "concat" else layer_attention)(
        config, tensors, a, mask, s.shape[1]
    )
    if "decoder" not in config:
        result["context"], result["alphas"] = attend(s)
        return result
    decoder, outputs = config["decoder"], config["output"]["units"]
    cell = layers.LSTMCell(s.shape[1], **gates(decoder))
    weights = cell_weights(tensors, "decoder.")
    with_weights(
        cell, weights, np.zeros((1, weights[0].shape[0])), [as_tensor(np.zeros((1, s.shape[1])))] * 2
    )
    last = dense(tensors, "output", config["output"].get("activation", "softmax"), s)
    table = tensors.get("decoder.embedding", np.eye(outputs))
    embedding = with_weights(layers.Embedding(*table.shape), [table], np.zeros(1, np.int32))
    token = previous if previous is not None else np.full(batch, decoder.get("start_token", 0), np.int32)
    rows = {name: [] for name in ("context", "alphas", "states", "outputs", "tokens", "cells")}
    for _ in range(decoder["steps"]):
        context, alphas = attend(s)
        fed = context
        if decoder.get("feedback") == "output":
            fed = np.concatenate([context, np.array(embedding(token))], -1)
        s, (_, c) = [
            v if isinstance(v, (list, tuple)) else np.array(v)
            for v in cell(as_tensor(fed), [as_tensor(s), as_tensor(c)])
        ]
        c = np.array(c)
        output = np.array(last(s))
        token = output.argmax(-1).astype(np.int32)
        for name, value in zip(rows, (context, alphas, s, output, token, c)):
            rows[name].append(value)
    cells = np.stack(rows.pop("cells"), 1)
    result.update({name: np.stack(values, 1) for name, values in rows.items()})
    states = result["states"].copy()
    ends = np.full(batch, decoder["steps"])
    if "end_token" in decoder:
        end_rows(result, decoder["end_token"])
        ends = result["output_lengths"]
    result["final_h"] = states[np.arange(batch), ends - 1]
    result["final_c"] = cells[np.arange(batch), ends - 1]
    return result
