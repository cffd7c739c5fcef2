"""Keras with its TensorFlow backend as a peer: worker_keras.py DATA THREADS call|xla|predict.

The functional model as its users write it: Bidirectional(LSTM), RepeatVector, Concatenate, Dense, Softmax and Dot in every
step (so a K_a is computed again in each), an LSTM of one step as decoder. `call` is the model in a tf.function, traced once;
`xla` the same compiled by XLA; `predict` is model.predict."""

import os
import sys

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from worker import Opened, serve
from workload import Workload


def lstm_weights(w: Workload, prefix: str) -> list[np.ndarray]:
    """As Keras stores them, which is as cuseq does."""
    return [w.tensors[f"{prefix}.{name}"] for name in ("kernel", "recurrent_kernel", "bias")]


def add_attention(w: Workload, annotations):
    """The function from a state [B,S] to a context [B,1,A], and its Dense layers with their tensors' names."""
    repeat, join, softmax, dot = (
        layers.RepeatVector(w.T),
        layers.Concatenate(),
        layers.Softmax(axis=1),
        layers.Dot(axes=1),
    )
    dense = [layers.Dense(w.keys, "tanh")]
    if w.keys > 1:
        dense.append(layers.Dense(1, "relu"))

    def attend(state):
        energies = join([annotations, repeat(state)])
        for layer in dense:
            energies = layer(energies)
        return dot([softmax(energies), annotations])

    return attend, dense


def make_model(w: Workload) -> keras.Model:
    """The model with the workload's weights."""
    x = keras.Input((w.T, w.F), batch_size=w.B)
    encoder = layers.Bidirectional(
        layers.LSTM(w.H, return_sequences=True, return_state=w.Y == 0 and not w.encode_only)
    )
    encoded = encoder(x)
    if w.encode_only:
        model = keras.Model(x, encoded)
    else:
        annotations = encoded if w.Y else encoded[0]
        attend, dense = add_attention(w, annotations)
        if w.Y:
            decoder, output = layers.LSTM(w.S, return_state=True), layers.Dense(w.V, "softmax")
            h = c = keras.ops.zeros((w.B, w.S))
            outputs = []
            for _ in range(w.Y):
                h, _, c = decoder(attend(h), initial_state=[h, c])
                outputs.append(output(h))
            model = keras.Model(x, keras.ops.stack(outputs, axis=1))
            decoder.set_weights(lstm_weights(w, "decoder"))
            output.set_weights([w.tensors["output.kernel"], w.tensors["output.bias"]])
        else:
            state = layers.Concatenate()([encoded[1], encoded[3]])
            model = keras.Model(x, [annotations, layers.Reshape((w.A,))(attend(state))])
        for n, layer in enumerate(dense):
            layer.set_weights([w.tensors[f"attention.layers.{n}.{name}"] for name in ("kernel", "bias")])
    encoder.set_weights(
        [a for d in ("forward", "backward") for a in lstm_weights(w, f"encoder.layers.0.{d}")]
    )
    return model


def main(data: str, threads: str, variant: str) -> None:
    tf.config.threading.set_intra_op_parallelism_threads(int(threads))
    tf.config.threading.set_inter_op_parallelism_threads(int(threads))

    def open_model(w: Workload) -> Opened:
        model = make_model(w)
        x = w.one_hot()

        def results(outputs: object) -> list[np.ndarray]:
            several = outputs if isinstance(outputs, (list, tuple)) else [outputs]
            return [np.asarray(output) for output in several]

        if variant == "predict":
            return lambda: model.predict(x, batch_size=w.B, verbose=0), results
        compiled = tf.function(lambda values: model(values, training=False), jit_compile=variant == "xla")
        tensor = tf.constant(x)
        return lambda: compiled(tensor), results

    serve(f"Keras {keras.__version__}, TensorFlow {tf.__version__}", open_model, data)


if __name__ == "__main__":
    main(*sys.argv[1:])
