"""The models that make_keras_files.py writes and that must be refused: graphs that cuseq cannot express."""

from keras_cases import Case, with_layer
from keras_models import F, H, T, Graph, build
from keras_structures import classifier


def custom_layer(keras):
    class Tilt(keras.layers.Layer):
        def call(self, inputs):
            return inputs * 0.5

    return Tilt(name="tilted_layer")


def own_model(keras):
    """A model whose class has a name of Keras' and halves what comes out."""

    class Model(keras.Model):
        def call(self, inputs, training=None, mask=None):
            return [output * 0.5 for output in super().call(inputs, training=training, mask=mask)]

    model = build(keras).model
    return Graph(Model(model.inputs, model.outputs), {})


def manual_attention(keras):
    """The notebook's model with an attention layer of its own."""
    from custom_layer import Sizes, build

    return Graph(build("encoder", False, Sizes())[0], {})


def teacher_forcing(keras):
    """The decoder's input has the previous output in it as one more input of the model."""
    layers = keras.layers
    x, given, s0, c0 = (
        keras.Input((T, F)),
        keras.Input((1, 2), name="given"),
        keras.Input((4,)),
        keras.Input((4,)),
    )
    a = layers.Bidirectional(layers.LSTM(H, return_sequences=True))(x)
    u = layers.Concatenate()([a, layers.RepeatVector(T)(s0)])
    alphas = layers.Softmax(axis=1)(layers.Dense(1)(u))
    cell_input = layers.Concatenate(name="context_and_given")([layers.Dot(axes=1)([alphas, a]), given])
    s, _, _ = layers.LSTM(4, return_state=True)(cell_input, initial_state=[s0, c0])
    return Graph(keras.Model([x, given, s0, c0], layers.Dense(3, activation="softmax")(s)), {})


def self_attention(keras):
    layers = keras.layers
    x = keras.Input((T, F))
    a = layers.Bidirectional(layers.LSTM(H, return_sequences=True))(x)
    return Graph(keras.Model(x, layers.MultiHeadAttention(2, 3, name="many_heads")(a, a, use_causal_mask=True)), {})


REFUSALS = [
    Case(
        "bad_own_model",
        "a model of a class called Model that is not Keras'",
        "refuse model class author Model",
        keras=(2, 3),
        kinds=("keras", "h5"),
        kinds2=("keras", "h5"),
        graph=own_model,
    ),
    Case(
        "bad_manual_attention",
        "a hand-written attention layer: its page is named",
        "refuse manual_attention ManualAttention author docs/from-keras.md",
        kinds=("keras",),
        keras=(2, 3),
        kinds2=("keras",),
        graph=manual_attention,
    ),
    Case(
        "bad_manual_attention_legacy",
        "the same in a file that does not say whose class it is",
        "refuse manual_attention ManualAttention own: docs/from-keras.md",
        kinds=("h5",),
        keras=(2, 3),
        graph=manual_attention,
    ),
    Case(
        "bad_go_backwards",
        "an encoder that only reads backwards",
        "refuse encoder go_backwards",
        bidirectional=False,
        encoder_options=dict(go_backwards=True),
    ),
    Case(
        "bad_batch_normalization",
        "a layer that is not a sequence model's",
        "refuse normal",
        front=with_layer(lambda l: l.BatchNormalization(name="normal")),
    ),
    Case(
        "bad_convolution",
        "a convolution in front",
        "refuse convolved",
        keras=(2, 3),
        kinds=("h5",),
        front=with_layer(lambda l: l.Conv1D(4, 2, name="convolved")),
    ),
    Case(
        "bad_lambda",
        "code in the file",
        "refuse lambda_in_front",
        keras=(2,),
        kinds=("h5",),
        front=with_layer(lambda l: l.Lambda(lambda x: x * 2, name="lambda_in_front")),
    ),
    Case(
        "bad_custom_layer",
        "a layer that nobody else knows",
        "refuse tilted_layer docs/from-keras.md",
        kinds=("keras", "h5"),
        keras=(2, 3),
        front=lambda keras, x: custom_layer(keras)(x),
    ),
    Case("odd_activation", "cells with softsign", activation="softsign"),
    Case("odd_recurrent_activation", "gates with tanh", recurrent_activation="tanh"),
    Case("odd_attention_activation", "energies with elu", dense=((4, "elu"), (1, None))),
    Case("output_sigmoid", "outputs with sigmoid", output="sigmoid"),
    Case(
        "bad_softmax_axis",
        "softmax over the one unit, not over time",
        "refuse attention_weights",
        softmax_axis=-1,
    ),
    Case(
        "bad_masking",
        "Masking in front of a hand-written attention, which ignores it",
        "refuse padding",
        keras=(2, 3),
        masking=True,
        style="flat",
    ),
    Case(
        "bad_mask_zero",
        "Embedding(mask_zero) in front of a hand-written attention",
        "refuse characters",
        tokens=True,
        mask_zero=True,
        style="flat",
    ),
    Case("swapped_states", "h and c exchanged", initial="states", swapped_states=True),
    Case(
        "swapped_directions",
        "concat(h_bw, h_fw)",
        "same-or-refuse h_both",
        initial="states",
        swapped_directions=True,
    ),
    Case("bad_unshared", "another output layer at each step", "refuse output", unshared=True),
    Case(
        "two_output_layers",
        "a Dense between the decoder and the output",
        steps=1,
        before_output=lambda keras, s: keras.layers.Dense(4, activation="tanh", name="between")(s),
    ),
    Case("bad_teacher_forcing", "a further input fed to the decoder", "refuse given", graph=teacher_forcing),
    Case("bad_self_attention", "MultiHeadAttention with a causal mask", "refuse many_heads causal", graph=self_attention),
    Case(
        "classifier",
        "a Sequential LSTM classifier: no attention in it",
        kinds=("keras", "h5"),
        keras=(2, 3),
        graph=classifier,
    ),
]
