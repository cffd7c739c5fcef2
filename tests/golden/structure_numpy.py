"""Version 2 models in numpy, float64, written from docs/model-format.md alone: the reference is judged by it.

    result = run(config, tensors, arrays)

config is the configuration, tensors its tensors by name, arrays what golden_models.py lists as going in;
result is what comes out, under the names there, with the states of the encoder's layers one block [B,H]
after the other.
"""

import numpy as np

from structure_layers import Weights, dense, log_softmax, optional_dense, softmax, step_cell

# ---- encoder ----


def directions_of(layer):
    """[(name, cell)] of the directions that a layer has, the forward one first."""
    both = {"forward": layer["cell"], "backward": layer.get("backward_cell", layer["cell"])}
    direction = layer.get("direction", "forward")
    return list(both.items()) if direction == "bidirectional" else [(direction, both[direction])]


def merge(mode, states):
    if len(states) == 1:
        return states[0]
    forward, backward = states
    if mode == "concat":
        return np.concatenate(states, -1)
    return {"sum": forward + backward, "mul": forward * backward, "ave": (forward + backward) / 2}[mode]


def load_input(config, w, x):
    """One row's positions as the first layer reads them."""
    part = config["input"]
    if x.ndim == 1 and "embedding" in part:
        return w["input.embedding"][x]
    x = np.eye(part["features"])[x] if x.ndim == 1 else x.astype(np.float32).astype(np.float64)
    if "embedding" in part:
        assert np.all((x == 0) | (x == 1)) and np.all(x.sum(1) == 1)
        return x @ w["input.embedding"]
    return w["input.scale"] * x + w["input.offset"] if part.get("affine") else x


def encode_row(config, w, x, start):
    """Annotations [L,A] and, of each layer, {direction: (h, c)}. start: the same of the initial states."""
    below, finals = load_input(config, w, x), []
    for index, layer in enumerate(config["encoder"]["layers"]):
        hidden, ends = [], {}
        for side, cell in directions_of(layer):
            h, c = start[index][side]
            c = c if cell["kind"] == "lstm" else np.zeros(cell["units"])
            states = np.zeros((len(below), cell["units"]))
            order = range(len(below)) if side == "forward" else reversed(range(len(below)))
            for t in order:
                h, c = step_cell(w, cell, f"encoder.layers.{index}.{side}", below[t], h, c)
                states[t] = h
            hidden.append(states)
            ends[side] = h, c
        given = merge(layer.get("merge", "concat"), hidden)
        given = given + below if layer.get("residual") else given
        given = weight(w, layer, f"encoder.layers.{index}.weighting", given)
        given = self_attend(w, layer, f"encoder.layers.{index}.self_attention", given)
        below = optional_dense(w, layer, "dense", f"encoder.layers.{index}.dense", given)
        finals.append(ends)
    return below, finals


# ---- attention ----


def energy(w, attention, prefix, key, query):
    score = attention["score"]
    if score == "dot":
        return key @ query
    if score == "general":
        return key @ w[prefix + ".general"] @ query
    if score == "additive":
        sums = key @ w[prefix + ".key"] + query @ w[prefix + ".query"]
        return np.tanh(sums + (w[prefix + ".bias"] if attention.get("bias") else 0)) @ w[prefix + ".value"]
    u = np.concatenate([key, query])
    for index, layer in enumerate(attention["layers"]):
        u = dense(w, layer, f"{prefix}.layers.{index}", u)
    return u[0]


def average(w, attention, prefix, keys, values, query):
    """The context of one query, and the mean of its heads' alphas."""
    scale, contexts, weights = float(np.float32(attention.get("scale", 1))), [], []
    for k, v, q in zip(*(np.split(x, attention.get("heads", 1), -1) for x in (keys, values, query))):
        energies = np.array([scale * energy(w, attention, prefix, key, q) for key in k])
        if "positions" in attention:
            energies = energies + w[prefix + ".position_bias"][: len(energies)]
        weights.append(softmax(energies))
        contexts.append(weights[-1] @ v)
    return np.concatenate(contexts), np.mean(weights, 0)


def weight(w, layer, prefix, x):
    """Each feature by its own weights of the row's positions."""
    if "weighting" not in layer:
        return x
    length = len(x)
    energies = w[prefix + ".kernel"][:length, :length].T @ x
    if layer["weighting"].get("bias", True):
        energies = energies + w[prefix + ".bias"][:length, None]
    return x * np.stack([softmax(e) for e in energies.T], -1)


def self_attend(w, layer, prefix, x):
    """What the dense layer of an encoder's layer reads."""
    attention = layer.get("self_attention")
    if attention is None:
        return x
    keys, values, queries = (
        optional_dense(w, attention, name, f"{prefix}.{name}_map", x) for name in ("key", "value", "query")
    )
    context = np.stack([average(w, attention, prefix, keys, values, query)[0] for query in queries])
    return np.concatenate([context, x], -1) if attention.get("beside") else context


