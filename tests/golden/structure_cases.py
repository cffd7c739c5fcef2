"""What PyTorch computes for make_structures.py: {name: (configuration, options)}. Options: batch, time,
lengths (False: all of T), ids, start (the encoder's states are the caller's), rows, continues (what a step
hands on), previous, targets ("lengths": each of its own length), gain of the weights.
"""

from structure_parts import (
    ALL,
    BY_DENSE,
    GRU2,
    LSTM2,
    NORM,
    SOFTMAX,
    SPREAD,
    TOKEN,
    activations,
    asking,
    attending,
    bahdanau,
    both,
    decoder,
    dense,
    from_layer,
    gru,
    head,
    layer,
    lstm,
    luong,
    model,
    normed,
    out,
    starting,
    tagger,
    zeros,
)

TORCH_CASES = {
    # cells
    "gru": (tagger(layer(gru(5))), {}),
    "gru_backward": (tagger(layer(gru(5), "backward"), layer(gru(4), "backward")), {}),
    "gru_bidirectional": (tagger(both(gru(3)), both(gru(4))), {}),
    "gru_one_bias": (tagger(both(gru(3, recurrent_bias=False))), {}),
    "gru_no_bias": (tagger(both(gru(3, bias=False))), dict(lengths=False)),
    "gru_recurrent_bias_alone": (tagger(layer(gru(4, bias=False, recurrent_bias=True))), {}),
    "lstm_no_bias": (tagger(both(lstm(3, bias=False))), {}),
    # encoder layers
    "unequal_layers": (tagger(both(lstm(3)), layer(gru(6)), layer(lstm(2), "backward")), dict(start=True)),
    "unequal_directions": (
        tagger(both(gru(3), backward_cell=gru(5)), both(lstm(2), backward_cell=gru(4))),
        dict(start=True),
    ),
    "residual": (tagger(layer(gru(5), residual=True), both(lstm(5), merge="sum", residual=True)), {}),
    "dense_between": (tagger(both(gru(3), dense=dense(4, "tanh")), layer(gru(4), residual=True)), {}),
    "dense_behind": (tagger(both(lstm(3)), layer(gru(6), residual=True, dense=dense(3, bias=False))), {}),
    "normed": (normed(), {}),
    "normed_tagger": (tagger(both(gru(3), dense=dense(5, **NORM)), layer(lstm(4), dense=dense(4, **NORM))), {}),
    "embedding": (tagger(both(gru(3)), features=9, embedding=4), {}),
    "embedding_residual": (tagger(layer(gru(4), residual=True), features=9, embedding=4), {}),
    "affine": (tagger(both(lstm(3)), affine=True), {}),
    "affine_ids": (tagger(layer(gru(3)), affine=True), dict(ids=True)),
    # attention before the cell
    "bahdanau": (bahdanau(steps=7, end_token=0), dict(batch=8)),
    "bahdanau_lstm": (bahdanau(lstm(8), LSTM2, steps=7, end_token=0), dict(batch=8, time=5)),
    "one_hot_tokens": (bahdanau(embedding=6), {}),
    "dot": (attending({"score": "dot", "scale": 0.5}), {}),
    "general_lstm": (attending({"score": "general"}, lstm(8), LSTM2), {}),
    "concat": (attending({"score": "concat", "layers": SPREAD}), {}),
    "normed_steps": (
        model(
            [both(gru(4), dense=dense(8, **NORM))],
            {"score": "general"},
            decoder([{"cell": gru(8)}], ["context", "token"], embedding=3, **TOKEN),
            out(dense(7, "tanh", **NORM), SOFTMAX, parts=["state", "context"]),
        ),
        {},
    ),
    "key_value_query": (
        attending(
            {
                "score": "dot",
                "key": dense(5, "relu"),
                "value": dense(3, "tanh"),
                "query": dense(5, "tanh", bias=False),
            }
        ),
        {},
    ),
    "key_general": (attending({"score": "general", "key": dense(5, "tanh"), "scale": 1.5}), {}),
    "query_additive": (attending({"score": "additive", "units": 4, "query": dense(3), "key": dense(5)}), {}),
    "value_concat": (attending({"score": "concat", "layers": SPREAD, "value": dense(2, "sigmoid")}), {}),
    "position_bias": (attending({"score": "general", "positions": 9}), {}),
    "asks_token": (attending({"score": "additive", "units": 5}, asks="token"), {}),
    "asks_token_concat": (
        attending({"score": "concat", "layers": SPREAD, "query": dense(4)}, asks="token"),
        {},
    ),
    # attention after the cells
    "luong": (luong(), {}),
    "luong_end": (luong(steps=7, end_token=0), dict(batch=8)),
    "luong_dot_gru": (
        luong({"score": "dot"}, [{"cell": gru(8), "initial_h": {"layer": 0}}], [both(gru(4))]),
        {},
    ),
    "luong_lower": (
        luong(
            {"layer": 0},
            [
                {"cell": lstm(5), **from_layer(0, dense=dense(5))},
                {"cell": gru(5), "residual": True, "reads_context": True, "initial_h": {"from": "zeros"}},
                zeros(lstm(8)),
            ],
        ),
        {},
    ),
    "gnmt": (
        model(
            [both(lstm(4)), layer(lstm(8)), layer(lstm(8), residual=True)],
            {"score": "additive", "units": 5, "asks": "current", "layer": 0},
            decoder(
                [zeros(lstm(6)), zeros(lstm(6), reads_context=True)]
                + [zeros(lstm(6), reads_context=True, residual=True) for _ in "34"],
                ["token", "context"],
                embedding=3,
                **TOKEN,
            ),
            out(parts=["state", "context"]),
        ),
        {},
    ),
    "current_middle": (
        model(
            GRU2,
            {"score": "general", "asks": "current", "layer": 1},
            decoder(
                [{"cell": gru(8)}, {"cell": gru(8), "residual": True, "reads_context": True}]
                + [{"cell": gru(8), "residual": True, "reads_context": True}],
                ["token"],
                **TOKEN,
            ),
            out(parts=["context", "state"]),
        ),
        {},
    ),
    "previous_lower": (
        model(
            GRU2,
            {"score": "general", "layer": 0},
            decoder([{"cell": gru(8)}, {"cell": gru(8), "residual": True}], ["context", "token"], **TOKEN),
            out(),
        ),
        {},
    ),
    "previous_residual": (
        model(
            GRU2,
            {"score": "dot", "scale": 0.5},
            decoder(
                [{"cell": gru(8)}, {"cell": gru(8), "residual": True, "reads_context": True}],
                ["token"],
                **TOKEN,
            ),
            out(parts=["state", "token"]),
        ),
        {},
    ),
    # the attentional vector without attention, and of all parts
    "attentional_alone": (
        model(
            GRU2,
            None,
            decoder(
                [{"cell": gru(8)}],
                ["attentional"],
                attentional={"parts": ["state"], "units": 3, "activation": "sigmoid"},
            ),
            out(parts=["state", "attentional"]),
        ),
        {},
    ),
    "attentional_all": (
        model(
            GRU2,
            {"score": "general", "asks": "current"},
            decoder(
                [{"cell": gru(8)}],
                ["attentional", "context", "token"],
                attentional={"parts": ["token", "state", "context"], "units": 4, "activation": "elu"},
                **TOKEN,
            ),
            out(),
        ),
        {},
    ),
    # decoders
    "no_attention": (
        model(
            [layer(lstm(5)), layer(lstm(6))],
            None,
            decoder(
                [{"cell": lstm(5), **from_layer(0)}, {"cell": lstm(6), **from_layer(1)}],
                ["token"],
                **dict(TOKEN, embedding=3, end_token=0, steps=7),
            ),
            out(),
        ),
        dict(batch=8),
    ),
    "four_layers": (
        model(
            GRU2,
            {"score": "dot", "query": dense(8)},
            decoder(
                [
                    zeros(gru(4)),
                    zeros(lstm(4), residual=True),
                    zeros(gru(3)),
                    zeros(lstm(5), reads_context=True),
                ],
                ["context"],
            ),
            out(),
        ),
        {},
    ),
    "given_tokens": (
        bahdanau(lstm(8), LSTM2, end_token=0),
        dict(targets="lengths"),
    ),
    "feedback_given": (
        model(
            GRU2,
            {"score": "general", "asks": "current"},
            decoder([{"cell": gru(8)}], ["token"], feedback="given", embedding=3),
            out(dense(6, "log_softmax"), parts=["context", "state"]),
        ),
        dict(targets=True, previous=True),
    ),
    # numbers that the steps are given
    "given_numbers": (
        model(
            LSTM2,
            None,
            decoder([{"cell": lstm(8)}, zeros(gru(5))], ["given"], given=3),
            out(dense(4, "tanh"), dense(2), parts=["state", "given"]),
        ),
        dict(ties=True),
    ),
    "given_numbers_beside_tokens": (
        model(
            GRU2,
            {"score": "general", "asks": "current"},
            decoder(
                [{"cell": gru(8)}],
                ["token", "attentional", "given"],
                given=2,
                embedding=3,
                attentional={"parts": ["context", "state"], "units": 5, "activation": "tanh"},
                **TOKEN,
            ),
            out(parts=["attentional"]),
        ),
        dict(rows=[1, 0, 2, 0], previous=True),
    ),
    "log_softmax": (
        model(GRU2, None, decoder([{"cell": gru(8)}], ["token"], **TOKEN), out(dense(6, "log_softmax"))),
        {},
    ),
    "linear_output": (
        model(GRU2, None, decoder([{"cell": gru(8)}], ["token"], **TOKEN), out(dense(6))),
        dict(previous=True),
    ),
    "rows": (luong(steps=5), dict(rows=[1, 0, 0, 2, 2, 2], previous=True)),
    "rows_without_attention": (
        starting({}, {}, [both(lstm(3))]),
        dict(rows=[2, 0, 1, 1], previous=True),
    ),
    "continues": (luong(), dict(continues=["attentional"], previous=True)),
    "continues_context": (
        model(
            GRU2,
            {"score": "general", "asks": "current"},
            decoder(
                [{"cell": gru(8)}, zeros(lstm(4))],
                ["context", "attentional", "token"],
                attentional={"parts": ["state", "context"], "units": 3, "activation": "tanh"},
                **TOKEN,
            ),
            out(parts=["attentional"]),
        ),
        dict(continues=["attentional", "context"], previous=True),
    ),
    # initial states
    "initial_sum": (starting({"layer": 0, "directions": "sum"}, {"layer": 0, "directions": "sum"}), {}),
    "initial_concat": (starting({}, {}), {}),
    "initial_forward_backward": (
        starting({"layer": 0, "directions": "forward"}, {"layer": 0, "directions": "backward"}),
        {},
    ),
    "initial_dense": (starting(dict(BY_DENSE), dict(BY_DENSE, layer=0)), {}),
    "initial_dense_sum": (starting(dict(BY_DENSE, layer=0, directions="sum")), {}),
    "initial_c_zeros": (starting({"layer": 0, "directions": "backward"}, {"from": "zeros"}), {}),
    "initial_c_other": (starting(dict(BY_DENSE), {"from": "other"}), {}),
    "initial_h_other": (starting({"from": "other"}, {"layer": 1, "state": "h"}), {}),
    "initial_h_of_c": (starting({"state": "c"}, {"state": "h"}), {}),
    "initial_of_gru": (starting({}, {"state": "h"}, [both(gru(3))]), {}),
    # outputs
    "output_all_parts": (
        model(
            GRU2,
            {"score": "general"},
            decoder(
                [{"cell": gru(8)}],
                ["token", "context"],
                attentional={"parts": ["state", "token"], "units": 4, "activation": "tanh"},
                embedding=3,
                **TOKEN,
            ),
            out(
                dense(7, "tanh"),
                dense(5, "relu"),
                dense(4, "selu", bias=False),
                SOFTMAX,
                parts=["attentional", "token", "state", "context"],
            ),
        ),
        {},
    ),
    "tied": (
        model(
            GRU2,
            {"score": "general"},
            decoder([{"cell": gru(8)}], ["token", "context"], embedding=4, **TOKEN),
            out(dense(4, "tanh"), SOFTMAX, tied=True),
        ),
        {},
    ),
    "tied_directly": (
        model(GRU2, None, decoder([{"cell": gru(8)}], ["token"], embedding=8, **TOKEN), out(tied=True)),
        {},
    ),
    "shared_embedding": (
        model(
            GRU2,
            {"score": "general"},
            decoder([{"cell": gru(8)}], ["token", "context"], embedding="encoder", **TOKEN),
            out(dense(7, "log_softmax")),
            features=7,
            embedding=4,
        ),
        {},
    ),
    "shared_everywhere": (
        model(
            [both(lstm(4))],
            {"score": "dot", "asks": "token", "key": dense(4)},
            decoder([{"cell": lstm(8)}], ["token", "context"], embedding="encoder", **TOKEN),
            out(dense(4), dense(7, "softmax", bias=False), tied=True),
            features=7,
            embedding=4,
        ),
        {},
    ),
    "activations": (activations(ALL[:8]), {}),
    "activations_more": (activations(ALL[8:16]), {}),
    "activations_last": (activations(ALL[16:] + ALL[:3]), {}),
    # models without a decoder
    "heads": (
        model(
            [both(gru(3)), both(lstm(2), backward_cell=gru(3))],
            {"score": "additive", "units": 4},
            None,
            {
                "heads": [
                    head("context", dense(4, "relu"), dense(3, "softmax"), name="topic"),
                    head("final", dense(2, "sigmoid")),
                    head("mean", dense(3)),
                    head("maximum", dense(4, "log_softmax")),
                    head("last", dense(5, "tanh"), dense(2, "softmax")),
                ]
            },
            {"dense": dense(3, "tanh"), "directions": "forward", "layer": 0},
        ),
        {},
    ),
    "heads_of_several": (
        model(
            [both(lstm(3)), both(lstm(2), merge="sum")],
            {"score": "additive", "units": 4},
            None,
            {
                "heads": [
                    head(["mean", "maximum"], dense(4, "relu"), dense(3, "softmax"), name="pools"),
                    head(["final", {"over": "final", "layer": 0, "state": "c"}, "context", "last"], dense(2)),
                    head([{"over": "final", "layer": 0}, "maximum"], dense(4, "sigmoid")),
                    head([{"over": "positions", "count": 7}], dense(3, "tanh"), dense(2)),
                ]
            },
        ),
        {},
    ),
    "head_over_context": (
        model(
            [both(lstm(3))],
            {"score": "concat", "layers": SPREAD},
            None,
            out(dense(1, "sigmoid"), over="context"),
            {"from": "zeros", "units": 4},
        ),
        {},
    ),
    "head_over_final": (
        model([both(gru(3), merge="sum", residual=False)], output=out(SOFTMAX, over="final")),
        {},
    ),
    "taggers": (
        model(
            [both(gru(3))],
            output={
                "heads": [
                    head("every", dense(4, "softmax"), name="tag"),
                    head("every", dense(3, "tanh"), dense(2, "sigmoid")),
                    head("every", dense(5, "log_softmax")),
                ]
            },
        ),
        {},
    ),
    "intent_and_slots": (
        model(
            [both(gru(3))],
            output={
                "heads": [
                    head("final", dense(5, "relu"), dense(3, "softmax"), name="intent"),
                    head("every", dense(4, "softmax"), name="slots"),
                    head("maximum", dense(2, "sigmoid")),
                ]
            },
        ),
        {},
    ),
    "attention_only": (model([both(lstm(3))], {"score": "general", "value": dense(4, "tanh")}), {}),
    "attention_only_dense": (
        model([both(gru(3)), layer(gru(4))], {"score": "dot"}, state={"layer": 0, "dense": dense(4, "tanh")}),
        {},
    ),
    # weights of the positions
    "weighting": (tagger(both(lstm(4), weighting={"positions": 7})), {}),
    "weighting_residual": (
        model(
            [
                layer(gru(5), residual=True, weighting={"positions": 7, "bias": False}),
                both(lstm(3), merge="sum", weighting={"positions": 7}, dense=dense(4, "tanh")),
            ],
            output={"heads": [head([{"over": "positions", "count": 7}], dense(3, "softmax")), head("mean", dense(2))]},
        ),
        {},
    ),
    # layers that attend to themselves
    "self_attention": (tagger(both(lstm(4), self_attention=asking(2, 8), dense=dense(8))), {}),
    "self_attention_residual": (
        model(
            [
                layer(gru(8), residual=True, self_attention=asking(2, 8, beside=True), dense=dense(8, "relu", **NORM)),
                both(lstm(2), self_attention=asking(1, 4)),
            ],
            output={"heads": [head("mean", dense(3, "softmax")), head("last", dense(2))]},
            features=8,
        ),
        {},
    ),
    "self_attention_scores": (
        tagger(
            both(gru(2), self_attention={"score": "general", "query": dense(3, "tanh"), "scale": 0.75}),
            both(lstm(2), self_attention={"score": "concat", "layers": SPREAD, "value": dense(3, "relu")}),
            layer(gru(3), self_attention={"score": "dot", "beside": True}),
        ),
        {},
    ),
    "self_attention_decoder": (
        bahdanau(encoder=[both(gru(4), self_attention=asking(2, 8), dense=dense(8, "tanh"))]),
        {},
    ),
    # several heads that a decoder's steps, or a state, ask
    "heads_current": (luong(asking(2, 8)), dict(rows=[2, 0, 0, 1])),
    "heads_previous": (attending(asking(4, 8), gru(8), [both(gru(4), dense=dense(6, "tanh"))]), {}),
    "heads_token": (
        model(
            LSTM2,
            asking(3, 6, asks="token"),
            decoder([{"cell": lstm(8)}], ["token", "context"], embedding=6, end_token=0, **TOKEN),
            out(parts=["state", "context"]),
        ),
        dict(targets="lengths"),
    ),
    "heads_continue": (
        model(
            LSTM2,
            asking(2, 8, asks="current", layer=0),
            decoder([{"cell": lstm(8)}, {"cell": gru(8), "reads_context": True}], ["context", "token"], **TOKEN),
            out(),
        ),
        dict(continues=["context"], previous=True),
    ),
    "heads_only": (model([both(lstm(3)), both(gru(4))], asking(4, 8)), {}),
}
