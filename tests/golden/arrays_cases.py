"""The cases of make_arrays.py: a model, its configuration and the names of its parts; those of arrays_models_more.py are in
arrays_cases_more.py."""

import arrays_models as base

SOURCES, TARGETS, STEPS = base.SOURCES, base.TARGETS, base.STEPS
SOFTMAX = {"units": TARGETS, "activation": "softmax"}
FED = {"feedback": "output", "start_token": base.START, "end_token": base.END, "steps": STEPS}


def cell(kind, units, **more_keys):
    return dict({"kind": kind, "units": units}, **more_keys)


def encoder(kind, units, layers=1, direction="bidirectional", **keys):
    return {"layers": [dict({"cell": cell(kind, units), "direction": direction}, **keys) for _ in range(layers)]}


def head(units):
    return {"units": units, "activation": "softmax"}


CASES = {
    "bahdanau_tutorial": dict(
        model=base.BahdanauTutorial,
        covers="PyTorch's translation tutorial: GRU, Bahdanau's attention",
        config={
            "version": 2,
            "input": {"features": SOURCES, "embedding": 6},
            "encoder": encoder("gru", 6, direction="forward"),
            "attention": {"score": "additive", "units": 6, "bias": True},
            "decoder": dict(FED, reads=["token", "context"], embedding=6, layers=[{"cell": cell("gru", 6)}]),
            "output": {"layers": [SOFTMAX]},
        },
        names={
            "input.embedding": "encoder.embedding",
            "encoder": "encoder.gru",
            "attention.key": "decoder.attention.Ua",
            "attention.query": "decoder.attention.Wa",
            "attention.value": "decoder.attention.Va",
            "decoder": "decoder.gru",
            "decoder.embedding": "decoder.embedding",
            "output.layers.0": "decoder.out",
        },
    ),
    "chatbot_tutorial": dict(
        model=base.ChatbotTutorial,
        covers="PyTorch's chatbot tutorial: Luong's dot, two layers, one embedding",
        saved=lambda state: {"en": state, "iteration": 4000, "loss": 2.5, "voc_dict": {"num_words": 11}},
        config={
            "version": 2,
            "input": {"features": TARGETS, "embedding": 5},
            "encoder": {
                "layers": [
                    {"cell": cell("gru", 5), "direction": "bidirectional"},
                    {"cell": cell("gru", 5), "direction": "bidirectional", "merge": "sum"},
                ]
            },
            "attention": {"score": "dot", "asks": "current"},
            "decoder": dict(
                FED,
                reads=["token"],
                embedding="encoder",
                layers=[
                    {"cell": cell("gru", 5), "initial_h": {"layer": 0, "directions": side}}
                    for side in ("forward", "backward")
                ],
                attentional={"parts": ["state", "context"], "units": 5, "activation": "tanh"},
            ),
            "output": {"parts": ["attentional"], "layers": [SOFTMAX]},
        },
        names={
            "input.embedding": "encoder.embedding",
            "encoder": "encoder.gru",
            "decoder": "decoder.gru",
            "decoder.embedding": "decoder.embedding",
            "decoder.attentional": "decoder.concat",
            "output.layers.0": "decoder.out",
        },
    ),
    "opennmt": dict(
        model=base.OpenNMT,
        covers="OpenNMT-py's rnn: input feeding, general attention, stacked LSTMCells",
        config={
            "version": 2,
            "input": {"features": SOURCES, "embedding": 5},
            "encoder": encoder("lstm", 3, 2),
            "attention": {"score": "general", "asks": "current"},
            "decoder": dict(
                FED,
                reads=["token", "attentional"],
                embedding=4,
                layers=[
                    {"cell": cell("lstm", 6), "initial_h": {"layer": l}, "initial_c": {"layer": l}}
                    for l in range(2)
                ],
                attentional={"parts": ["context", "state"], "units": 6, "activation": "tanh", "bias": False},
            ),
            "output": {"parts": ["attentional"], "layers": [SOFTMAX]},
        },
        names={
            "input.embedding": "encoder.embeddings.emb_luts.0",
            "encoder": "encoder.rnn",
            "attention.general": {"name": "decoder.attn.linear_in", "order": ["state", "annotations"]},
            "decoder.layers.0": "decoder.rnn.layers.0",
            "decoder.layers.1": "decoder.rnn.layers.1",
            "decoder.embedding": "decoder.embeddings.emb_luts.0",
            "decoder.attentional": "decoder.attn.linear_out",
            "output.layers.0": "generator.0",
        },
    ),
    "fairseq_lstm": dict(
        model=base.Fairseq,
        covers="fairseq's lstm: projected states, input feeding, two linear layers to fold at the end",
        config={
            "version": 2,
            "input": {"features": SOURCES, "embedding": 5},
            "encoder": encoder("lstm", 3),
            "attention": {"score": "general", "asks": "current"},
            "decoder": dict(
                FED,
                reads=["token", "attentional"],
                embedding=4,
                layers=[
                    {
                        "cell": cell("lstm", 5),
                        "initial_h": {"dense": {"units": 5}},
                        "initial_c": {"dense": {"units": 5}},
                    }
                ],
                attentional={"parts": ["context", "state"], "units": 5, "activation": "tanh", "bias": False},
            ),
            "output": {"parts": ["attentional"], "layers": [SOFTMAX]},
        },
        names={
            "input.embedding": "encoder.embed_tokens",
            "encoder": "encoder.lstm",
            "attention.general": {"name": "decoder.attention.input_proj", "order": ["state", "annotations"]},
            "decoder": "decoder.layers.0",
            "decoder.layers.0.initial_h": "decoder.encoder_hidden_proj",
            "decoder.layers.0.initial_c": "decoder.encoder_cell_proj",
            "decoder.embedding": "decoder.embed_tokens",
            "decoder.attentional": "decoder.attention.output_proj",
            "output.layers.0": {"name": "decoder.fc_out", "through": "decoder.additional_fc"},
        },
    ),
    "joeynmt": dict(
        model=base.JoeyNMT,
        covers="joeynmt's recurrent model: a bridge for all states, additive attention after the cell",
        config={
            "version": 2,
            "input": {"features": SOURCES, "embedding": 5},
            "encoder": encoder("lstm", 3),
            "attention": {"score": "additive", "units": 5, "asks": "current"},
            "decoder": dict(
                FED,
                reads=["token", "attentional"],
                embedding=4,
                layers=[
                    {
                        "cell": cell("lstm", 5),
                        "initial_h": {"dense": {"units": 5, "activation": "tanh"}},
                        "initial_c": {"from": "other"},
                    }
                ]
                * 2,
                attentional={"parts": ["state", "context"], "units": 5, "activation": "tanh"},
            ),
            "output": {"parts": ["attentional"], "layers": [dict(SOFTMAX, bias=False)]},
        },
        names={
            "input.embedding": "src_embed.lut",
            "encoder": "encoder.rnn",
            "attention.key": "decoder.attention.key_layer",
            "attention.query": "decoder.attention.query_layer",
            "attention.value": "decoder.attention.energy_layer",
            "decoder": "decoder.rnn",
            "decoder.layers.0.initial_h": "decoder.bridge_layer",
            "decoder.layers.1.initial_h": "decoder.bridge_layer",
            "decoder.embedding": "trg_embed.lut",
            "decoder.attentional": "decoder.att_vector_layer",
            "output.layers.0": "decoder.output_layer",
        },
    ),
    "stanza_lemmatizer": dict(
        model=base.StanzaLemmatizer,
        covers="Stanza's lemmatiser: soft dot attention after the cell, one embedding",
        saved=lambda state: {"model": state, "dict": {"sagte": "sagen"}, "config": {"hidden_dim": 6}},
        config={
            "version": 2,
            "input": {"features": TARGETS, "embedding": 5},
            "encoder": encoder("lstm", 3),
            "attention": {"score": "general", "asks": "current"},
            "decoder": dict(
                FED,
                reads=["token"],
                embedding="encoder",
                layers=[{"cell": cell("lstm", 6)}],
                attentional={"parts": ["context", "state"], "units": 6, "activation": "tanh", "bias": False},
            ),
            "output": {"parts": ["attentional"], "layers": [SOFTMAX]},
        },
        names={
            "input.embedding": "embedding",
            "encoder": "encoder",
            "attention.general": {"name": "decoder.attention_layer.linear_in", "order": ["state", "annotations"]},
            "decoder": "decoder.lstm_cell",
            "decoder.attentional": "decoder.attention_layer.linear_out",
            "output.layers.0": "dec2vocab",
        },
    ),
    "allennlp": dict(
        model=base.AllenNLP,
        covers="AllenNLP's simple_seq2seq: bilinear attention before the cell, a parameter; c begins with zeros",
        config={
            "version": 2,
            "input": {"features": SOURCES, "embedding": 5},
            "encoder": encoder("lstm", 3, 2),
            "attention": {"score": "general"},
            "decoder": dict(
                FED,
                reads=["context", "token"],
                embedding=4,
                layers=[{"cell": cell("lstm", 6), "initial_c": {"from": "zeros"}}],
            ),
            "output": {"layers": [SOFTMAX]},
        },
        names={
            "input.embedding": "_source_embedder.token_embedder_tokens",
            "encoder": "_encoder._module",
            "attention.general": {
                "kernel": "_attention._weight_matrix",
                "order": ["state", "annotations"],
                "transpose": False,
            },
            "decoder": "_decoder_cell",
            "decoder.embedding": "_target_embedder",
            "output.layers.0": "_output_projection_layer",
        },
    ),
}
