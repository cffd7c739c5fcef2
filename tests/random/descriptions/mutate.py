"""What is wrong with a description, or with the checkpoint that it describes. None of it describes another
model that an author could have: numbers that differ from his are never right."""

import copy
import math
import random

from arrays import Tensor
from author import Author

ODD_VALUES = [
    None,
    True,
    False,
    "1",
    "",
    1.5,
    -1,
    0,
    [],
    {},
    ["tanh"],
    {"a": 1},
    1e99,
    10**12,
    2**63,
    "TANH",
    "tanh ",
]
FREE_NUMBERS = ("scale", "start_token", "end_token")  # where another number is another model
ENDINGS = ["", "s", "_", "2", " "]


class Broken:
    """A configuration, its names, the tensors; and what was done to them."""

    def __init__(self, model: Author, config: dict, names: dict):
        self.model, self.rng = model, model.rng
        self.config, self.names, self.tensors = (
            copy.deepcopy(config),
            copy.deepcopy(names),
            dict(model.tensors),
        )
        self.done: list[str] = []
        self.must_refuse = ""  # why the description may not pass, though the numbers of what it says came out

    def ignore(self, prefix: str) -> None:
        """Adds a prefix to what is ignored, as an error message advises."""
        self.names.setdefault("ignore", [])
        if isinstance(self.names["ignore"], list):
            self.names["ignore"].append(prefix)


def misspelt(word: str, rng: random.Random) -> str:
    """A word with one letter too many, too few, changed, or two exchanged."""
    at = rng.randrange(len(word)) if word else 0
    ways = [
        lambda: word + rng.choice(ENDINGS[1:]),
        lambda: word[:at] + word[at + 1 :],
        lambda: word[:at] + "x" + word[at + 1 :],
        lambda: word[:at] + word[at : at + 2][::-1] + word[at + 2 :],
        lambda: word[:at] + word[at : at + 1].upper() + word[at + 1 :],
    ]
    made = rng.choice(ways)()
    return made if made != word else word + "s"


def objects(json, found: list | None = None) -> list[dict]:
    """Every object in it that has keys."""
    found = [] if found is None else found
    if isinstance(json, dict) and json:
        found.append(json)
    for value in json.values() if isinstance(json, dict) else json if isinstance(json, list) else []:
        objects(value, found)
    return found


# ---- the configuration


def misspell_a_key(b: Broken) -> None:
    """At any level of the configuration."""
    of = b.rng.choice(objects(b.config))
    key = b.rng.choice(sorted(of))
    of[misspelt(key, b.rng)] = of.pop(key)


def add_a_key(b: Broken) -> None:
    """One that nothing knows, at any level."""
    of = b.rng.choice(objects(b.config))
    of[b.rng.choice(["comment", "dropout", "hidden", "bidirectional", "bias", "proj_size", "unit"])] = (
        b.rng.choice(["x", 1, True, None])
    )


def odd_value(b: Broken) -> None:
    """A value of a wrong type, or out of range."""
    of = b.rng.choice(objects(b.config))
    key = b.rng.choice(sorted(of))
    value = b.rng.choice(ODD_VALUES)
    if key in FREE_NUMBERS and isinstance(value, (int, float)) and not isinstance(value, bool):
        value = "1"
    of[key] = value


def misspell_a_value(b: Broken) -> None:
    """A word of the configuration."""
    found = [(of, key) for of in objects(b.config) for key in sorted(of) if isinstance(of[key], str)]
    of, key = b.rng.choice(found)
    of[key] = misspelt(of[key], b.rng)


def no_part(b: Broken) -> None:
    """A part of the configuration is missing."""
    # Not the state: without it it is the encoder's, another model; and not what was added.
    parts = ("version", "encoder", "attention", "decoder", "output")
    del b.config[b.rng.choice([key for key in parts if key in b.config])]


# ---- names


def misspell_a_name(b: Broken) -> None:
    """A key of names."""
    key = b.rng.choice(sorted(b.names))
    b.names[misspelt(key, b.rng)] = b.names.pop(key)


def misspell_a_module(b: Broken) -> None:
    """A prefix in the checkpoint."""
    key = b.rng.choice(sorted(b.names))
    value = b.names[key]
    if isinstance(value, dict) and isinstance(value.get("name"), str):
        value["name"] = misspelt(value["name"], b.rng)
    elif isinstance(value, str):
        b.names[key] = misspelt(value, b.rng)


def misspell_in_a_name(b: Broken) -> None:
    """A key of {"name": ..., "order": ...}, or one more."""
    key = b.rng.choice(sorted(b.names))
    value = b.names[key]
    of = value if isinstance(value, dict) and value else {"name": value}
    if b.rng.random() < 0.3:
        of[b.rng.choice(["transpose", "orders", "bias", "activation", "comment"])] = b.rng.choice(
            [True, ["a"], "x"]
        )
    else:
        inner = b.rng.choice(sorted(of))
        of[misspelt(inner, b.rng)] = of.pop(inner)
    b.names[key] = of


