"""ask_keys.py [tensorflow]: prints as JSON which keys the Keras that is installed here (or TensorFlow's
own) writes into the configurations of its layers and operations. Runs under every Python and Keras since
2018."""

import json
import os
import sys

if sys.version_info >= (3, 9):
    os.environ.setdefault("KERAS_BACKEND", "numpy")  # Keras 3 alone has it, and runs on no earlier Python
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

if sys.argv[1:] == ["tensorflow"]:
    from tensorflow import keras
else:
    import keras
L = keras.layers
VERSION = keras.__version__
TENSORFLOW = "tensorflow" in keras.__name__  # TensorFlow's own, whose versions are not those of Keras'

MORE = [
    {},
    dict(dtype="float64"),
    dict(trainable=False),
    dict(batch_input_shape=(2, 3, 4)),
    dict(activity_regularizer="l2"),
]


def wanted():
    """(class, settings to make one with): each with as little as it takes, and with all that adds keys."""
    lstm = lambda: L.LSTM(2, return_sequences=True)
    return [
        ("Embedding", dict(input_dim=5, output_dim=2)),
        ("Embedding", dict(input_dim=5, output_dim=2, mask_zero=True, input_length=4)),
        ("Embedding", dict(input_dim=5, output_dim=2, mask_zero=True, weights=None)),
        ("Embedding", dict(input_dim=5, output_dim=2, lora_rank=1)),
        ("Embedding", dict(input_dim=5, output_dim=2, lora_rank=1, lora_alpha=2)),
        ("Masking", {}),
        ("LSTM", dict(units=2)),
        ("LSTM", dict(units=2, return_sequences=True, return_state=True, dropout=0.1, unroll=True)),
        ("LSTM", dict(units=2, time_major=True)),
        ("LSTM", dict(units=2, zero_output_for_mask=True, return_sequences=True)),
        ("LSTM", dict(units=2, stateful=True, seed=1)),
        ("GRU", dict(units=2)),
        ("GRU", dict(units=2, return_sequences=True, return_state=True, dropout=0.1, unroll=True)),
        ("GRU", dict(units=2, reset_after=True)),
        ("GRU", dict(units=2, time_major=True)),
        ("GRU", dict(units=2, zero_output_for_mask=True, return_sequences=True)),
        ("GRU", dict(units=2, stateful=True, seed=1)),
        ("SimpleRNN", dict(units=2)),
        ("SimpleRNN", dict(units=2, return_sequences=True, return_state=True, dropout=0.1, unroll=True)),
        ("SimpleRNN", dict(units=2, zero_output_for_mask=True, return_sequences=True)),
        ("SimpleRNN", dict(units=2, stateful=True, seed=1)),
        ("SimpleRNNCell", dict(units=2)),
        ("SimpleRNNCell", dict(units=2, seed=1, dropout=0.1)),
        ("GRUCell", dict(units=2)),
        ("GRUCell", dict(units=2, reset_after=True)),
        ("GRUCell", dict(units=2, seed=1, dropout=0.1)),
        ("RNN", dict(cell=lambda: L.LSTMCell(2))),
        ("RNN", dict(cell=lambda: L.LSTMCell(2), return_state=True, return_sequences=True)),
        ("LSTMCell", dict(units=2)),
        ("LSTMCell", dict(units=2, seed=1, dropout=0.1)),
        ("Bidirectional", dict(layer=lstm)),
        (
            "Bidirectional",
            dict(layer=lstm, backward_layer=lambda: L.LSTM(2, return_sequences=True, go_backwards=True)),
        ),
        ("Dense", dict(units=2)),
        ("Dense", dict(units=2, activation="tanh", use_bias=False)),
        ("Dense", dict(units=2, kernel_regularizer="l2", activity_regularizer="l2")),
        ("Dense", dict(units=2, lora_rank=1)),
        ("Dense", dict(units=2, lora_rank=1, lora_alpha=2)),
        ("Conv1D", dict(filters=2, kernel_size=2)),
        ("Conv1D", dict(filters=2, kernel_size=2, padding="causal", activation="relu", groups=1)),
        ("MaxPooling1D", {}),
        ("MaxPooling1D", dict(pool_size=3, strides=2, padding="same")),
        ("AveragePooling1D", dict(pool_size=2)),
        ("Cropping1D", {}),
        ("ZeroPadding1D", {}),
        ("TimeDistributed", dict(layer=lambda: L.Dense(1))),
        ("Activation", dict(activation="tanh")),
        ("Softmax", dict(axis=1)),
        ("ReLU", {}),
        ("ReLU", dict(max_value=6)),
        ("LeakyReLU", {}),
        ("PReLU", {}),
        ("PReLU", dict(shared_axes=[1])),
        ("ELU", {}),
        ("BatchNormalization", {}),
        ("BatchNormalization", dict(center=False, scale=False)),
        ("BatchNormalization", dict(renorm=True)),
        ("BatchNormalization", dict(virtual_batch_size=2)),
        ("BatchNormalization", dict(synchronized=True)),
        ("Normalization", {}),
        ("Normalization", dict(mean=1.0, variance=2.0)),
        ("Normalization", dict(invert=True)),
        ("Rescaling", dict(scale=2.0)),
        ("Rescaling", dict(scale=2.0, offset=1.0)),
        ("RepeatVector", dict(n=3)),
        ("Reshape", dict(target_shape=(1, 2))),
        ("Flatten", {}),
        ("Permute", dict(dims=(2, 1))),
        ("Concatenate", {}),
        ("Add", {}),
        ("Multiply", {}),
        ("Subtract", {}),
        ("Average", {}),
        ("Maximum", {}),
        ("Dot", dict(axes=1)),
        ("Attention", {}),
        ("Attention", dict(use_scale=True, causal=True)),
        ("Attention", dict(score_mode="concat", dropout=0.1)),
        ("Attention", dict(dropout=0.1, seed=1)),
        ("AdditiveAttention", {}),
        ("AdditiveAttention", dict(use_scale=False, causal=True)),
        ("AdditiveAttention", dict(dropout=0.1)),
        ("AdditiveAttention", dict(dropout=0.1, seed=1)),
        ("MultiHeadAttention", dict(num_heads=2, key_dim=3)),
        ("MultiHeadAttention", dict(num_heads=2, key_dim=3, value_dim=4, use_bias=False, output_shape=5)),
        ("MultiHeadAttention", dict(num_heads=1, key_dim=3, dropout=0.1)),
        ("MultiHeadAttention", dict(num_heads=1, key_dim=3, seed=1)),
        ("MultiHeadAttention", dict(num_heads=1, key_dim=3, use_gate=True)),
        ("MultiHeadAttention", dict(num_heads=1, key_dim=3, sliding_window=2)),
        ("GlobalAveragePooling1D", {}),
        ("GlobalAveragePooling1D", dict(keepdims=True)),
        ("GlobalMaxPooling1D", {}),
        ("GlobalMaxPooling1D", dict(keepdims=True)),
        ("Dropout", dict(rate=0.1)),
        ("Dropout", dict(rate=0.1, noise_shape=(1, 2), seed=1)),
        ("SpatialDropout1D", dict(rate=0.1)),
        ("SpatialDropout1D", dict(rate=0.1, seed=1)),
        ("GaussianNoise", dict(stddev=0.1)),
        ("GaussianNoise", dict(stddev=0.1, seed=1)),
        ("GaussianDropout", dict(rate=0.1)),
        ("GaussianDropout", dict(rate=0.1, seed=1)),
        ("AlphaDropout", dict(rate=0.1)),
        ("AlphaDropout", dict(rate=0.1, seed=1)),
        ("ActivityRegularization", {}),
        ("Identity", {}),
    ]


