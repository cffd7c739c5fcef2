"""The models that make_keras_files.py writes and that convert: what each covers."""

from keras_models import H, build


class Case:
    def __init__(
        self,
        name,
        covers,
        expectation="same",
        kinds=("keras",),
        keras=(3,),
        kinds2=None,
        trained=False,
        saved="float32",
        graph=build,
        spoil=None,
        only=None,
        packed=False,
        said=None,
        **options
    ):
        self.name, self.covers, self.expectation = name, covers, expectation
        self.kinds, self.keras = kinds, keras
        self.keras2_kinds = kinds2 or ("h5",)
        self.packed = packed  # the .h5 is written again in a smaller layout
        self.only = only  # the one version, "3.2", that makes it
        self.trained, self.saved, self.graph, self.options = trained, saved, graph, options
        self.said = said  # to convert: what functions of the author's own compute
        self.spoil = spoil  # what is done to the model before it is saved

    def build(self, keras):
        if "softmax" in self.options:
            return self.graph(keras, **dict(self.options, softmax=self.options["softmax"](keras)))
        return self.graph(keras, **self.options)


def exercise_softmax(name="softmax", package=None):
    """The exercise's own function, softmax over axis 1, which a file knows by its name only."""

    def make(keras):
        def softmax(x, axis=1):
            return keras.activations.softmax(x, axis=axis)

        softmax.__name__ = softmax.__qualname__ = name
        if package:
            keras.saving.register_keras_serializable(package)(softmax)
        return softmax

    return make


def with_layer(make):
    return lambda keras, x: make(keras.layers)(x)


def factors(*numbers):
    """What multiplies the input by numbers, one after the other."""

    def front(keras, x):
        for number in numbers:
            x = x * number
        return x

    return front


ADDITIVE = dict(score="AdditiveAttention", query_units=4, key_units=4, use_scale=True)
DOT = dict(score="Attention", units=2 * H)

