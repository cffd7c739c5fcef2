"""What is exported: name, modules and how they are called. A case is an encoder with a decoder's step, or one graph."""

import torch

import onnx_models as m

B, T, IDS, FEATURES = 3, 6, 11, 7
LENGTHS = {"sorted": [6, 4, 3], "unsorted": [3, 6, 4]}


class File:
    """One module to export, with the inputs that it is called with and which of their axes vary."""

    def __init__(self, module, inputs, names, outputs, axes):
        self.module, self.inputs, self.names, self.outputs, self.axes = module.eval(), inputs, names, outputs, axes


class Case:
    """lengths: of the rows, or None; start, steps: of a pair's greedy decoding; opset: an older one; fixed: no size varies;
    external: weights in a file beside it; time_first: the input's positions come before its rows; expectation: as in
    index.tsv."""

    def __init__(self, name, files, lengths=None, start=1, steps=4, legacy_only=False, opset=None, fixed=False,
                 external=False, time_first=False, expectation="same"):
        self.name, self.files, self.lengths, self.start, self.steps = name, files, lengths, start, steps
        self.legacy_only, self.opset, self.fixed, self.external = legacy_only, opset, fixed, external
        self.time_first, self.expectation = time_first, expectation


def single(name, make, pack=None, outputs=("output",), features=0, case={}, **settings):
    if features:
        settings = {"inputs": features, "embed": 0, **settings}
    module = make(pack=pack, **settings)
    x = torch.randn(B, T, features) if features else torch.randint(0, settings.get("inputs", IDS), (B, T))
    lengths = LENGTHS.get(pack)
    inputs, names = (x,), ["x"]
    axes = {"x": {0: "batch", 1: "time"}}
    if lengths:
        inputs, names = (x, torch.tensor(lengths)), ["x", "lengths"]
        axes["lengths"] = {0: "batch"}
    return Case(name, {"model": File(module, inputs, names, list(outputs), axes)}, lengths, **{"legacy_only": pack is not None, **case})


def graph(name, module, x, **case):
    """One graph of a whole model, such as a decoder's loop."""
    axes = {0: "time", 1: "batch"} if case.get("time_first") else {0: "batch", 1: "time"}
    return Case(name, {"model": File(module, (x,), ["x"], ["output"], {"x": axes})}, **case)


def mask_of(lengths):
    return (torch.arange(T)[None] < torch.tensor(lengths or [T] * B)[:, None]).long()


def pair(name, encoder, step, states, token, pack=None, feed=0, mask=False, features=0, **rest):
    """states: what the encoder gives beside the annotations, each [layers, B, S] or [B, S] as (name, batch axis)."""
    x = torch.randn(B, T, features) if features else torch.randint(0, IDS, (B, T))
    lengths = LENGTHS.get(pack)
    inputs, names, axes = (x,), ["x"], {"x": {0: "batch", 1: "time"}}
    if lengths:
        inputs, names = (x, torch.tensor(lengths)), ["x", "lengths"]
        axes["lengths"] = {0: "batch"}
    encoder = encoder.eval()
    with torch.no_grad():
        y, *state = encoder(*inputs) if states or isinstance(encoder, m.Encoder) else (encoder(*inputs),)
    state = list(state[: len(states)])
    outputs = ["annotations"] + ["state_" + n for n, _ in states]
    encoder_axes = dict(axes, annotations={0: "batch", 1: "time"}, **{"state_" + n: {a: "batch"} for n, a in states})
    one = File(encoder, inputs, names, outputs, encoder_axes)
    plain = isinstance(step, m.PlainStep)
    feeds = torch.zeros(B, feed) if not isinstance(step, m.JoeyStep) else torch.zeros(B, 1, feed)
    tokens = {"B": torch.full((B,), 1), "B1": torch.full((B, 1), 1), "1B": torch.full((1, B), 1),
              "B1V": torch.eye(8)[[1] * B].unsqueeze(1)}[token]
    step_names = ["token"] + ["feed"] * bool(feed) + [n for n, _ in states] + ["annotations"] * (not plain)
    step_inputs = [tokens] + ([feeds] if feed else []) + state + [y] * (not plain)
    step_axes = {"token": {token.index("B"): "batch"}, **{n: {a: "batch"} for n, a in states}, "annotations": {0: "batch", 1: "time"}}
    if plain:
        step_axes.pop("annotations")
    step_outputs = ["output"] + (["next_feed"] if feed else []) + ["next_" + n for n, _ in states]
    if feed:
        step_axes["feed"] = {0: "batch"}
    if mask:
        step_names.append("mask")
        step_inputs.append(mask_of(lengths))
        step_axes["mask"] = {0: "batch", 1: "time"}
    two = File(step, tuple(step_inputs), step_names, step_outputs, step_axes)
    return Case(name, {"encoder": one, "decoder": two}, lengths, legacy_only=pack is not None, **rest)