def made(name, settings, **more):
    """A layer, or None where this Keras has no such class or takes no such settings."""
    if not hasattr(L, name):
        return None
    given = {key: value() if callable(value) else value for key, value in settings.items()}
    try:
        return getattr(L, name)(**dict(given, **more))
    except (TypeError, ValueError):
        return None


def layers():
    """(class, keys of its configuration), as often as there are ways of making one."""
    for name, settings in wanted():
        for more in MORE:
            layer = made(name, settings, **more)
            if layer is not None:
                yield name, list(layer.get_config())


def inputs():
    """InputLayers, by themselves and as keras.Input makes them."""
    for settings in (dict(), dict(sparse=True), dict(ragged=True), dict(optional=True), dict(dtype="int32")):
        try:
            tensor = keras.Input((3, 4), **settings)
        except (TypeError, ValueError):
            continue
        source = tensor._keras_history
        yield "InputLayer", list((getattr(source, "operation", None) or source[0]).get_config())


def built():
    """Layers that a model has built, of which a configuration may say more."""
    x = keras.Input((3, 4))
    a = L.LSTM(4, return_sequences=True)(x)
    y = L.Dense(2)(L.Flatten()(L.Dot(axes=1)([L.Softmax(axis=1)(L.Dense(1)(a)), a])))
    model = keras.Model(x, y)
    for layer in model.layers:
        yield layer.__class__.__name__, list(layer.get_config())
    if hasattr(L.Dense, "enable_lora"):
        dense = model.layers[-1]
        dense.enable_lora(1)
        yield "Dense", list(dense.get_config())


