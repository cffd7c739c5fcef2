"""Models of make_keras_files.py that are about what the file says beside the layers: which outputs the model
has and in which order, what its layers are called with, where masks go, and numbers that JSON has not."""

import numpy as np

from keras_cases import DOT, Case
from keras_models import T


def outputs(choose):
    """What the model gives, of its probes and parts."""
    return lambda keras, probes, parts: choose(probes["outputs"])


def beside(*names):
    """The outputs of the steps, and these probes."""

    def choose(keras, probes, parts):
        listed = list(probes["outputs"])
        for name in names:
            listed += probes[name] if isinstance(probes[name], list) else [probes[name]]
        return listed

    return choose


def joined(order, axis=1):
    """All steps side by side: along an axis of their own, or along the classes."""

    def choose(keras, probes, parts):
        steps = order(list(probes["outputs"]))
        if axis == 1:
            row = keras.layers.Reshape((1, steps[0].shape[-1]), name="row")
            steps = [row(step) for step in steps]
        return keras.layers.Concatenate(axis=axis, name="joined")(steps)

    return choose


def forward(steps):
    return steps


def backward(steps):
    return steps[::-1]


def transposed(keras, probes, parts):
    return keras.layers.Permute((2, 1), name="turned")(joined(forward)(keras, probes, parts))


def stacked_alphas(order):
    def choose(keras, probes, parts):
        row = keras.layers.Reshape((1, T), name="row")
        alphas = [row(a) for a in order(list(probes["alphas"]))]
        return [*probes["outputs"], keras.layers.Concatenate(axis=1, name="all_alphas")(alphas)]

    return choose


def with_part(choose):
    return lambda keras, probes, parts: [*probes["outputs"], choose(keras, probes, parts)]


def own_softmax(keras):
    """A class that has a function's name."""

    class softmax(keras.layers.Layer):
        def call(self, x):
            return x * 0.5

    return softmax()


def times_array(keras, x):
    return x * np.array([1, 2, 3, 4, 5], np.float32)


