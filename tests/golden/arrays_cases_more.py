"""The cases of make_arrays.py that arrays_models_more.py has the models of."""

import arrays_models_more as more
from arrays_cases import FED, SOFTMAX, SOURCES, cell, encoder, head


def gnmt(feeds):
    layer = {"cell": cell("lstm", 6), "direction": "forward"}
    zeros = {"initial_h": {"from": "zeros"}, "initial_c": {"from": "zeros"}}
    above = dict(zeros, cell=cell("lstm", 6), reads_context=True)
    return {
        "version": 2,
        "input": {"features": SOURCES, "embedding": 5},
        "encoder": {
            "layers": [
                {"cell": cell("lstm", 3), "direction": "bidirectional"},
                layer,
                dict(layer, residual=True),
            ]
        },
        "attention": {"score": "additive", "units": 6, "asks": "current", "layer": 0},
        "decoder": dict(
            FED,
            reads=["token", "context"] if feeds else ["token"],
            embedding=4,
            layers=[dict(zeros, cell=cell("lstm", 6)), above, dict(above, residual=True)],
        ),
        "output": {"layers": [SOFTMAX]},
    }


GNMT_NAMES = {
    "input.embedding": "encoder.embedder",
    "encoder.layers.0": "encoder.rnn_layers.0",
    "encoder.layers.1": "encoder.rnn_layers.1",
    "encoder.layers.2": "encoder.rnn_layers.2",
    "attention.key": "decoder.att_rnn.attn.linear_k",
    "attention.query": "decoder.att_rnn.attn.linear_q",
    "attention.value": "decoder.att_rnn.attn.linear_att",
    "decoder.layers.0": "decoder.att_rnn.rnn",
    "decoder.layers.1": "decoder.rnn_layers.0",
    "decoder.layers.2": "decoder.rnn_layers.1",
    "decoder.embedding": "decoder.embedder",
    "output.layers.0": "decoder.classifier",
}


def pooled(over, cells="gru"):
    return {
        "version": 2,
        "input": {"features": SOURCES, "embedding": 5},
        "encoder": encoder(cells, 4),
        "output": {"over": over, "layers": [{"units": 6, "activation": "tanh"}, head(3)]},
    }


POOLED_NAMES = {
    "input.embedding": "embedding",
    "encoder": "rnn",
    "output.layers.0": "classifier.0",
    "output.layers.1": "classifier.2",
}