CASES = [
    Case(
        "exercise",
        "the exercise's graph; saved with its optimizer",
        kinds=("keras", "h5"),
        keras=(2, 3),
        kinds2=("keras", "h5"),
        trained=True,
        steps=3,
    ),
    Case(
        "exercise_hard",
        "hard_sigmoid, which Keras 2 and Keras 3 compute differently",
        kinds=("keras", "h5"),
        keras=(2, 3),
        kinds2=("keras", "h5"),
        recurrent_activation="hard_sigmoid",
    ),
    Case(
        "exercise_own_softmax",
        "the softmax over time is the author's function, known by name only",
        kinds=("keras", "h5"),
        keras=(2, 3),
        kinds2=("h5",),
        said="softmax=softmax_axis1",
        style="custom_softmax",
        softmax=exercise_softmax(),
    ),
    Case("one_dense", "attention of one Dense layer, tanh", keras=(2, 3), dense=((1, "tanh"),)),
    Case("one_dense_linear", "attention of one Dense layer, linear", dense=((1, None),)),
    Case(
        "three_dense", "attention of three Dense layers", dense=((5, "relu"), (4, "sigmoid"), (1, "linear"))
    ),
    Case(
        "state_first",
        "concat(s, a): the rows of the first kernel lie in the other order",
        keras=(2, 3),
        state_first=True,
    ),
    Case(
        "flat",
        "energies flattened, Activation softmax over time, Dot gives a plain vector",
        kinds=("keras", "h5"),
        keras=(2, 3),
        style="flat",
    ),
    Case(
        "time_distributed",
        "the attention's Dense layers inside TimeDistributed",
        keras=(2, 3),
        time_distributed=True,
    ),
    Case("stacked", "two bidirectional layers", keras=(2, 3), encoder_layers=2),
    Case(
        "stacked_forward",
        "three forward layers, dropout between",
        bidirectional=False,
        encoder_layers=3,
        dropout=True,
    ),
    Case(
        "stacked_sum",
        "two bidirectional layers, merge_mode sum",
        encoder_layers=2,
        merge="sum",
        initial="states",
    ),
    Case(
        "stacked_uneven",
        "two layers of different widths",
        "same-or-refuse encoder",
        encoder_layers=2,
        widening=1,
    ),
    Case(
        "forward",
        "a forward encoder alone, states from inputs",
        kinds=("keras", "h5"),
        keras=(2, 3),
        bidirectional=False,
    ),
    Case(
        "forward_states",
        "a forward encoder whose final states start the decoder",
        keras=(2, 3),
        bidirectional=False,
        initial="states",
    ),
    Case("forward_dense", "final states through Dense layers", bidirectional=False, initial="dense"),
    Case(
        "states",
        "initial states concat(h_fw, h_bw), concat(c_fw, c_bw)",
        kinds=("keras", "h5"),
        keras=(2, 3),
        kinds2=("keras", "h5"),
        initial="states",
    ),
    Case("dense_states", "initial states through Dense tanh", keras=(2, 3), initial="dense"),
    Case(
        "dense_states_linear",
        "initial states through Dense linear",
        initial="dense",
        initial_activation="linear",
    ),
    Case("no_bias", "use_bias=False everywhere", keras=(2, 3), use_bias=False),
    Case("merge_sum", "merge_mode sum", merge="sum"),
    Case("merge_mul", "merge_mode mul", merge="mul"),
    Case("merge_ave", "merge_mode ave", keras=(2, 3), merge="ave"),
    Case(
        "merge_none",
        "merge_mode None and a Concatenate of one's own",
        "same-or-refuse encoder",
        merge=None,
    ),
    Case("relu", "cells with relu", activation="relu", encoder_options=dict(unit_forget_bias=False)),
    Case(
        "linear_cells", "linear cells, hard_sigmoid", activation="linear", recurrent_activation="hard_sigmoid"
    ),
    Case("linear_output", "linear outputs", output="linear"),
    Case(
        "one_step",
        "one decoder step: the graph repeats nothing",
        kinds=("keras", "h5"),
        keras=(2, 3),
        steps=1,
    ),
    Case(
        "dropout",
        "dropout everywhere, which does nothing at inference; a regularizer",
        keras=(2, 3),
        encoder_options=dict(dropout=0.2, recurrent_dropout=0.1, kernel_regularizer="l2"),
        front=with_layer(lambda l: l.SpatialDropout1D(0.2, name="spatial")),
    ),
    Case(
        "unrolled",
        "unroll and implementation, which change no number",
        encoder_options=dict(unroll=True),
        decoder_options=dict(unroll=True),
    ),
    Case(
        "names",
        "unusual layer names",
        keras=(2, 3),
        kinds2=("keras", "h5"),
        names=dict(
            encoder="lstm",
            repeat="dense",
            concatenate="softmax",
            dense="decoder",
            softmax="dot",
            dot="b.c-d_e",
            decoder="encoder",
            output="context",
        ),
    ),
    Case(
        "embedding",
        "Embedding in front: token ids",
        kinds=("keras", "h5"),
        keras=(2, 3),
        kinds2=("keras", "h5"),
        tokens=True,
    ),
    Case("embedding_wide", "Embedding wider than the vocabulary", tokens=True, features=12),
    Case("float64", "saved in float64", saved="float64"),
    Case("additive", "AdditiveAttention, Dense maps without biases", kinds=("keras", "h5"), **ADDITIVE),
    Case(
        "additive_wide",
        "AdditiveAttention, as wide as the annotations (Keras 2 takes no other scale)",
        kinds=("keras", "h5"),
        keras=(2,),
        score="AdditiveAttention",
        query_units=2 * H,
        key_units=2 * H,
        use_scale=True,
    ),
    Case(
        "additive_biases",
        "AdditiveAttention, Dense maps with biases",
        **ADDITIVE,
        query_bias=True,
        key_bias=True
    ),
    Case(
        "additive_unscaled", "AdditiveAttention without its scale vector", **dict(ADDITIVE, use_scale=False)
    ),
    Case(
        "additive_bare",
        "AdditiveAttention straight between state and annotations",
        **dict(DOT, score="AdditiveAttention", use_scale=True)
    ),
    Case("dot", "Attention between state and annotations", keras=(2, 3), **DOT),
    Case("dot_plain_call", "Attention called without its scores", **DOT, probing=False),
    Case("dot_scaled", "Attention with its scale", keras=(2, 3), **DOT, use_scale=True),
    Case(
        "dot_states",
        "Attention, initial states from the encoder, any length",
        time=None,
        score="Attention",
        initial="states",
    ),
    Case(
        "general",
        "Attention with a Dense map of the state",
        keras=(2, 3),
        score="Attention",
        query_units=2 * H,
    ),
    Case(
        "general_bias",
        "Attention with a biased map of the state: a.b depends on t",
        "same-or-refuse query_map",
        score="Attention",
        query_units=2 * H,
        query_bias=True,
    ),
    Case("general_key", "Attention with a Dense map of the annotations", score="Attention", key_units=4),
    Case(
        "general_both",
        "Attention with maps of both",
        "same-or-refuse query_map key_map",
        score="Attention",
        query_units=5,
        key_units=5,
    ),
    Case(
        "concat_score_mode",
        "Attention with score_mode concat",
        "same-or-refuse attention_weights",
        score="Attention",
        query_units=4,
        key_units=4,
        score_mode="concat",
    ),
    Case(
        "masking_dot",
        "Masking that Attention honours: lengths",
        kinds=("keras", "h5"),
        keras=(2, 3),
        kinds2=("keras", "h5"),
        **DOT,
        masking=True
    ),
    Case(
        "masking_additive",
        "Masking that AdditiveAttention honours; stacked",
        encoder_layers=2,
        masking=True,
        **ADDITIVE
    ),
    Case(
        "embedding_masked_dot",
        "Embedding(mask_zero) that Attention honours",
        **DOT,
        tokens=True,
        mask_zero=True
    ),
    Case(
        "only",
        "attention-only over concat(h_fw, h_bw)",
        kinds=("keras", "h5"),
        keras=(2, 3),
        attention_only=True,
    ),
    Case("only_one_dense", "attention-only, one Dense tanh", attention_only=True, dense=((1, "tanh"),)),
    Case("only_forward", "attention-only, forward alone", attention_only=True, bidirectional=False),
    Case("only_dot", "attention-only, Attention layer", attention_only=True, score="Attention"),
    Case("ops_sum", "context by keras.ops: sum of alphas * a", "same-or-refuse multiply", style="ops"),
    Case("ops_softmax", "softmax by keras.ops", "same-or-refuse softmax", style="ops_softmax"),
]