OUTPUTS = [
    Case(
        "outputs_joined",
        "all steps joined along an axis of their own",
        keras=(2, 3),
        steps=3,
        outputs=joined(forward),
    ),
    Case(
        "outputs_side_by_side",
        "all steps joined along the classes",
        steps=3,
        outputs=joined(forward, -1),
    ),
    Case(
        "outputs_of_one",
        "Concatenate(axis=1) of the Dense(1) of every step",
        keras=(2, 3),
        steps=3,
        classes=1,
        output="linear",
        outputs=joined(forward, -1),
    ),
    Case("outputs_first", "the first steps alone", steps=3, outputs=outputs(lambda o: o[:2])),
    Case(
        "outputs_beside",
        "alphas, contexts, states, annotations and final states beside the outputs",
        keras=(2, 3),
        kinds2=("keras",),
        initial="states",
        outputs=beside("alphas", "context", "states", "annotations", "h_fw", "c_fw", "h_bw", "c_bw"),
    ),
    Case(
        "outputs_alphas_joined",
        "the alphas of all steps as one output",
        steps=3,
        outputs=stacked_alphas(forward),
    ),
    Case(
        "outputs_last_cell",
        "the decoder's last states",
        outputs=with_part(lambda keras, probes, parts: parts["cells"][-1]),
    ),
    Case(
        "only_beside",
        "attention-only: context, alphas, annotations",
        attention_only=True,
        outputs=lambda keras, probes, parts: [
            probes["alphas"][0],
            probes["context"][0],
            probes["annotations"],
        ],
    ),
    Case(
        "outputs_dictionary",
        "a dictionary of outputs whose keys lie in the order of the steps",
        keras=(2, 3),
        kinds2=("keras",),
        steps=3,
        outputs=outputs(lambda o: {"b": o[1], "c": o[2], "a": o[0]}),
    ),
    Case(
        "bad_outputs_dictionary",
        "a dictionary of outputs whose keys lie in another order",
        "refuse output step 2 before",
        keras=(2, 3),
        steps=3,
        outputs=outputs(lambda o: {"b": o[0], "a": o[1], "c": o[2]}),
    ),
    Case(
        "bad_masked_unrolled",
        "unroll and a mask, where Keras 2 forgets to reverse it",
        "refuse encoder unroll",
        keras=(2,),
        **DOT,
        masking=True,
        encoder_options=dict(unroll=True)
    ),
    Case(
        "bad_scale",
        "a scale that is no number",
        "refuse attention_weights scale nan",
        **DOT,
        use_scale=True,
        spoil=lambda model: model.get_layer("attention_weights").set_weights([np.float32("nan")])
    ),
    Case("input_unused", "an input that nothing depends on", unused_input=True),
    Case(
        "infinite_optimizer",
        "Adam(clipvalue=inf): Infinity in the JSON",
        compiled=lambda k: k.optimizers.Adam(clipvalue=float("inf")),
    ),
    Case(
        "masking_infinite",
        "Masking(-inf), which Attention honours",
        kinds=("keras", "h5"),
        keras=(2, 3),
        **DOT,
        masking=True,
        mask_value=float("-inf")
    ),
    Case(
        "masking_nan",
        "Masking(nan), which masks nothing",
        keras=(2, 3),
        **DOT,
        masking=True,
        mask_value=float("nan")
    ),
    Case(
        "masking_lost",
        "an operation behind Masking, which ends the mask",
        keras=(2, 3),
        **DOT,
        masking=True,
        mask_lost=True,
        front=lambda k, x: x * 2.0
    ),
    Case(
        "bad_outputs_backward",
        "the steps in the other order",
        "refuse output step 3 before",
        steps=3,
        outputs=outputs(backward),
    ),
    Case(
        "bad_outputs_from_2",
        "all steps but the first",
        "refuse output step 1",
        keras=(2, 3),
        steps=3,
        outputs=outputs(lambda o: o[1:]),
    ),
    Case(
        "bad_outputs_last",
        "the last step alone",
        "refuse output step 1",
        steps=3,
        outputs=outputs(lambda o: o[-1]),
    ),
    Case(
        "bad_outputs_twice",
        "a step twice",
        "refuse output step 1 twice",
        steps=3,
        outputs=outputs(lambda o: o + o[:1]),
    ),
    Case(
        "bad_outputs_joined_backward",
        "Concatenate in the other order",
        "refuse output step 3 before",
        keras=(2, 3),
        steps=3,
        outputs=joined(backward),
    ),
    Case(
        "bad_outputs_side_by_side",
        "joined along the classes in the other order",
        "refuse output step 3 before",
        steps=3,
        outputs=joined(backward, -1),
    ),
    Case(
        "bad_outputs_transposed",
        "all steps as [batch, classes, steps]",
        "refuse output 1 [batch, 7, steps]",
        steps=3,
        outputs=transposed,
    ),
    Case(
        "bad_outputs_both",
        "all steps joined, and one of them again",
        "refuse output twice",
        steps=3,
        outputs=lambda k, p, q: [joined(forward)(k, p, q), p["outputs"][0]],
    ),
    Case(
        "bad_outputs_repeated",
        "a step's output repeated",
        "refuse output [batch, 2, 7]",
        steps=1,
        outputs=lambda k, p, q: k.layers.RepeatVector(2, name="again")(p["outputs"][0]),
    ),
    Case(
        "bad_outputs_second",
        "an output made of another one",
        "refuse output",
        steps=1,
        outputs=with_part(lambda k, p, q: k.layers.Dense(3, name="of_output")(p["outputs"][0])),
    ),
    Case(
        "bad_beside_alphas",
        "alphas joined in the other order",
        "refuse all_alphas output 4",
        steps=3,
        outputs=stacked_alphas(backward),
    ),
    Case(
        "bad_beside_context",
        "a Dense map of a context",
        "refuse of_context",
        outputs=with_part(lambda k, p, q: k.layers.Dense(2, name="of_context")(p["context"][0])),
    ),
    Case(
        "bad_beside_state",
        "the concatenated final state",
        "refuse h_both output 3 none",
        initial="states",
        outputs=with_part(lambda k, p, q: q["s0"]),
    ),
    Case(
        "bad_beside_cell",
        "a cell state of a step that is not the last",
        "refuse decoder output 3 none",
        outputs=with_part(lambda k, p, q: q["cells"][0]),
    ),
    Case(
        "bad_beside_layer",
        "the outputs of the encoder's first layer",
        "refuse encoder_0 output 3 none",
        encoder_layers=2,
        outputs=with_part(lambda k, p, q: q["lower"]),
    ),
    Case(
        "bad_beside_masked",
        "annotations of masked positions",
        "refuse padding output 3 annotations",
        **DOT,
        masking=True,
        outputs=beside("annotations")
    ),
    Case(
        "hidden_twice",
        "initial_state=[h, h]",
        initial="states",
        hidden_twice=True,
    ),
    Case(
        "bad_mask_given",
        "a mask of the author's own",
        "refuse encoder mask own_mask",
        keras=(2, 3),
        own_mask=True,
    ),
    Case(
        "bad_training",
        "Dropout called with training=True",
        "refuse always dropout",
        keras=(2, 3),
        front=lambda k, x: k.layers.Dropout(0.5, name="always")(x, training=True),
    ),
    Case("bad_array", "a product with an array", "refuse constant", keras=(2, 3), front=times_array),
    Case(
        "bad_class_softmax",
        "an activation that is a class called softmax",
        "refuse attention_weights softmax class",
        style="custom_softmax",
        softmax=own_softmax,
    ),
]