CASES = {
    "gnmt": dict(
        model=more.GNMT,
        covers="GNMT: the first layer asks, those above read the context; residual layers",
        config=gnmt(False),
        names=GNMT_NAMES,
    ),
    "gnmt_fed": dict(
        model=more.GNMTFed,
        covers="GNMT whose first layer reads the context of the step before",
        config=gnmt(True),
        names=GNMT_NAMES,
    ),
    "las": dict(
        model=more.ListenAttendSpell,
        covers="Listen, attend and spell, without the pyramid; a linear layer in front",
        config={
            "version": 2,
            "input": {"features": 4},
            "encoder": encoder("lstm", 3, 2),
            "attention": {
                "score": "dot",
                "asks": "current",
                "key": {"units": 5, "activation": "relu"},
                "query": {"units": 5, "activation": "relu"},
            },
            "decoder": dict(
                FED,
                reads=["token", "context"],
                embedding=4,
                layers=[
                    {
                        "cell": cell("lstm", 5),
                        "initial_h": {"from": "zeros"},
                        "initial_c": {"from": "zeros"},
                    }
                ]
                * 2,
            ),
            "output": {"parts": ["state", "context"], "layers": [SOFTMAX]},
        },
        names={
            "encoder": {"name": "listener.blstm", "through": "listener.pooled"},
            "attention.key_map": "speller.psi",
            "attention.query_map": "speller.phi",
            "decoder": "speller.rnn_layer",
            "decoder.embedding": "speller.embedding",
            "output.layers.0": "speller.character_distribution",
        },
    ),
    "g2p": dict(
        model=more.G2P,
        covers="graphemes to phonemes: GRUs without attention",
        config={
            "version": 2,
            "input": {"features": SOURCES, "embedding": 5},
            "encoder": encoder("gru", 6, direction="forward"),
            "decoder": dict(FED, reads=["token"], embedding=4, layers=[{"cell": cell("gru", 6)}]),
            "output": {"layers": [SOFTMAX]},
        },
        names={
            "input.embedding": "enc_emb",
            "encoder": "enc",
            "decoder": {
                "kernel": "dec.weight_ih",
                "recurrent_kernel": "dec.weight_hh",
                "bias": "dec.bias_ih",
                "recurrent_bias": "dec.bias_hh",
                "gates": "r,z,n",
            },
            "decoder.embedding": "dec_emb",
            "output.layers.0": "fc",
        },
    ),
    "stanza_tagger": dict(
        model=more.StanzaTagger,
        covers="a tagger of two heads, a projected embedding",
        config={
            "version": 2,
            "input": {"features": SOURCES, "embedding": 5},
            "encoder": encoder("lstm", 4, 2),
            "output": {
                "heads": [
                    {"over": "every", "layers": [{"units": 5, "activation": "relu"}, head(units)]}
                    for units in (7, 9)
                ]
            },
        },
        names={
            "input.embedding": {"name": "word_emb", "through": "trans_word"},
            "encoder": "taggerlstm",
            "output.heads.0.layers.0": "upos_hid",
            "output.heads.0.layers.1": "upos_clf",
            "output.heads.1.layers.0": "xpos_hid",
            "output.heads.1.layers.1": "xpos_clf",
        },
    ),
    "linear_tagger": dict(
        model=more.LinearTagger,
        covers="a tagger with an nn.Linear behind each BiLSTM",
        saved=lambda state: {"module." + key: tensor for key, tensor in state.items()},
        config={
            "version": 2,
            "input": {"features": SOURCES, "embedding": 5},
            "encoder": {
                "layers": [
                    {
                        "cell": cell("lstm", 4, bias=bias),
                        "direction": "bidirectional",
                        "dense": {"units": units},
                    }
                    for units, bias in ((6, True), (5, False))
                ]
            },
            "output": {"over": "every", "layers": [head(7)]},
        },
        names={
            "input.embedding": "embed",
            "encoder.layers.0": "rnns.0",
            "encoder.layers.0.dense": "linears.0",
            "encoder.layers.1": "rnns.1",
            "encoder.layers.1.dense": "linears.1",
            "output.layers.0": "tag",
        },
    ),
    "pooled_maximum": dict(
        model=lambda: more.Pooled("maximum"),
        covers="a classifier over the largest of each state",
        config=pooled("maximum"),
        names=POOLED_NAMES,
    ),
    "pooled_mean": dict(
        model=lambda: more.Pooled("mean"),
        covers="a classifier over the mean of the states",
        config=pooled("mean"),
        names=POOLED_NAMES,
    ),
    "pooled_final": dict(
        model=lambda: more.Pooled("final"),
        covers="a classifier over the final states; a GRU without biases, which gets zeros",
        config=pooled("final"),
        names=POOLED_NAMES,
    ),
    "pooled_attention": dict(
        model=more.AttentionPooled,
        covers="a classifier over positions weighed by a vector: parameters, no state asks",
        config={
            "version": 2,
            "input": {"features": SOURCES, "embedding": 5},
            "encoder": encoder("lstm", 4),
            "attention": {"score": "additive", "units": 6, "bias": True},
            "state": {"from": "zeros", "units": 1},
            "output": {"over": "context", "layers": [head(3)]},
        },
        names={
            "input.embedding": "embedding",
            "encoder": "lstm",
            "attention.key": "word_weight",
            "attention.query": None,
            "attention.bias": "word_bias",
            "attention.value": "context_weight",
            "output.layers.0": "fc",
        },
    ),
    "self_attentive": dict(
        model=more.SelfAttentive,
        covers="a tagger behind nn.MultiheadAttention with a residual sum and a normalisation, and behind maps of its own",
        config={
            "version": 2,
            "input": {"features": SOURCES, "embedding": 5},
            "encoder": {
                "layers": [
                    {
                        "cell": cell("lstm", 4),
                        "direction": "bidirectional",
                        "self_attention": {
                            "score": "dot",
                            "heads": 2,
                            "scale": 0.5,
                            "query": {"units": 8},
                            "key": {"units": 8},
                            "value": {"units": 8},
                            "beside": True,
                        },
                        "dense": {"units": 8, "norm": {"epsilon": 1e-5}},
                    },
                    {
                        "cell": cell("lstm", 6),
                        "self_attention": {
                            "score": "dot",
                            "scale": 0.5,
                            "query": {"units": 4},
                            "key": {"units": 4, "bias": False},
                            "value": {"units": 3},
                        },
                    },
                ]
            },
            "output": {"over": "every", "layers": [head(4)]},
        },
        names={
            "input.embedding": "embed",
            "encoder.layers.0": "below",
            "encoder.layers.0.self_attention": "attention",
            "encoder.layers.0.dense": {"name": "attention.out_proj", "residual": True},
            "encoder.layers.0.dense.norm.scale": "norm.weight",
            "encoder.layers.0.dense.norm.offset": "norm.bias",
            "encoder.layers.1": "above",
            "encoder.layers.1.self_attention.query_map": "query",
            "encoder.layers.1.self_attention.key_map": "key",
            "encoder.layers.1.self_attention.value_map": "value",
            "output.layers.0": "tag",
        },
    ),
    "asked_heads": dict(
        model=more.AskedHeads,
        covers="nn.MultiheadAttention that a GRU's states ask; its output projection and the classes' layer as one",
        config={
            "version": 2,
            "input": {"features": SOURCES, "embedding": 5},
            "encoder": {"layers": [{"cell": cell("gru", 3), "direction": "bidirectional"}]},
            "attention": {
                "score": "dot",
                "asks": "current",
                "heads": 2,
                "scale": 3**-0.5,
                "query": {"units": 6},
                "key": {"units": 6},
                "value": {"units": 6},
            },
            "decoder": dict(FED, reads=["token"], embedding=4, layers=[{"cell": cell("gru", 6)}]),
            "output": {"parts": ["context"], "layers": [SOFTMAX]},
        },
        names={
            "input.embedding": "source",
            "encoder": "encoder",
            "attention": "attention",
            "decoder": "decoder",
            "decoder.embedding": "target",
            "output.layers.0": {"name": "out", "through": "attention.out_proj"},
        },
    ),
}