# What came later: each model is made with the number of its case.
LATER = [
    Case(
        "exercise_named_softmax",
        "the same function under a name that Keras has not",
        kinds=("keras", "h5"),
        keras=(2, 3),
        kinds2=("keras", "h5"),
        said="softMaxAxis1=softmax_axis1",
        style="custom_softmax",
        softmax=exercise_softmax("softMaxAxis1"),
    ),
    Case(
        "exercise_registered_softmax",
        "the same function, registered",
        kinds=("keras", "h5"),
        keras=(2, 3),
        kinds2=("keras", "h5"),
        said="softmax=softmax_axis1",
        style="custom_softmax",
        softmax=exercise_softmax(package="mine"),
    ),
    Case(
        "first_without_state",
        "the attention begins with an input, the LSTM's first call with no initial_state",
        expectation="same+note s0",
        kinds=("keras", "h5"),
        keras=(2, 3),
        first_call="none",
    ),
    Case(
        "first_without_state_dot",
        "the same with an inner product as score",
        expectation="same+note s0",
        score="Attention",
        first_call="none",
        units=2 * H,
    ),
    Case(
        "first_of_two_inputs",
        "the attention begins with an input, the LSTM with another",
        expectation="same+note s0 h0 c0",
        kinds=("keras", "h5"),
        keras=(2, 3),
        first_call="others",
    ),
    Case(
        "bad_first_without_state",
        "the attention begins with the encoder's final state, the LSTM's first call with no initial_state",
        "refuse h_both attention depends",
        initial="states",
        first_call="none",
    ),
    Case(
        "factors",
        "factors that cancel out, within float32's range",
        keras=(2, 3),
        kinds2=("keras",),
        front=factors(1e-20, 1e10, 1e10),
    ),
    Case(
        "bad_factors_vanish",
        "factors that cancel out: float32 makes zeros between them",
        "refuse multiplied by up to float32's smallest",
        keras=(2, 3),
        kinds2=("keras",),
        front=factors(1e-30, 1e-30, 1e30, 1e30),
    ),
    Case(
        "bad_factors_overflow",
        "factors that cancel out: float32 makes infinities between them",
        "refuse end of float32's range",
        keras=(2, 3),
        kinds2=("keras",),
        front=factors(1e30, 1e30, 1e-30, 1e-30),
    ),
]
