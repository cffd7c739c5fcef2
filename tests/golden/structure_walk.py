"""The wiring of version 2 models over a framework's own layers, in batches: what make_structures.py has
PyTorch and Keras compute. A framework (structure_torch.py, structure_keras.py) has, of float64 arrays,

    encode_layer(layer, weights, x, lengths, start)   [B,T,merged width], and {direction: (h, c)}
    cell(cell, weights)                               a function of x, h, c that gives h, c
    dense(part, kernel, bias)                         a function of x
    norm(epsilon, scale, offset)                      a function of x: layer normalisation
    embedding(table)                                  a function of ids
    softmax(x), log_softmax(x)                        over the last axis
    pool(kind, x, lengths)                            mean, maximum over a row's positions
    multi_head(attention, weights, query, x, mask)    contexts [B,Y,C] and mean weights [B,Y,T] of a layer of several
                                                      heads
    self_attention(attention, weights, x, mask)       the contexts [B,T,C] of a layer of the framework's; None where
                                                      it has none like it, and its softmax has to do

weights are {"kernel": ..., "recurrent_kernel": ..., "bias": ..., "recurrent_bias": ...}, those that there
are.
"""

import numpy as np

from structure_models import sides_of


def under(tensors, prefix):
    return {k[len(prefix) + 1 :]: v for k, v in tensors.items() if k.startswith(prefix + ".")}


def scale_of(attention):
    return float(np.float32(attention.get("scale", 1)))