def operations():
    """Those of keras.ops that stand in a graph like layers: Keras 3."""
    if not hasattr(keras, "ops"):
        return
    o, a, b = keras.ops, keras.Input((3, 4)), keras.Input((3, 4))
    ids = keras.Input((3,), dtype="int32")
    results = [
        o.add(a, b),
        o.multiply(a, b),
        o.sum(a, axis=1),
        o.sum(a, axis=1, keepdims=True),
        o.softmax(a, axis=1),
        o.tanh(a),
        o.matmul(a, o.transpose(b, (0, 2, 1))),
        o.transpose(a, (0, 2, 1)),
        o.sigmoid(a),
        o.relu(a),
        o.concatenate([a, b], axis=1),
        o.stack([a, b], axis=1),
        o.expand_dims(a, 1),
        o.squeeze(o.expand_dims(a, 1), 1),
        o.reshape(a, (-1, 12)),
        o.zeros_like(a),
        o.zeros_like(a, dtype="float32"),
        o.argmax(a, axis=-1),
        o.one_hot(ids, 5),
        o.not_equal(a, b),
        o.any(o.not_equal(a, b), axis=-1),
        a + b,
        a * b,
        a + 1.0,
        a @ o.transpose(b, (0, 2, 1)),
        o.subtract(a, b),
        o.divide(a, b),
        a / 2.0,
        -a,
        o.maximum(a, b),
        o.mean(a, axis=1),
        o.max(a, axis=1),
        o.elu(a),
        o.selu(a),
        o.gelu(a),
        o.silu(a),
        o.softplus(a),
        o.softsign(a),
        o.hard_sigmoid(a),
        o.leaky_relu(a),
        o.log_softmax(a),
        o.exp(a),
        a[:, -1],
        o.take(a, 0, axis=1),
        o.split(a, 2, axis=2)[0],
        o.unstack(a, axis=1)[0],
        o.flip(a, axis=1),
        o.repeat(a, 2, axis=1),
    ]
    for result in results:
        operation = result._keras_history.operation
        yield operation.__class__.__name__, list(keras.saving.serialize_keras_object(operation)["config"])


def lambdas():
    """TensorFlow's functions in a graph of Keras 2."""
    if VERSION.startswith("3") or "TFOpLambda" not in dir(sys.modules.get("keras.layers.core", L)):
        return
    import tensorflow

    x = keras.Input((3, 4))
    for tensor in (tensorflow.reduce_sum(x, axis=1), x[:, 0]):
        layer = tensor._keras_history[0]
        yield layer.__class__.__name__, list(layer.get_config())


def main():
    found = {"layers": {}, "operations": {}}
    for kind, sources in (("layers", (layers, inputs, built, lambdas)), ("operations", (operations,))):
        for source in sources:
            for name, keys in source():
                if sorted(keys) not in found[kind].setdefault(name, []):
                    found[kind][name].append(sorted(keys))
    print(json.dumps(dict(found, version=VERSION, tensorflow=TENSORFLOW)))


if __name__ == "__main__":
    main()
