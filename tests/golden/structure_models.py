"""Version 2 configurations: what tensors they ask for, after docs/model-format.md."""

import numpy as np


def sides_of(part):
    """[(name, cell)] of the directions of an encoder layer, the forward one first."""
    cells = {"forward": part["cell"], "backward": part.get("backward_cell", part["cell"])}
    direction = part.get("direction", "forward")
    return [(s, c) for s, c in cells.items() if direction in (s, "bidirectional")]


def merged_width(part):
    widths = [cell["units"] for _, cell in sides_of(part)]
    return sum(widths) if part.get("merge", "concat") == "concat" else widths[0]


def has_second_bias(cell):
    after = cell["kind"] == "gru" and cell.get("reset", "after") == "after"
    return cell.get("recurrent_bias", after and cell.get("bias", True))


def initial_width(config, part):
    layers = config["encoder"]["layers"]
    widths = {side: cell["units"] for side, cell in sides_of(layers[part.get("layer", len(layers) - 1)])}
    mode = part.get("directions", "concat")
    return sum(widths.values()) if mode == "concat" else widths["forward" if mode == "sum" else mode]


class Shapes(dict):
    """The tensors of a configuration by name, with their shapes."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.encoder()
        self.attention()
        self.decoder()
        self.output()

    def dense(self, prefix, part, inputs, kernel=True):
        if kernel:
            self[prefix + ".kernel"] = inputs, part["units"]
        if part.get("bias", True):
            self[prefix + ".bias"] = (part["units"],)
        if "norm" in part:
            units = part["norm"].get("units", part["units"] - part["norm"].get("first", 0))
            self[prefix + ".norm.scale"] = self[prefix + ".norm.offset"] = (units,)
        return part["units"]

    def cell(self, prefix, cell, inputs):
        width = cell["units"] * (4 if cell["kind"] == "lstm" else 3)
        self[prefix + ".kernel"] = inputs, width
        self[prefix + ".recurrent_kernel"] = cell["units"], width
        if cell.get("bias", True):
            self[prefix + ".bias"] = (width,)
        if has_second_bias(cell):
            self[prefix + ".recurrent_bias"] = (width,)

    def encoder(self):
        part = self.config["input"]
        width = part["features"]
        if "embedding" in part:
            self["input.embedding"] = width, part["embedding"]
            width = part["embedding"]
        if part.get("affine"):
            self["input.scale"] = self["input.offset"] = (width,)
        for index, part in enumerate(self.config["encoder"]["layers"]):
            for side, cell in sides_of(part):
                self.cell(f"encoder.layers.{index}.{side}", cell, width)
            width = merged_width(part)
            if "weighting" in part:
                positions, kept = part["weighting"]["positions"], part["weighting"].get("bias", True)
                options = {"units": positions, "bias": kept}
                self.dense(f"encoder.layers.{index}.weighting", options, positions)
            if "self_attention" in part:
                attention, prefix = part["self_attention"], f"encoder.layers.{index}.self_attention"
                context = self.score(prefix, attention, width, width)
                width = context + (width if attention.get("beside") else 0)
            if "dense" in part:
                width = self.dense(f"encoder.layers.{index}.dense", part["dense"], width)
        self.annotation = width

    def token_width(self):
        decoder = self.config["decoder"]
        if decoder.get("embedding") == "encoder":
            return self.config["input"]["embedding"]
        return decoder.get("embedding") or self.head()["layers"][-1]["units"]

    def head(self):
        return self.config["output"].get("heads", [self.config["output"]])[0]

    def asks_width(self):
        if "decoder" not in self.config:
            part = self.config.get("state", {})
            return part.get("units") or initial_width(self.config, part)
        attention, layers = self.config["attention"], self.config["decoder"]["layers"]
        if attention.get("asks") == "token":
            return self.token_width()
        return layers[attention.get("layer", len(layers) - 1)]["cell"]["units"]

    def score(self, prefix, attention, annotation, query):
        """Score and maps of an attention over vectors of a width; returns that of the context."""
        key = annotation
        if "key" in attention:
            key = self.dense(f"{prefix}.key_map", attention["key"], key)
        if "value" in attention:
            self.dense(f"{prefix}.value_map", attention["value"], annotation)
        if "query" in attention:
            query = self.dense(f"{prefix}.query_map", attention["query"], query)
        width = key + query
        for index, part in enumerate(attention.get("layers", [])):
            width = self.dense(f"{prefix}.layers.{index}", part, width)
        if attention["score"] == "general":
            self[f"{prefix}.general"] = key, query
        if attention["score"] == "additive":
            units = attention["units"]
            self[f"{prefix}.key"], self[f"{prefix}.query"] = (key, units), (query, units)
            self[f"{prefix}.value"] = (units,)
            if attention.get("bias"):
                self[f"{prefix}.bias"] = (units,)
        return attention.get("value", {"units": annotation})["units"]

    def attention(self):
        if "attention" not in self.config:
            return
        attention = self.config["attention"]
        self.context = self.score("attention", attention, self.annotation, self.asks_width())
        if "positions" in attention:
            self["attention.position_bias"] = (attention["positions"],)
        if "decoder" not in self.config and "dense" in self.config.get("state", {}):
            state = self.config["state"]
            self.dense("state.initial", state["dense"], initial_width(self.config, state))

    def widths(self):
        decoder = self.config["decoder"]
        return {
            "token": self.token_width(),
            "context": getattr(self, "context", 0),
            "attentional": decoder.get("attentional", {"units": 0})["units"],
            "state": decoder["layers"][-1]["cell"]["units"],
            "given": decoder.get("given", 0),
        }

    def decoder(self):
        if "decoder" not in self.config:
            return
        decoder, widths = self.config["decoder"], self.widths()
        below = sum(widths[name] for name in decoder["reads"])
        for index, part in enumerate(decoder["layers"]):
            prefix = f"decoder.layers.{index}"
            inputs = below + (widths["context"] if part.get("reads_context") else 0)
            self.cell(prefix, part["cell"], inputs)
            below = part["cell"]["units"]
            for name in ("initial_h", "initial_c"):
                if "dense" in part.get(name, {}):
                    self.dense(
                        f"{prefix}.{name}", part[name]["dense"], initial_width(self.config, part[name])
                    )
        if isinstance(decoder.get("embedding"), int):
            self["decoder.embedding"] = self.head()["layers"][-1]["units"], decoder["embedding"]
        if "attentional" in decoder:
            part = decoder["attentional"]
            self.dense("decoder.attentional", part, sum(widths[name] for name in part["parts"]))

    def source_width(self, head):
        source = head.get("over", "step")
        if source == "step":
            return sum(self.widths()[name] for name in head.get("parts", ["state"]))
        if isinstance(source, list):
            return sum(self.source_width(dict(head, over=one)) for one in source)
        if isinstance(source, dict) and source["over"] == "positions":
            return source["count"] * self.annotation
        if isinstance(source, dict):
            return sum(c["units"] for _, c in sides_of(self.config["encoder"]["layers"][source.get("layer", -1)]))
        if source == "context":
            return self.context
        last = self.config["encoder"]["layers"][-1]
        return sum(c["units"] for _, c in sides_of(last)) if source == "final" else self.annotation

    def output(self):
        if "output" not in self.config:
            return
        heads = self.config["output"].get("heads", [self.config["output"]])
        for number, head in enumerate(heads):
            width = self.source_width(head)
            for index, part in enumerate(head["layers"]):
                prefix = (
                    f"output.heads.{number}.layers.{index}" if len(heads) > 1 else f"output.layers.{index}"
                )
                tied = head.get("tied") and index == len(head["layers"]) - 1
                width = self.dense(prefix, part, width, not tied)


def random_tensors(config, rng, gain=1.5):
    """Weights that keep states lively and outputs far apart."""
    tensors = {}
    for name, shape in Shapes(config).items():
        bound = gain / np.sqrt(shape[0]) if len(shape) > 1 else 0.4
        if name.startswith("output") and name.endswith(".kernel") or name.endswith("attention.value"):
            bound = 2.0
        if name.endswith(("embedding", "position_bias")):
            bound = 1.5
        tensors[name] = rng.uniform(-bound, bound, shape).astype(np.float32)
    return tensors