def attend(config, w, annotations, asks):
    """Context, and the alphas of the row's own positions."""
    attention = config["attention"]
    query = optional_dense(w, attention, "query", "attention.query_map", asks)
    keys = optional_dense(w, attention, "key", "attention.key_map", annotations)
    values = optional_dense(w, attention, "value", "attention.value_map", annotations)
    return average(w, attention, "attention", keys, values, query)


# ---- decoder ----


def initial_state(config, w, part, kind, finals, prefix, units):
    """None where it is the layer's other state."""
    if part.get("from", "encoder") == "zeros":
        return np.zeros(units)
    if part.get("from") == "other":
        return None
    layers = config["encoder"]["layers"]
    index = part.get("layer", len(layers) - 1)
    pick = {"h": 0, "c": 1}[part.get("state", kind)]
    sides = [finals[index][side][pick] for side, _ in directions_of(layers[index])]
    mode = part.get("directions", "concat")
    state = np.concatenate(sides) if mode == "concat" else sides[0] + sides[1] if mode == "sum" else None
    if state is None:
        state = sides[0 if mode == "forward" else 1]
    return optional_dense(w, part, "dense", prefix, state)


def layer_states(config, w, finals):
    """The h and c of all decoder layers where the caller gives none."""
    states = []
    for index, layer in enumerate(config["decoder"]["layers"]):
        units, prefix = layer["cell"]["units"], f"decoder.layers.{index}.initial_"
        h = initial_state(config, w, layer.get("initial_h", {}), "h", finals, prefix + "h", units)
        c = np.zeros(units)
        if layer["cell"]["kind"] == "lstm":
            c = initial_state(config, w, layer.get("initial_c", {}), "c", finals, prefix + "c", units)
        states.append((c if h is None else h, h if c is None else c))
    return states


class Decoder:
    """One row's decoding."""

    def __init__(self, config, w, annotations, finals):
        self.config, self.w, self.annotations = config, w, annotations
        self.decoder, self.attention = config["decoder"], config.get("attention")
        self.head = config["output"].get("heads", [config["output"]])[0]
        self.prefix = "output.layers."
        self.states = layer_states(config, w, finals)
        self.given = [np.zeros(layer["cell"]["units"]) for layer in self.decoder["layers"]]
        self.context = np.zeros(self.context_width()) if self.attention else None
        self.alphas = None
        attentional = self.decoder.get("attentional")
        self.attentional = np.zeros(attentional["units"]) if attentional else None
        self.probabilities = np.zeros(self.classes())
        self.is_given = False

    def context_width(self):
        return self.attention["value"]["units"] if "value" in self.attention else self.annotations.shape[1]

    def asked(self):
        return self.attention.get("layer", len(self.decoder["layers"]) - 1)

    def asks(self):
        return self.attention.get("asks", "previous") if self.attention else None

    def hands_on(self):
        """The names of what a step hands to the next one beside states and token."""
        layers = self.decoder["layers"]
        reads = (
            "context" in self.decoder["reads"]
            or any(layer.get("reads_context") for layer in layers[1 : self.asked() + 1] if self.attention)
            if self.attention
            else False
        )
        names = ["attentional"] if "attentional" in self.decoder["reads"] else []
        names += ["context"] if self.asks() == "current" and reads else []
        return names + (["probabilities"] if self.decoder.get("feedback") == "probabilities" else [])

    def start(self, h, c, fed):
        """From what the caller gives."""
        if h is not None:
            widths = np.cumsum([layer["cell"]["units"] for layer in self.decoder["layers"]])[:-1]
            c = np.zeros_like(h) if c is None else c
            self.states = list(zip(np.split(h, widths), np.split(c, widths)))
            kinds = [layer["cell"]["kind"] for layer in self.decoder["layers"]]
            self.states = [(h, c if kind == "lstm" else 0 * c) for kind, (h, c) in zip(kinds, self.states)]
        self.is_given = fed is not None
        for name in self.hands_on() if fed is not None else []:
            width = len(getattr(self, name))
            setattr(self, name, np.array(fed[:width]))
            fed = fed[width:]

    def embed(self, token):
        if self.decoder.get("feedback", "none") == "none":
            return None
        if self.decoder["feedback"] == "probabilities":
            return self.probabilities
        if "embedding" not in self.decoder:
            return np.eye(self.classes())[token]
        return self.table()[token]

    def feed(self, token, output=None):
        """The probabilities that the next step reads: an output's, or of a token all its own."""
        if output is not None:
            self.probabilities = output
        elif token is not None:
            self.probabilities = np.eye(self.classes())[token]

    def table(self):
        return self.w["input.embedding" if self.decoder["embedding"] == "encoder" else "decoder.embedding"]

    def classes(self):
        return self.head["layers"][-1]["units"]

    def part(self, name):
        return {
            "token": self.token,
            "context": self.context,
            "attentional": self.attentional,
            "state": self.given[-1],
            "given": self.numbers,
        }[name]

    def concat(self, names):
        return np.concatenate([self.part(name) for name in names])

    def attend(self, asks):
        self.context, self.alphas = attend(self.config, self.w, self.annotations, asks)

    def step(self, token, numbers):
        """Returns the output, and the logarithms of softmax where there are such."""
        self.token, self.numbers = self.embed(token), numbers
        if self.asks() == "previous":
            self.attend(self.states[self.asked()][0])
        elif self.asks() == "token":
            self.attend(self.token)
        below = self.concat(self.decoder["reads"])
        for index, layer in enumerate(self.decoder["layers"]):
            x = np.concatenate([below, self.context]) if layer.get("reads_context") else below
            h, c = step_cell(self.w, layer["cell"], f"decoder.layers.{index}", x, *self.states[index])
            self.states[index] = h, c
            below = self.given[index] = h + below if layer.get("residual") else h
            if self.asks() == "current" and index == self.asked():
                self.attend(below)
        if "attentional" in self.decoder:
            part = self.decoder["attentional"]
            self.attentional = dense(self.w, part, "decoder.attentional", self.concat(part["parts"]))
        table = self.table().T if self.head.get("tied") else None
        x = self.concat(self.head.get("parts", ["state"]))
        return head_output(self.w, self.head, self.prefix, x, table)