class Walk:
    def __init__(self, config, tensors, framework):
        self.config, self.framework = config, framework
        self.tensors = {name: np.asarray(tensor, np.float64) for name, tensor in tensors.items()}
        self.attention, self.decoder = config.get("attention"), config.get("decoder")

    def dense(self, part, prefix, x, kernel=None):
        kernel = self.tensors[prefix + ".kernel"] if kernel is None else kernel
        last = part.get("activation", "linear")
        sums = dict(part, activation="linear") if "softmax" in last else part
        y = self.framework.dense(sums, kernel, self.tensors.get(prefix + ".bias"))
        y = self.normed(part, prefix, kernel, x) if "norm" in part else y(x)
        return getattr(self.framework, last)(y) if "softmax" in last else y

    def normed(self, part, prefix, kernel, x):
        """A dense layer some of whose sums a layer of the framework's normalises, before the activation."""
        bias, first = self.tensors.get(prefix + ".bias"), part["norm"].get("first", 0)
        z = self.framework.dense(dict(part, activation="linear"), kernel, bias)(x)
        last = first + part["norm"].get("units", z.shape[-1] - first)
        factors = self.tensors[prefix + ".norm.scale"], self.tensors[prefix + ".norm.offset"]
        z[..., first:last] = self.framework.norm(part["norm"]["epsilon"], *factors)(z[..., first:last])
        return self.framework.dense(dict(part, bias=False), np.eye(z.shape[-1]), None)(z)

    def map(self, parent, key, prefix, x):
        return self.dense(parent[key], prefix, x) if key in parent else x

    # ---- encoder ----

    def read(self, x):
        part = self.config["input"]
        if "embedding" in part:
            return self.framework.embedding(self.tensors["input.embedding"])(x)
        x = np.eye(part["features"])[x] if x.ndim == 2 else x.astype(np.float64)
        return self.tensors["input.scale"] * x + self.tensors["input.offset"] if part.get("affine") else x

    def starts(self, arrays, batch):
        """{direction: (h, c)} of each layer, from blocks [B,H] one after the other."""
        starts, at = [], 0
        for layer in self.config["encoder"]["layers"]:
            starts.append({})
            for side, cell in sides_of(layer):
                size = batch * cell["units"]
                blocks = [np.ravel(arrays["start_" + k])[at : at + size].reshape(batch, -1) for k in "hc"]
                starts[-1][side] = tuple(block.astype(np.float64) for block in blocks)
                at += size
        return starts

    def encode(self, arrays):
        a = self.read(arrays["input"])
        batch, time = a.shape[:2]
        self.lengths = arrays.get("lengths", np.full(batch, time, np.int32))
        self.mask = np.arange(time)[None] < self.lengths[:, None]
        starts = self.starts(arrays, batch) if "start_h" in arrays else None
        self.finals, result = [], {}
        for index, layer in enumerate(self.config["encoder"]["layers"]):
            prefix = f"encoder.layers.{index}"
            weights = {side: under(self.tensors, f"{prefix}.{side}") for side, _ in sides_of(layer)}
            given, ends = self.framework.encode_layer(
                layer, weights, a, self.lengths if "lengths" in arrays else None, starts and starts[index]
            )
            self.finals.append(ends)
            given = given + a if layer.get("residual") else given
            given = self.weight(layer, prefix + ".weighting", given)
            given = self.self_attend(layer, prefix + ".self_attention", given)
            a = self.map(layer, "dense", prefix + ".dense", given) * self.mask[..., None]
        for number, kind in enumerate("hc"):
            blocks = [ends[side][number] for ends in self.finals for side in ends]
            result["encoder_" + kind] = np.concatenate([np.ravel(block) for block in blocks])
            for side, states in self.finals[-1].items():
                result[f"{kind}_{'fw' if side == 'forward' else 'bw'}"] = states[number]
        self.annotations = result["annotations"] = a
        return result

    # ---- attention ----

    def prepare(self, rows):
        """What the decoded rows attend to."""
        a = self.annotations[rows]
        self.keys = self.map(self.attention, "key", "attention.key_map", a)
        self.values = self.map(self.attention, "value", "attention.value_map", a)
        self.attending, self.attended = a, self.mask[rows]

    def energies(self, attention, prefix, keys, query):
        t = self.tensors
        if attention["score"] == "dot":
            return np.einsum("btk,bk->bt", keys, query)
        if attention["score"] == "general":
            keys = self.framework.dense({"units": query.shape[1]}, t[prefix + ".general"], None)(keys)
            return np.einsum("btk,bk->bt", keys, query)
        if attention["score"] == "additive":
            units = {"units": attention["units"]}
            keys = self.framework.dense(units, t[prefix + ".key"], t.get(prefix + ".bias"))(keys)
            query = self.framework.dense(units, t[prefix + ".query"], None)(query)
            u = np.tanh(keys + query[:, None])
            return self.framework.dense({"units": 1}, t[prefix + ".value"][:, None], None)(u)[..., 0]
        u = np.concatenate([keys, np.repeat(query[:, None], keys.shape[1], 1)], -1)
        for index, part in enumerate(attention["layers"]):
            u = self.dense(part, f"{prefix}.layers.{index}", u)
        return u[..., 0]

    def weight(self, layer, prefix, x):
        """Each feature by its own weights of the row's positions: a dense layer, and a softmax, over them."""
        if "weighting" not in layer:
            return x
        turned = np.swapaxes(x * self.mask[..., None], 1, 2)
        options = {"units": turned.shape[2]}
        weights = under(self.tensors, prefix)
        e = self.framework.dense(options, weights["kernel"], weights.get("bias"))(turned)
        alphas = self.framework.softmax(np.where(self.mask[:, None], e, -np.inf))
        return np.swapaxes(alphas * turned, 1, 2)

    def self_attend(self, layer, prefix, x):
        """What the dense layer of an encoder's layer reads."""
        attention = layer.get("self_attention")
        if attention is None:
            return x
        context = self.framework.self_attention(attention, under(self.tensors, prefix), x, self.mask)
        if context is None:
            assert attention.get("heads", 1) == 1
            keys, values, queries = (
                self.map(attention, name, f"{prefix}.{name}_map", x) for name in ("key", "value", "query")
            )
            context = np.zeros((*x.shape[:2], values.shape[2]))
            for t in range(x.shape[1]):
                e = self.energies(attention, prefix, keys, queries[:, t]) * scale_of(attention)
                alphas = self.framework.softmax(np.where(self.mask, e, -np.inf))
                context[:, t] = np.einsum("bt,bta->ba", alphas, values)
        return np.concatenate([context, x], -1) if attention.get("beside") else context

    def attend(self, asks):
        attention = self.attention
        if attention.get("heads", 1) > 1:
            weights = under(self.tensors, "attention")
            made = self.framework.multi_head(attention, weights, asks[:, None], self.attending, self.attended)
            self.context, self.alphas = (x[:, 0] for x in made)
            return
        query = self.map(attention, "query", "attention.query_map", asks)
        e = scale_of(attention) * self.energies(attention, "attention", self.keys, query)
        if "positions" in attention:
            e = e + self.tensors["attention.position_bias"][: e.shape[1]]
        self.alphas = self.framework.softmax(np.where(self.attended, e, -np.inf))
        self.context = np.einsum("bt,bta->ba", self.alphas, self.values)

    # ---- initial states ----

    def initial(self, part, kind, prefix, units, rows):
        if part.get("from") == "other":
            return None
        if part.get("from") == "zeros":
            return np.zeros((len(rows), units))
        ends = self.finals[part.get("layer", -1)]
        pick = "hc".index(part.get("state", kind))
        mode = part.get("directions", "concat")
        if mode == "concat":
            state = np.concatenate([states[pick] for states in ends.values()], -1)
        elif mode == "sum":
            state = ends["forward"][pick] + ends["backward"][pick]
        else:
            state = ends[mode][pick]
        return self.map(part, "dense", prefix, state)[rows]

    def layer_states(self, rows):
        states = []
        for index, layer in enumerate(self.decoder["layers"]):
            units, prefix = layer["cell"]["units"], f"decoder.layers.{index}.initial_"
            h = self.initial(layer.get("initial_h", {}), "h", prefix + "h", units, rows)
            c = np.zeros((len(rows), units))
            if layer["cell"]["kind"] == "lstm":
                c = self.initial(layer.get("initial_c", {}), "c", prefix + "c", units, rows)
            states.append([c if h is None else h, h if c is None else c])
        return states

    # ---- decoder ----

    def hands_on(self):
        """What a step hands to the next beside states and token."""
        names = ["attentional"] if "attentional" in self.decoder["reads"] else []
        last = ["probabilities"] if self.decoder.get("feedback") == "probabilities" else []
        if not self.attention or self.attention.get("asks") != "current":
            return names + last
        asked = self.attention.get("layer", len(self.decoder["layers"]) - 1)
        upper = self.decoder["layers"][1 : asked + 1]
        reads = "context" in self.decoder["reads"] or any(layer.get("reads_context") for layer in upper)
        return names + (["context"] if reads else []) + last

    def head_parts(self):
        return self.config["output"].get("parts", ["state"])

    def begin(self, arrays, rows):
        self.states = self.layer_states(rows)
        if "initial_h" in arrays:
            at = 0
            for layer, states in zip(self.decoder["layers"], self.states):
                units = layer["cell"]["units"]
                states[0] = arrays["initial_h"][:, at : at + units].astype(np.float64)
                if layer["cell"]["kind"] == "lstm":
                    states[1] = arrays["initial_c"][:, at : at + units].astype(np.float64)
                at += units
        self.given = [h for h, _ in self.states]
        if self.attention:
            self.prepare(rows)
            self.context = np.zeros((len(rows), self.values.shape[2]))
        if "attentional" in self.decoder:
            self.attentional = np.zeros((len(rows), self.decoder["attentional"]["units"]))
        classes = self.config["output"]["layers"][-1]["units"]
        start = np.full(len(rows), self.decoder.get("start_token", classes))  # beyond all: zeros
        self.probabilities = np.eye(classes + 1, classes)[arrays.get("previous", start)]
        at = 0
        for name in self.hands_on() if "initial_fed" in arrays else []:
            width = getattr(self, name).shape[1]
            setattr(self, name, arrays["initial_fed"][:, at : at + width].astype(np.float64))
            at += width
        self.cells = [
            self.framework.cell(layer["cell"], under(self.tensors, f"decoder.layers.{index}"))
            for index, layer in enumerate(self.decoder["layers"])
        ]
        table = self.decoder.get("embedding")
        if table is None:
            self.table = np.eye(classes)
        else:
            self.table = self.tensors["input.embedding" if table == "encoder" else "decoder.embedding"]
        self.embed = self.framework.embedding(self.table)

    def side_by_side(self, names):
        vectors = {
            "token": self.token,
            "context": getattr(self, "context", None),
            "attentional": getattr(self, "attentional", None),
            "state": self.given[-1],
            "given": self.numbers,
        }
        return np.concatenate([vectors[name] for name in names], -1)

    def step(self, token, numbers):
        self.numbers = numbers
        asks = self.attention.get("asks", "previous") if self.attention else None
        asked = self.attention.get("layer", len(self.states) - 1) if self.attention else None
        feedback = self.decoder.get("feedback", "none")
        self.token = self.embed(token) if feedback in ("output", "given") else self.probabilities
        if asks == "previous":
            self.attend(self.states[asked][0])
        if asks == "token":
            self.attend(self.token)
        below = self.side_by_side(self.decoder["reads"])
        for index, layer in enumerate(self.decoder["layers"]):
            x = np.concatenate([below, self.context], -1) if layer.get("reads_context") else below
            self.states[index] = h, _ = self.cells[index](x, *self.states[index])
            below = self.given[index] = h + below if layer.get("residual") else h
            if asks == "current" and index == asked:
                self.attend(below)
        if "attentional" in self.decoder:
            part = self.decoder["attentional"]
            self.attentional = self.dense(part, "decoder.attentional", self.side_by_side(part["parts"]))
        head = self.config["output"]
        tied = self.table.T if head.get("tied") else None
        return self.head(head, "output.layers.", self.side_by_side(self.head_parts()), tied)

    def decode(self, arrays):
        batch, decoder = len(arrays["input"]), self.decoder
        rows = arrays.get("rows", np.arange(batch))
        self.begin(arrays, rows)
        targets = arrays.get("targets")
        steps = decoder["steps"] if targets is None else targets.shape[1]
        most = arrays.get("target_lengths", np.full(len(rows), steps))
        token = arrays.get("previous", np.full(len(rows), decoder.get("start_token", 0)))
        going, ends, columns, last = np.ones(len(rows), bool), np.full(len(rows), steps), [], {}
        for y in range(steps):
            going = going & (y < most)
            numbers = arrays["given"][:, y].astype(np.float64) if "given" in arrays else None
            output, logs = self.step(token, numbers)
            best = output.argmax(-1)
            token = best if targets is None else np.where(going, targets[:, y], 0)
            self.probabilities = output if targets is None else np.eye(output.shape[1])[token]
            made = {"states": self.given[-1], "outputs": output}
            if logs is not None:
                made["log_probabilities"] = np.take_along_axis(logs, token[:, None], 1)[:, 0]
            if self.attention:
                made["context"], made["alphas"] = self.context, self.alphas
            made = {k: v * going.reshape([-1] + [1] * (v.ndim - 1)) for k, v in made.items()}
            columns.append(
                dict(made, tokens=np.where(going, best, decoder.get("end_token", 0)).astype(np.int32))
            )
            self.keep(last, going)
            ends[going] = y + 1
            if targets is None:
                going = going & (best != decoder.get("end_token", -1))
        result = {name: np.stack([column[name] for column in columns], 1) for name in columns[0]}
        if np.any(ends < steps):
            result["output_lengths"] = ends.astype(np.int32)
        return dict(result, **last)

    def keep(self, last, going):
        """The states after the rows' last steps, so far."""
        now = {"final_h": np.concatenate([h for h, _ in self.states], -1)}
        if any(layer["cell"]["kind"] == "lstm" for layer in self.decoder["layers"]):
            now["final_c"] = np.concatenate([c for _, c in self.states], -1)
        if self.hands_on():
            now["final_fed"] = np.concatenate([getattr(self, name) for name in self.hands_on()], -1)
        for name, value in now.items():
            last[name] = np.where(going[:, None], value, last.get(name, value))

    # ---- output ----

    def head(self, head, prefix, x, tied=None):
        """The output, and its logarithms where it is a softmax."""
        count = len(head["layers"])
        for index, part in enumerate(head["layers"][:-1]):
            x = self.dense(part, f"{prefix}{index}", x)
        part, prefix = head["layers"][-1], f"{prefix}{count - 1}"
        output, logs = self.dense(part, prefix, x, tied), None
        if "softmax" in part.get("activation", "linear"):
            logs = self.dense(dict(part, activation="log_softmax"), prefix, x, tied)
        return output, logs

    def source(self, kind):
        if isinstance(kind, list):
            return np.concatenate([self.source(one) for one in kind], -1)
        if isinstance(kind, dict) and kind["over"] == "positions":
            return (self.annotations * self.mask[..., None]).reshape(len(self.lengths), -1)
        if isinstance(kind, dict):
            states = self.finals[kind.get("layer", len(self.finals) - 1)].values()
            return np.concatenate([pair["hc".index(kind.get("state", "h"))] for pair in states], -1)
        if kind in ("context", "every"):
            return self.context if kind == "context" else self.annotations
        if kind == "final":
            return np.concatenate([h for h, _ in self.finals[-1].values()], -1)
        if kind == "last":
            return self.annotations[np.arange(len(self.lengths)), self.lengths - 1]
        return self.framework.pool(kind, self.annotations, self.lengths)

    def undecoded(self, arrays):
        rows, result = np.arange(len(arrays["input"])), {}
        if self.attention:
            state = self.config.get("state", {})
            asks = arrays.get("initial_h")
            if asks is None:
                asks = self.initial(state, "h", "state.initial", state.get("units"), rows)
            self.prepare(rows)
            self.attend(asks.astype(np.float64))
            result["context"], result["alphas"] = self.context, self.alphas
        if "output" not in self.config:
            return result
        heads = self.config["output"].get("heads", [self.config["output"]])
        every, outputs = any(head["over"] in ("every", ["every"]) for head in heads), []
        for number, head in enumerate(heads):
            prefix = f"output.heads.{number}.layers." if len(heads) > 1 else "output.layers."
            output = self.head(head, prefix, self.source(head["over"]))[0]
            if every and output.ndim == 2:  # the same at every position
                output = np.repeat(output[:, None], self.mask.shape[1], 1)
            outputs.append(output)
        tokens = np.stack([output.argmax(-1) for output in outputs], -1).astype(np.int32)
        result["outputs"] = np.concatenate(outputs, -1)
        if every:
            result["outputs"], tokens = (
                result["outputs"] * self.mask[..., None],
                tokens * self.mask[..., None],
            )
            result["output_lengths"] = self.lengths.astype(np.int32)
        return dict(result, tokens=tokens.astype(np.int32))


def run(config, tensors, arrays, framework):
    """The arrays of golden_models' docstring that come out."""
    walk = Walk(config, tensors, framework)
    result = walk.encode(arrays)
    result.update(walk.decode(arrays) if "decoder" in config else walk.undecoded(arrays))
    return result
