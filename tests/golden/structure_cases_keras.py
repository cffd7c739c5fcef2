"""What Keras 3 and Keras 2 compute for make_structures.py, written as in structure_cases.py: what PyTorch
does not have.
"""

from structure_parts import (
    ALL,
    TOKEN,
    activations,
    asking,
    bahdanau,
    both,
    decoder,
    dense,
    gru,
    head,
    layer,
    lstm,
    luong,
    model,
    normed,
    out,
    tagger,
)

KERAS_GATES = dict(recurrent_activation="hard_sigmoid")
BEFORE = dict(reset="before")


def merges(cell, **options):
    """A layer of each merge."""
    names = ["sum", "concat", "mul", "ave"]
    return tagger(*[both(cell, merge=name) for name in names], **options)


KERAS_CASES = {
    "gru_before": (tagger(layer(gru(5, **BEFORE))), {}),
    "gru_before_backward": (tagger(layer(gru(5, **BEFORE), "backward")), dict(lengths=False)),
    "gru_before_no_bias": (tagger(both(gru(4, bias=False, **BEFORE))), {}),
    "gru_before_merges": (merges(gru(4, **BEFORE)), dict(start=True)),
    "gru_after_merges": (merges(gru(4)), {}),
    "lstm_merges": (merges(lstm(4)), dict(start=True)),
    "gru_before_gates": (tagger(both(gru(4, **BEFORE, **KERAS_GATES))), dict(gain=4.0)),
    "gru_after_relu": (tagger(both(gru(4, activation="relu"))), dict(gain=1.0)),
    "gru_elu_gates": (tagger(both(gru(4, activation="elu", **KERAS_GATES))), dict(gain=1.0)),
    "lstm_softsign": (tagger(both(lstm(4, activation="softsign", recurrent_activation="hard_sigmoid"))), {}),
    "normed": (normed(), {}),
    "unequal_directions": (
        tagger(both(gru(3, **BEFORE), backward_cell=lstm(5), merge="concat")),
        dict(lengths=False),
    ),
    "bahdanau_before": (
        bahdanau(gru(8, **BEFORE), [both(gru(4, **BEFORE))], steps=7, end_token=0),
        dict(batch=8),
    ),
    "luong_before": (
        model(
            [both(gru(4, **BEFORE), merge="sum"), layer(gru(4, **BEFORE), residual=True)],
            {"score": "general", "asks": "current"},
            decoder(
                [{"cell": gru(4, **BEFORE, **KERAS_GATES)}, {"cell": gru(4), "residual": True}],
                ["token", "attentional"],
                attentional={"parts": ["context", "state"], "units": 5, "activation": "tanh", "bias": False},
                embedding=3,
                **TOKEN,
            ),
            out(parts=["attentional"]),
        ),
        dict(rows=[2, 0, 0, 1]),
    ),
    "heads": (
        model(
            [both(gru(3, **BEFORE), merge="mul"), both(lstm(3), merge="ave")],
            output={
                "heads": [
                    head("mean", dense(3, "softmax")),
                    head("maximum", dense(4, "elu"), dense(2, "sigmoid")),
                    head("final", dense(3)),
                ]
            },
        ),
        {},
    ),
    "activations": (activations([a for a in ALL if "_keras2" not in a and a != "leaky_relu"][:8]), {}),
    "activations_more": (activations([a for a in ALL if "_keras2" not in a and a != "leaky_relu"][8:]), {}),
    "self_attention": (
        tagger(
            both(lstm(3), self_attention=asking(2, 8, 6), dense=dense(5)),
            layer(gru(4), "backward", self_attention=asking(3, 12, 3, beside=True), dense=dense(4, "tanh")),
        ),
        {},
    ),
    "self_attention_scores": (
        tagger(
            both(lstm(3), self_attention={"score": "dot", "beside": True}),
            layer(gru(4), self_attention={"score": "dot", "scale": 1.5, "key": dense(4), "value": dense(3)}),
            layer(gru(4), self_attention={"score": "additive", "units": 3, "bias": True}),
        ),
        {},
    ),
    # several heads that a decoder's steps, or a state, ask
    "heads_current": (luong(asking(2, 6, 4)), dict(rows=[2, 0, 0, 1])),
    "heads_previous": (
        model(
            [both(gru(4), dense=dense(5))],
            asking(4, 8, 12),
            decoder([{"cell": gru(8)}], ["given", "context"], given=3),
            out(dense(3), parts=["state", "context"]),
        ),
        {},
    ),
    "heads_context": (
        model([both(lstm(3))], asking(3, 9, 3), output={"heads": [head(["context", "final"], dense(3, "softmax"))]}),
        {},
    ),
    # probabilities fed back
    "probabilities": (
        model(
            [both(gru(4))],
            {"score": "additive", "units": 5},
            decoder([{"cell": gru(8)}], ["token", "context"], steps=5, feedback="probabilities"),
            out(dense(7, "tanh"), dense(6, "softmax"), parts=["state", "token"]),
        ),
        {},
    ),
    "probabilities_continue": (
        model(
            [both(lstm(4))],
            {"score": "general", "asks": "current"},
            decoder(
                [{"cell": lstm(8)}, {"cell": lstm(8), "residual": True, "reads_context": True}],
                ["context", "attentional", "token"],
                attentional={"parts": ["token", "state"], "units": 5, "activation": "tanh"},
                **dict(TOKEN, feedback="probabilities"),
            ),
            out(parts=["context", "attentional"]),
        ),
        dict(continues=["attentional", "context", "token"], previous=True),
    ),
    "probabilities_ask": (
        model(
            [both(gru(4))],
            {"score": "additive", "units": 5, "asks": "token"},
            decoder([{"cell": lstm(8, **KERAS_GATES), "initial_c": {"state": "h"}}], ["context", "token"],
                    **dict(TOKEN, feedback="probabilities", end_token=0, steps=7)),
            out(),
        ),
        dict(batch=8),
    ),
    "probabilities_given": (
        model(
            [both(gru(4))],
            {"score": "general", "asks": "token"},
            decoder([{"cell": gru(8)}], ["context", "token"], feedback="probabilities"),
            out(),
        ),
        dict(targets="lengths", previous=True, rows=[1, 0, 2, 2]),
    ),
}

KERAS2_GATES = dict(recurrent_activation="hard_sigmoid_keras2")
KERAS2_CASES = {
    "gru_before": (tagger(both(gru(4, **BEFORE, **KERAS2_GATES))), dict(gain=4.0)),
    "gru_after": (tagger(both(gru(4, **KERAS2_GATES), merge="sum")), dict(gain=3.0)),
    "decoder": (
        bahdanau(gru(8, **BEFORE, **KERAS2_GATES), [both(gru(4, **BEFORE, **KERAS2_GATES))]),
        dict(gain=2.0),
    ),
    "dense": (activations(["hard_sigmoid_keras2", "tanh"]), dict(gain=4.0)),
}