# ---- output ----


def head_output(w, head, prefix, x, tied=None):
    """The output of a head, and log softmax of its last sums where that is what it is made of."""
    for index, layer in enumerate(head["layers"]):
        last = index == len(head["layers"]) - 1
        x = dense(w, layer, f"{prefix}{index}", x, tied if last else None, vector=last)
    activation = head["layers"][-1].get("activation", "linear")
    if activation not in ("softmax", "log_softmax"):
        return x, None
    logs = log_softmax(x)
    return (softmax(x) if activation == "softmax" else logs), logs


def read_source(source, annotations, finals, context):
    """What a head over `source` reads: one vector, several side by side, or one for each position."""
    if isinstance(source, list):
        return np.concatenate([read_source(one, annotations, finals, context) for one in source])
    if isinstance(source, dict) and source["over"] == "positions":
        rows = np.zeros((source["count"], annotations.shape[1]))
        rows[: len(annotations)] = annotations
        return rows.ravel()
    if isinstance(source, dict):
        layer, state = source.get("layer", len(finals) - 1), "hc".index(source.get("state", "h"))
        return np.concatenate([states[state] for states in finals[layer].values()])
    if source == "final":
        return np.concatenate([h for h, _ in finals[-1].values()])
    return {
        "context": lambda: context,
        "mean": lambda: annotations.mean(0),
        "maximum": lambda: annotations.max(0),
        "last": lambda: annotations[-1],
        "every": lambda: annotations,
    }[source]()


# ---- the whole ----


def split_starts(config, arrays, batch):
    """Of each row and layer {direction: (h, c)}, from blocks [B,H] one after the other."""
    names = "start_h", "start_c"
    flat = {k: np.ravel(arrays[k]).astype(np.float64) if k in arrays else None for k in names}
    at, starts = 0, [[] for _ in range(batch)]
    for layer in config["encoder"]["layers"]:
        for row in starts:
            row.append({})
        for side, cell in directions_of(layer):
            size = batch * cell["units"]
            blocks = [
                (np.zeros(size) if v is None else v[at : at + size]).reshape(batch, -1) for v in flat.values()
            ]
            at += size
            for row, h, c in zip(starts, *blocks):
                row[-1][side] = h, c
    return starts


def encode(config, w, arrays):
    x = np.asarray(arrays["input"])
    batch, time = x.shape[:2]
    lengths = arrays.get("lengths", np.full(batch, time))
    starts = split_starts(config, arrays, batch)
    rows = [encode_row(config, w, x[b, : lengths[b]], starts[b]) for b in range(batch)]
    annotations = np.zeros((batch, time, rows[0][0].shape[1]))
    for b, (a, _) in enumerate(rows):
        annotations[b, : len(a)] = a
    result, sides = {"annotations": annotations}, {"forward": "fw", "backward": "bw"}
    for pick, kind in enumerate("hc"):
        blocks = []
        for index, layer in enumerate(config["encoder"]["layers"]):
            for side, _ in directions_of(layer):
                blocks.append(np.stack([finals[index][side][pick] for _, finals in rows]))
                if index == len(config["encoder"]["layers"]) - 1:
                    result[f"{kind}_{sides[side]}"] = blocks[-1]
        result["encoder_" + kind] = np.concatenate([np.ravel(block) for block in blocks])
    return result, rows