def odd_name(b: Broken) -> None:
    """A value of names that is no name."""
    key = b.rng.choice(sorted(b.names))
    b.names[key] = b.rng.choice([None, True, 1, [], ["rnn"], {}, {"name": 1}, {"order": ["a", "b"]}, ""])


def needless_order(b: Broken) -> None:
    """An order, other than the usual one, of a module whose inputs have none."""
    ordered = {"attention.layers.0", "attention.general"} | ({"decoder"} if b.model.feedback else set())
    free = [key for key in sorted(b.names) if key not in ordered and isinstance(b.names[key], str)]
    if free:
        key = b.rng.choice(free)
        words = b.rng.choice([["context", "feedback"], ["annotations", "state"], ["a", "b"]])
        b.names[key] = {"name": b.names[key], "order": b.rng.choice([words, words[::-1]])}


def odd_order(b: Broken) -> None:
    """An order that is none."""
    key = b.rng.choice(sorted(b.names))
    value = b.names[key]
    words = ["annotations", "state"] if key.startswith("attention") else ["context", "feedback"]
    orders = [
        words * 2,
        words[:1],
        [],
        "state",
        None,
        {},
        [1, 2],
        [words],
        [words[0], words[0]],
        ["States", words[0]],
    ]
    b.names[key] = {
        "name": value.get("name", "rnn") if isinstance(value, dict) else value,
        "order": b.rng.choice(orders),
    }


def odd_ignore(b: Broken) -> None:
    """An ignore that is no list of prefixes."""
    b.names["ignore"] = b.rng.choice(["rnn", {"a": 1}, True, None, 1, [1], [None], [["out"]], ["x", {}]])