def cases():
    torch.manual_seed(7)
    lstm, gru = {"kind": "LSTM"}, {"kind": "GRU"}
    h, hc = [("h", 1)], [("h", 1), ("c", 1)]
    yield single("tagger", m.Tagger)
    yield single("tagger-gru", m.Tagger, **gru, layers=2, end="softmax")
    yield single("tagger-features", m.Tagger, features=FEATURES, hidden=6, end="log_softmax")
    yield single("tagger-forward", m.Tagger, both=False, layers=2, end="softmax")
    yield single("tagger-time-first", m.Tagger, batch_first=False, layers=2)
    yield single("tagger-sorted", m.Tagger, pack="sorted", end="softmax")
    yield single("tagger-unsorted", m.Tagger, pack="unsorted", layers=2, end="softmax")
    yield single("tagger-gru-unsorted", m.Tagger, pack="unsorted", **gru)
    yield single("tagger-heads", m.TaggerOfTwoHeads, outputs=("tags", "marks"))
    yield single("tagger-opset11", m.Tagger, layers=2, end="softmax", case={"opset": 11, "legacy_only": True})
    yield single("tagger-opset15", m.Tagger, **gru, end="log_softmax", case={"opset": 15, "legacy_only": True})
    yield single("tagger-fixed", m.Tagger, layers=2, end="softmax", case={"fixed": True})
    yield single("external", m.Tagger, case={"external": True})
    yield graph("tagger-time-first-input", m.TimeFirstTagger(), torch.randn(T, B, FEATURES), time_first=True)
    yield graph("mask-of-ids", m.MaskOfIds(), torch.tensor([[3, 4, 2, 7, 1, 5], [2, 6, 1, 0, 0, 0], [9, 8, 5, 1, 0, 0]]),
                lengths=[6, 3, 4], legacy_only=True)
    for pool in ("final", "last", "mean", "max", "adaptive"):
        yield single("classifier-" + pool, m.Classifier, pool=pool, **(gru if pool == "last" else lstm), both=pool != "last")
    yield single("classifier-final-sorted", m.Classifier, pack="sorted", layers=2)
    yield single("classifier-sigmoid", m.Classifier, end="sigmoid", both=False, features=FEATURES)
    yield single("attention-final", m.AttentionClassifier)
    yield single("attention-weights", m.AttentionClassifier, by="weights", **gru)
    fixed = {"case": {"fixed": True}}
    yield single("self-attention", m.SelfAttention)
    yield single("self-attention-other-axis", m.SelfAttention, axis=1, case={"expectation": "refuse MatMul softmax"})
    yield single("self-attention-heads", m.SelfAttention, by="heads", **gru, **fixed)
    yield single("self-attention-block", m.SelfAttention, by="block", **fixed)
    yield graph("cell-loop", m.CellLoop(), torch.randn(B, T, FEATURES))
    top = {"states": "top"}
    begin = lambda y, *states: states
    yield graph("greedy-bahdanau", m.Greedy(m.Encoder(both=False, units=10, **gru), m.BahdanauStep(10), 1, 3, begin),
                torch.randint(0, IDS, (B, T)))
    yield graph("greedy-plain", m.Greedy(m.Encoder(both=False, layers=2), WithoutAnnotations(m.PlainStep()), 1, 3, begin),
                torch.randint(0, IDS, (B, T)))
    yield pair("tutorial", m.Encoder(both=False, units=10, **gru), m.BahdanauStep(10), h, "B1")
    yield pair("trevett", m.Encoder(states="top", bridge=10, **gru), m.TrevettStep(10), [("h", 0)], "B")
    for score in ("dot", "general", "concat"):
        yield pair("chatbot-" + score, m.Encoder(states="forward", sum_outputs=True, layers=2, **gru),
                   m.LuongStep(5, 5, score=score, layers=2), h, "1B")
    yield pair("chatbot-sorted", m.Encoder(states="forward", sum_outputs=True, layers=2, pack="sorted", **gru),
               m.LuongStep(5, 5, score="general", layers=2), h, "1B", pack="sorted", expectation="refuse lengths masked positions")
    yield pair("opennmt", m.Encoder(states="joined", layers=2), m.InputFeedStep(10), hc, "B", feed=10)
    yield pair("opennmt-rnn", m.Encoder(states="joined", layers=2), m.InputFeedStep(10, cell="rnn"), hc, "B", feed=10)
    yield pair("opennmt-sorted", m.Encoder(states="joined", layers=2, pack="sorted"), m.InputFeedStep(10), hc, "B",
               pack="sorted", feed=10, expectation="refuse lengths masked positions")
    flat = [("h", 0), ("c", 0)]
    yield pair("allennlp", m.Encoder(states="top"), m.CellStep(10), flat, "B")
    for pack in ("sorted", "unsorted"):
        yield pair("allennlp-" + pack, m.Encoder(states="top", pack=pack), m.MaskedCellStep(10), flat, "B", pack=pack, mask=True)
        yield pair("fairseq-" + pack, m.Encoder(states="joined", layers=2, pack=pack), m.FairseqStep(10), hc, "B1", pack=pack,
                   feed=10, mask=True)
        yield pair("stanza-" + pack, m.Encoder(states="top", layers=2, pack=pack), m.StanzaStep(10), flat, "B", pack=pack, mask=True)
        yield pair("joeynmt-" + pack, m.Encoder(states="last", layers=1, both=False, units=10, pack=pack, **gru), m.JoeyStep(10), h,
                   "B1", pack=pack, feed=10, mask=True)
    yield pair("gru-cell-dot", m.Encoder(states="top", **gru), m.GruCellStep(10), [("h", 0)], "B")
    yield pair("g2p", m.Encoder(both=False, layers=2), m.PlainStep(), hc, "B1")
    yield pair("one-hot", m.Encoder(both=False), m.OneHotStep(), hc, "B1V")
    yield pair("g2p-gru", m.Encoder(both=False, layers=1, **gru), m.PlainGruStep(), h, "B1")
    yield pair("features", m.Encoder(inputs=FEATURES, embed=0, states="top"), m.CellStep(10), flat, "B", features=FEATURES)
    yield graph("las-pyramid", m.Pyramid(), torch.randn(B, T, FEATURES), expectation="refuse Reshape another size")
    yield gnmt()
    alike = lambda **settings: m.Encoder(both=False, units=8, **settings)
    yield pair("heads", alike(**gru), m.HeadsStep(8), h, "B1")
    yield pair("heads-normed", alike(), m.HeadsLstmStep(8, heads=4, by="normed"), hc, "B1")
    yield pair("heads-tanh", alike(), m.HeadsLstmStep(8, by="tanh", bias=False), hc, "B1", **fixed["case"])
    yield pair("heads-before", alike(**gru), m.HeadsStep(8, by="before"), h, "B1")
    yield graph("heads-greedy", m.Greedy(alike(**gru), m.HeadsStep(8, by="before"), 1, 3, begin), torch.randint(0, IDS, (B, T)))


class WithoutAnnotations(torch.nn.Module):
    def __init__(self, step):
        super().__init__()
        self.step = step

    def forward(self, token, *rest):
        return self.step(token, *rest[:-1])


def gnmt():
    encoder, step = m.ResidualEncoder().eval(), m.GnmtStep()
    x = torch.randint(0, IDS, (B, T))
    with torch.no_grad():
        y = encoder(x)
    zeros = torch.zeros(3, B, 6)
    files = {
        "encoder": File(encoder, (x,), ["x"], ["annotations"], {"x": {0: "batch", 1: "time"}, "annotations": {0: "batch", 1: "time"}}),
        "decoder": File(step, (torch.full((B, 1), 1), zeros, torch.zeros(3, B, 6), y), ["token", "h", "c", "annotations"],
                        ["output", "next_h", "next_c"],
                        {"token": {0: "batch"}, "h": {1: "batch"}, "c": {1: "batch"}, "annotations": {0: "batch", 1: "time"}}),
    }
    return Case("gnmt", files)