def of_row(arrays, name, row):
    return np.asarray(arrays[name][row], np.float64) if name in arrays else None


def decode(config, w, arrays, encoded, time, steps):
    """Rows that end early are 0 from there on, their tokens the end token."""
    decoder = config["decoder"]
    rows = arrays.get("rows", np.arange(len(encoded)))
    columns, ends, finals = {}, [], []
    for b, source in enumerate(rows):
        state = Decoder(config, w, *encoded[source])
        state.start(*(of_row(arrays, "initial_" + kind, b) for kind in ("h", "c", "fed")))
        token = arrays["previous"][b] if "previous" in arrays else decoder.get("start_token")
        if not state.is_given:
            state.feed(token)
        targets = arrays["targets"][b] if "targets" in arrays else None
        most = arrays["target_lengths"][b] if "target_lengths" in arrays else steps
        for y in range(most):
            output, logs = state.step(token, of_row(arrays, "given", (b, y)))
            best = int(np.argmax(output))
            token = best if targets is None else int(targets[y])
            state.feed(token, output if targets is None else None)
            made = {"states": state.given[-1], "outputs": output, "tokens": best}
            if logs is not None:
                made["log_probabilities"] = logs[token]
            if state.attention:
                made["context"], made["alphas"] = state.context, np.zeros(time)
                made["alphas"][: len(state.alphas)] = state.alphas
            for name, value in made.items():
                empty = np.zeros((len(rows), steps) + np.shape(value), int if name == "tokens" else float)
                columns.setdefault(name, empty)[b, y] = value
            if targets is None and best == decoder.get("end_token", -1):
                break
        ends.append(y + 1)
        columns["tokens"][b, y + 1 :] = decoder.get("end_token", 0)
        finals.append(state)
    result = dict(columns, output_lengths=np.array(ends))
    result["final_h"] = np.stack([np.concatenate([h for h, _ in s.states]) for s in finals])
    if any(layer["cell"]["kind"] == "lstm" for layer in decoder["layers"]):
        result["final_c"] = np.stack([np.concatenate([c for _, c in s.states]) for s in finals])
    if finals[0].hands_on():
        names = finals[0].hands_on()
        result["final_fed"] = np.stack([np.concatenate([getattr(s, n) for n in names]) for s in finals])
    return result


def without_decoder(config, w, arrays, encoded, time):
    """Attention where there is any, and heads over what is encoded."""
    batch, result, contexts = len(encoded), {}, [None] * len(encoded)
    if "attention" in config:
        result["alphas"] = np.zeros((batch, time))
        for b, (annotations, finals) in enumerate(encoded):
            part = config.get("state", {})
            asks = of_row(arrays, "initial_h", b)
            if asks is None:
                asks = initial_state(config, w, part, "h", finals, "state.initial", part.get("units"))
            contexts[b], alphas = attend(config, w, annotations, asks)
            result["alphas"][b, : len(alphas)] = alphas
        result["context"] = np.stack(contexts)
    if "output" not in config:
        return result
    heads = config["output"].get("heads", [config["output"]])
    of_every = [head["over"] in ("every", ["every"]) for head in heads]
    every = any(of_every)
    tokens = np.zeros((batch, time if every else 1, len(heads)), int)
    outputs = np.zeros((batch, time if every else 1, sum(head["layers"][-1]["units"] for head in heads)))
    for b, (annotations, finals) in enumerate(encoded):
        at = 0
        for index, head in enumerate(heads):
            prefix = f"output.heads.{index}.layers." if len(heads) > 1 else "output.layers."
            vectors = read_source(head["over"], annotations, finals, contexts[b])
            if not of_every[index]:  # beside heads over every position the same at all of them
                vectors = [vectors] * (len(annotations) if every else 1)
            for y, vector in enumerate(vectors):
                output, _ = head_output(w, head, prefix, vector)
                outputs[b, y, at : at + len(output)] = output
                tokens[b, y, index] = np.argmax(output)
            at += len(output)
    lengths = [len(annotations) if every else 1 for annotations, _ in encoded]
    return dict(result, outputs=outputs, tokens=tokens, output_lengths=np.array(lengths))


def run(config, tensors, arrays, steps=None):
    """The arrays of golden_models' docstring that come out."""
    w = Weights(tensors)
    result, rows = encode(config, w, arrays)
    time = np.shape(arrays["input"])[1]
    if "decoder" in config:
        result.update(decode(config, w, arrays, rows, time, steps or config["decoder"]["steps"]))
    else:
        result.update(without_decoder(config, w, arrays, rows, time))
    given = {"initial_h", "initial_c"} & set(arrays)  # then the layers that make these are not used
    left = {name for name in w.unread if not (given and ".initial" in name)}
    assert not left, f"no part of the document reads {sorted(left)}"
    return result