def ignored_weights(b: Broken) -> None:
    """A prefix of tensors that the model needs."""
    name = b.rng.choice(sorted(b.tensors))
    b.ignore(b.rng.choice([name, name.split(".")[0], name[: len(name) // 2], ""]))


def two_keys(b: Broken) -> None:
    """A name for what has one already, or for what the model has not."""
    key = b.rng.choice(
        ["encoder", "encoder.layers.0.forward", "encoder.layers.0.backward", "encoder.layers.5.forward"]
    )
    key = b.rng.choice(
        [key, "decoder.embedding", "initial.h", "attention.general", "attention.layers.7", "state"]
    )
    if key not in b.names:
        b.names[key] = b.rng.choice(["rnn", "out", "cell", "energy.0"])


# ---- the checkpoint


def module(b: Broken) -> tuple[str, str] | None:
    """Prefix and ending of a random LSTM's last layer, whose tensors end so; None where it is an
    nn.LSTMCell."""
    choices = [] if b.model.split else [("rnn", f"_l{b.model.layers}")]
    if not b.model.only and b.model.cell_class == "LSTM":
        choices.append(("cell", "_l1"))
    return b.rng.choice(choices) if choices else None


def more_layers(b: Broken) -> None:
    """An nn.LSTM of one layer more than is described, left out by "ignore" or not."""
    found = module(b)
    if found:
        prefix, ending = found
        units = b.model.units if prefix == "rnn" else b.model.state
        grown = Author.__new__(Author)
        grown.rng, grown.tensors, grown.dtype = b.rng, b.tensors, b.model.dtype
        both = prefix == "rnn" and b.model.both
        grown.add_lstm(prefix, ending, units * (2 if both else 1), units, True)
        if both:
            grown.add_lstm(prefix, ending + "_reverse", units * 2, units, True)
        if b.rng.random() < 0.6:
            b.ignore(b.rng.choice([f"{prefix}.weight_ih{ending}", prefix]))
            for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                b.ignore(f"{prefix}.{kind}{ending}")


def more_directions(b: Broken) -> None:
    """A bidirectional nn.LSTM that is described as a forward one."""
    choices = [] if b.model.both or b.model.split else [("rnn", f"_l{b.model.layers - 1}")]
    if not b.model.only and b.model.cell_class == "LSTM":
        choices.append(("cell", "_l0"))
    if choices:
        prefix, ending = b.rng.choice(choices)
        for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            tensor = b.tensors.get(f"{prefix}.{kind}{ending}")
            if tensor:
                b.tensors[f"{prefix}.{kind}{ending}_reverse"] = tensor
                if b.rng.random() < 0.8:
                    b.ignore(f"{prefix}.{kind}{ending}_reverse")


def projected(b: Broken) -> None:
    """An nn.LSTM with proj_size."""
    found = [name for name in sorted(b.tensors) if ".weight_hh_l" in name]
    if found:
        name = b.rng.choice(found)
        units = b.tensors[name].shape[1]
        projection = name.replace("weight_hh", "weight_hr")
        b.tensors[projection] = Tensor((units, units), [0.25] * units * units, b.model.dtype)
        if b.rng.random() < 0.6:
            b.ignore(projection)


def fewer_gates(b: Broken) -> None:
    """An nn.GRU, whose tensors have the names of an nn.LSTM's."""
    names = [name for name in sorted(b.tensors) if "weight_ih" in name]
    chosen = b.rng.choice(names).split(".weight_ih")
    for name, tensor in list(b.tensors.items()):
        if name.startswith(chosen[0] + ".") and name.endswith(chosen[1]):
            rows = tensor.shape[0] // 4 * 3
            columns = math.prod(tensor.shape[1:])
            b.tensors[name] = Tensor(
                (rows, *tensor.shape[1:]), tensor.numbers[: rows * columns], tensor.dtype
            )


def more_in_a_module(b: Broken) -> None:
    """Tensors of a module that nothing here is made of: weight normalisation, pruning, a buffer."""
    name = b.rng.choice(sorted(b.tensors))
    prefix = name.rpartition(".")[0] or name
    kinds = ["weight_g", "weight_mask", "running_mean", "scale", "weight_hr", "bias_k"]
    extra = f"{prefix}.{b.rng.choice(kinds)}"
    b.tensors[extra] = Tensor((2,), [0.5, 0.5], b.model.dtype)
    if b.rng.random() < 0.5:
        b.ignore(extra)


def without_a_tensor(b: Broken) -> None:
    """One that PyTorch always saves; a Linear's bias may be missing, as bias=False has it."""
    found = [name for name in sorted(b.tensors) if not name.endswith(".bias")]
    found = [name for name in found if "_ih" in name or "_hh" in name or "weight" in name or name == "v"]
    del b.tensors[b.rng.choice(found)]


def without_biases(b: Broken) -> None:
    """Of one layer and direction of an nn.LSTM, whose others have some."""
    found = [name for name in sorted(b.tensors) if name.startswith("rnn.bias_ih")]
    if len(found) > 1:
        name = b.rng.choice(found)
        for kind in b.rng.choice([["ih"], ["hh"], ["ih", "hh"]]):
            b.tensors.pop(name.replace("_ih", f"_{kind}"), None)


def other_shape(b: Broken) -> None:
    """A tensor of another shape."""
    name = b.rng.choice(sorted(b.tensors))
    tensor = b.tensors[name]
    ways = [
        lambda: Tensor(tensor.shape[::-1], tensor.numbers, tensor.dtype),
        lambda: Tensor((1, *tensor.shape), tensor.numbers, tensor.dtype),
        lambda: Tensor((*tensor.shape, 1), tensor.numbers, tensor.dtype),
        lambda: Tensor((tensor.shape[0] * 2, *tensor.shape[1:]), tensor.numbers * 2, tensor.dtype),
        lambda: Tensor((0, *tensor.shape[1:]), [], tensor.dtype),
    ]
    made = b.rng.choice(ways)()
    if made.shape != tensor.shape:
        b.tensors[name] = made


def odd_numbers(b: Broken) -> None:
    """A tensor of whole numbers, or one with a number that is none."""
    name = b.rng.choice(sorted(b.tensors))
    tensor = b.tensors[name]
    if b.rng.random() < 0.4:
        b.tensors[name] = Tensor(tensor.shape, [int(n * 64) for n in tensor.numbers], "I64")
    else:
        numbers = list(tensor.numbers)
        numbers[b.rng.randrange(len(numbers))] = b.rng.choice([float("nan"), float("inf"), float("-inf")])
        b.tensors[name] = Tensor(tensor.shape, numbers, tensor.dtype)


WAYS = [
    misspell_a_key,
    misspell_a_key,
    add_a_key,
    odd_value,
    odd_value,
    misspell_a_value,
    no_part,
    misspell_a_name,
]
WAYS += [
    misspell_a_module,
    misspell_in_a_name,
    misspell_in_a_name,
    odd_name,
    needless_order,
    odd_order,
    odd_ignore,
]
WAYS += [ignored_weights, two_keys, more_layers, more_layers, more_directions, projected, fewer_gates]
WAYS += [more_in_a_module, without_a_tensor, without_biases, other_shape, odd_numbers]

# Never right, whatever comes out: what the author's module has is not there, or a word has no meaning.
STRICT = {more_layers, more_directions, projected, fewer_gates, add_a_key, misspell_a_key, misspell_a_name}
STRICT |= {misspell_in_a_name, odd_name, needless_order, odd_order, odd_ignore, without_biases}


def wrap(b: Broken, prefix: str) -> None:
    """All modules within another, as nn.DataParallel has them; the description says so."""
    b.tensors = {prefix + name: tensor for name, tensor in b.tensors.items()}
    for key, value in b.names.items():
        if isinstance(value, str):
            b.names[key] = prefix + value
        elif isinstance(value, dict) and isinstance(value.get("name"), str):
            value["name"] = prefix + value["name"]
        elif isinstance(value, list):
            b.names[key] = [prefix + one if isinstance(one, str) else one for one in value]


def mutate(b: Broken, count: int) -> None:
    """So many of the ways above."""
    for _ in range(count):
        way = b.rng.choice(WAYS)
        before = repr((b.config, b.names)), dict(b.tensors)  # by its text, since True is 1 in Python
        way(b)
        if before != (repr((b.config, b.names)), b.tensors):
            b.done.append(way.__name__.replace("_", " "))
            if way in STRICT:
                b.must_refuse = b.done[-1]
