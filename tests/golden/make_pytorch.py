"""Writes models/torch_* and pytorch/*: what PyTorch's own modules compute in float64 from float32 weights.

    python3 make_pytorch.py        with PyTorch (made with 1.13; tied, parallel_* and apart_* with 2.15)
                                   and the safetensors package

For each case there are the state_dict (pytorch/NAME.safetensors), the configuration with which it
converts (pytorch/NAME.json), what PyTorch gives (models/torch_NAME.npz) and, made here without the
converter, the model in cuseq's format (models/torch_NAME.safetensors). pytorch/index.tsv has a line for
each checkpoint: the checkpoint, the configuration, the .npz or "-", "same" or "refuse WORD..." as in
keras/index.tsv, what it covers.
"""

import json
import pathlib

import numpy as np
import safetensors.torch
import torch

from golden_models import end_rows, save
from torch_models import F, H, U, V, Seq2Seq

FOLDER = pathlib.Path(__file__).resolve().parent / "pytorch"
T, BATCH = 9, 4
DEFAULTS = dict(
    layers=1,
    forward=False,
    bias=True,
    score="concat",
    state=None,
    initial="zeros",
    feedback=False,
    embedded=False,
    state_first=False,
    state_mapped=False,
    fed_first=False,
    steps=4,
    end=None,
    ids=False,
    start=False,
    lengths=True,
    output="softmax",
    only=False,
    split=False,
    extra=False,
    key_bias=False,
    query_bias=False,
    value_vector=False,
    tied=False,
)


def configuration(o, model):
    encoder = {"features": V + 4 if o["ids"] else F, "units": H, "layers": o["layers"]}
    encoder["direction"] = "forward" if o["forward"] else "bidirectional"
    attention = {"score": o["score"]}
    if o["score"] == "concat":
        attention["layers"] = [{"units": U, "activation": "tanh"}, {"units": 1, "activation": "linear"}]
    config = {"version": 1, "encoder": encoder, "attention": attention}
    initial = {"initial_state": o["initial"]}
    if o["initial"] == "dense":
        initial["initial_activation"] = "tanh"
    if o["only"]:
        config["state"] = dict(initial, units=model.state)
        return config
    config["decoder"] = dict(initial, units=model.state, steps=o["steps"])
    if o["feedback"]:
        config["decoder"].update(feedback="output", start_token=1)
    if o["end"] is not None:
        config["decoder"]["end_token"] = o["end"]
    config["output"] = {"units": V, "activation": o["output"]}
    return config


def names_of(o):
    """From cuseq's prefixes to the modules above."""
    names = {"encoder": "rnn"}
    if o["split"]:
        sides = ("forward",) if o["forward"] else ("forward", "backward")
        names = {
            f"encoder.layers.{l}.{side}": f"cells.{l}.{side}" for l in range(o["layers"]) for side in sides
        }
    if o["ids"]:
        names["encoder.embedding"] = "embed"
    if o["score"] == "concat":
        first = {"name": "energy.0", "order": ["state", "annotations"]} if o["state_first"] else "energy.0"
        names.update({"attention.layers.0": first, "attention.layers.1": "energy.2"})
    elif o["score"] == "additive":
        value = "v" if o["value_vector"] else "value"
        names.update({"attention.key": "keys", "attention.query": "queries", "attention.value": value})
    elif o["score"] == "general":
        names["attention.general"] = (
            {"name": "map", "order": ["state", "annotations"]} if o["state_mapped"] else "map"
        )
    if o["initial"] == "dense":
        names["initial.h"] = "bridge_h"
        if not o["only"]:
            names["initial.c"] = "bridge_c"
    if not o["only"]:
        names["decoder"] = {"name": "cell", "order": ["feedback", "context"]} if o["fed_first"] else "cell"
        if o["embedded"]:
            names["decoder.embedding"] = "target_embed"
        names["output"] = "out"
    if o["extra"]:
        names["ignore"] = ["statistics"]
    return names


def by_hand(o, model):
    """The tensors of cuseq's format. All sums and products here are exact in float32."""
    w = {name: tensor.numpy().astype(np.float64) for name, tensor in model.state_dict().items()}
    tensors = {}

    def lstm(ours, prefix, ending, rows=None, fold=None):
        kernel = w[f"{prefix}.weight_ih{ending}"].T
        kernel = kernel if rows is None else kernel[rows]
        tensors[ours + ".kernel"] = kernel if fold is None else fold @ kernel
        tensors[ours + ".recurrent_kernel"] = w[f"{prefix}.weight_hh{ending}"].T
        zeros = np.zeros(kernel.shape[1])
        tensors[ours + ".bias"] = w.get(f"{prefix}.bias_ih{ending}", zeros) + w.get(
            f"{prefix}.bias_hh{ending}", zeros
        )

    def linear(ours, name, rows=None):
        kernel = w[name + ".weight"].T
        tensors[ours + ".kernel"] = kernel if rows is None else kernel[rows]
        tensors[ours + ".bias"] = w[name + ".bias"]

    for layer in range(o["layers"]):
        fold = w["embed.weight"] if o["ids"] and layer == 0 else None
        lstm(f"encoder.layers.{layer}.forward", "rnn", f"_l{layer}", fold=fold)
        if not o["forward"]:
            lstm(f"encoder.layers.{layer}.backward", "rnn", f"_l{layer}_reverse", fold=fold)
    if o["score"] == "concat":
        size = model.width + model.state
        rows = np.r_[model.state : size, 0 : model.state] if o["state_first"] else None
        linear("attention.layers.0", "energy.0", rows)
        linear("attention.layers.1", "energy.2")
    elif o["score"] == "additive":
        tensors["attention.key"], tensors["attention.query"] = w["keys.weight"].T, w["queries.weight"].T
        tensors["attention.value"] = w["v"] if o["value_vector"] else w["value.weight"][0]
        if o["key_bias"] or o["query_bias"]:
            tensors["attention.bias"] = w.get("keys.bias", 0) + w.get("queries.bias", 0)
    elif o["score"] == "general":
        tensors["attention.general"] = w["map.weight"] if o["state_mapped"] else w["map.weight"].T
    if o["initial"] == "dense":
        linear("initial.h", "bridge_h")
        if not o["only"]:
            linear("initial.c", "bridge_c")
    if not o["only"]:
        size = w["cell.weight_ih"].shape[1]
        fed = size - model.width
        lstm("decoder", "cell", "", np.r_[fed:size, 0:fed] if o["fed_first"] else None)
        if o["embedded"]:
            tensors["decoder.embedding"] = w["target_embed.weight"]
        linear("output", "out")
    singles = {name: np.ascontiguousarray(tensor, np.float32) for name, tensor in tensors.items()}
    assert all(np.array_equal(singles[name], tensors[name]) for name in tensors)
    return singles


def coarse_weights(model, generator):
    """Multiples of 2^-9, so that sums of two and products with embeddings (multiples of 2^-3) are exact."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            wide = name.startswith(("out.weight", "value", "v", "target_embed"))
            bound, step = (2.0 if wide else 0.7), (8 if name.startswith("embed") else 512)
            values = torch.rand(parameter.shape, generator=generator) * 2 * bound - bound
            parameter.copy_(torch.round(values * step) / step)


def make_arrays(o, generator):
    rand = lambda *shape: torch.rand(shape, generator=generator) * 2 - 1
    batch = 8 if o["end"] is not None else BATCH
    x = torch.randint(0, V + 4, (batch, T), generator=generator) if o["ids"] else rand(batch, T, F) * 2
    lengths = torch.tensor(([T, 1, T - 2, 4] if o["lengths"] else [T] * 4) * (batch // 4))
    start = None
    if o["start"]:
        count = o["layers"] * (1 if o["forward"] else 2)
        start = (rand(count, batch, H), rand(count, batch, H))
    return x, lengths, start


def compute(o, seed):
    for attempt in range(500):
        generator = torch.Generator().manual_seed(1000 * seed + attempt)
        model = Seq2Seq(o)
        coarse_weights(model, generator)
        x, lengths, start = make_arrays(o, generator)
        doubled = Seq2Seq(o).double()
        doubled.load_state_dict({name: tensor.double() for name, tensor in model.state_dict().items()})
        with torch.no_grad():
            result = doubled(
                x if o["ids"] else x.double(), lengths, start and tuple(s.double() for s in start)
            )
        result = {name: tensor.numpy() for name, tensor in result.items()}
        arrays = {"input": x.numpy().astype(np.int32) if o["ids"] else x.numpy()}
        if o["lengths"]:
            arrays["lengths"] = lengths.numpy().astype(np.int32)
        if o["start"]:
            arrays["start_h"], arrays["start_c"] = (s.numpy() for s in start)
        if finish(o, result):
            return model, dict(arrays, **result)
    raise SystemExit("no seed gives tokens that differ and rows that end at different steps")


def finish(o, result):
    """Last states, ended rows; whether the vectors show something, as in make_keras.py."""
    if o["only"]:
        return True
    batch, steps = result["tokens"].shape
    cells, states, ends = result.pop("cells"), result["states"].copy(), np.full(batch, steps)
    two = np.sort(result["outputs"], -1)[..., -2:]
    good = np.min(two[..., 1] - two[..., 0]) > 1e-3 and len(np.unique(result["tokens"])) > 2
    result["tokens"] = result["tokens"].astype(np.int32)
    if o["end"] is not None:
        end_rows(result, o["end"])
        ends = result["output_lengths"]
        good = good and len(np.unique(ends)) >= 3
    result["final_h"], result["final_c"] = (v[np.arange(batch), ends - 1] for v in (states, cells))
    return good


CASES = {
    "packed": (dict(only=True, initial="encoder"), "bidirectional, packed, attention-only"),
    "not_packed": (dict(lengths=False), "without lengths"),
    "stacked": (dict(layers=3, start=True), "three layers, packed, initial states of the encoder"),
    "forward": (dict(forward=True, initial="encoder", score="dot"), "forward alone, Luong's dot"),
    "forward_stacked": (
        dict(forward=True, layers=2, initial="dense", state=6),
        "two forward layers, dense states",
    ),
    "no_bias": (dict(bias=False, state_first=True), "bias=False; the attention reads cat(s, a)"),
    "bahdanau": (
        dict(
            score="additive",
            initial="dense",
            state=6,
            feedback=True,
            embedded=True,
            fed_first=True,
            ids=True,
            key_bias=True,
            query_bias=True,
            end=0,
            steps=8,
        ),
        "Bahdanau: additive with biases, embeddings in and out, cat(embedded, context), end token",
    ),
    "additive_vector": (dict(score="additive", value_vector=True, state=6), "v is a parameter; no bias"),
    "general": (
        dict(score="general", state=6, feedback=True),
        "Luong's general, a Linear over the annotations",
    ),
    "general_square": (
        dict(score="general", state=None, state_mapped=True),
        "Linear over the state, as wide as A",
    ),
    "general_state": (dict(score="general", state=6, state_mapped=True), "Linear over the state"),
    "only_dense": (dict(only=True, initial="dense", state=6), "attention-only, dense state"),
    "linear_output": (dict(output="linear", extra=True), "scores without softmax; a buffer to ignore"),
    "split": (dict(layers=2, split=True), "each direction of each layer an nn.LSTMCell of its own"),
    "fed_by_embedding": (dict(feedback=True, embedded=True), "cat(context, embedded)"),
    "tied": (
        dict(feedback=True, embedded=True, tied=True, state=4),
        "the output's weight is the embedding's, stored once by safetensors.torch.save_model",
    ),
}


def write_config(name, config, names):
    (FOLDER / f"{name}.json").write_text(json.dumps(dict(config, names=names), indent=1) + "\n")


def write_checkpoint(name, tensors, config, names):
    safetensors.torch.save_file(
        {key: tensor.contiguous() for key, tensor in tensors.items()}, FOLDER / f"{name}.safetensors"
    )
    (FOLDER / f"{name}.safetensors").chmod(0o644)
    write_config(name, config, names)


def write_model(name, model, config, names):
    """The whole module, tied tensors once."""
    safetensors.torch.save_model(model, str(FOLDER / f"{name}.safetensors"))
    (FOLDER / f"{name}.safetensors").chmod(0o644)
    write_config(name, config, names)


def within(prefix, names):
    """The same names in a module that holds the model, as nn.DataParallel does."""
    add = lambda name: dict(name, name=prefix + name["name"]) if isinstance(name, dict) else prefix + name
    return {key: [add(n) for n in name] if key == "ignore" else add(name) for key, name in names.items()}


def split_layers(tensors):
    """nn.LSTM's names to those of an nn.LSTM of one layer for each layer."""
    renamed = {}
    for name, tensor in tensors.items():
        if name.startswith("rnn."):
            kind, layer = name[4:].removesuffix("_reverse").rsplit("_l", 1)
            name = f"rnns.{layer}.{kind}_l0" + ("_reverse" if name.endswith("_reverse") else "")
        renamed[name] = tensor
    return renamed


def split_cells(tensors):
    """nn.LSTM's names to those of LSTMCells, one for each direction of each layer."""
    renamed = {}
    for name, tensor in tensors.items():
        if name.startswith("rnn."):
            kind, side = name[4:].removesuffix("_reverse"), (
                "backward" if name.endswith("_reverse") else "forward"
            )
            kind, layer = kind.rsplit("_l", 1)
            name = f"cells.{layer}.{side}.{kind}"
        renamed[name] = tensor
    return renamed


def refusals(lines):
    """Checkpoints and configurations that do not fit each other."""
    o = dict(DEFAULTS)
    model, _ = compute(o, 0)
    tensors, config, names = model.state_dict(), configuration(o, model), names_of(o)
    transposed = dict(tensors, **{"out.weight": tensors["out.weight"].T.contiguous()})
    infinite = dict(tensors, **{"rnn.weight_hh_l0": tensors["rnn.weight_hh_l0"].clone().fill_(float("inf"))})
    missing = {name: tensor for name, tensor in tensors.items() if name != "rnn.weight_ih_l0_reverse"}
    cases = {
        "bad_leftover": (dict(tensors, stray=torch.zeros(2)), names, "stray"),
        "bad_missing": (missing, names, "rnn.weight_ih_l0_reverse"),
        "bad_unnamed": (tensors, {k: v for k, v in names.items() if k != "output"}, "output"),
        "bad_name": (tensors, dict(names, output="nowhere"), "nowhere"),
        "bad_unknown_name": (tensors, dict(names, **{"decoder.brain": "cell"}), "decoder.brain"),
        "bad_shape": (transposed, names, "output"),
        "bad_infinite": (infinite, names, "rnn.weight_hh_l0 finite"),
        "bad_order": (
            tensors,
            dict(names, decoder={"name": "cell", "order": ["context", "context"]}),
            "order",
        ),
        "bad_orders": (tensors, dict(names, output={"name": "out", "orders": []}), "orders"),
        "bad_ignore": (tensors, dict(names, ignore="statistics"), "ignore list"),
        "bad_ignored": (tensors, dict(names, ignore=["cell.bias_hh"]), "hide cell.bias_hh"),
        "bad_int8": (
            dict(tensors, **{"out.weight": (tensors["out.weight"] * 50).to(torch.int8)}),
            names,
            "out.weight I8 quantised",
        ),
    }
    width = model.width
    for name, module, words in (
        ("bad_two_layers", torch.nn.LSTM(width, width, 2), "nn.LSTM 2 layers needed weight_ih_l1"),
        ("bad_bidirectional", torch.nn.LSTM(width, width, bidirectional=True), "bidirectional nn.LSTM"),
        ("bad_projection", torch.nn.LSTM(width, width + 1, proj_size=width), "projection proj_size"),
        ("bad_gru", torch.nn.GRU(width, width), "nn.GRU nn.LSTM"),
        ("bad_gru_cell", torch.nn.GRUCell(width, width), "nn.GRUCell nn.LSTM"),
        ("bad_rnn", torch.nn.RNN(width, width), "nn.RNN nn.LSTM"),
        ("bad_parametrised", torch.nn.utils.parametrizations.weight_norm(model.cell, "weight_hh"), "weight_norm"),
        ("bad_normalised", torch.nn.BatchNorm1d(width), "batch normalisation"),
    ):
        others = {key: tensor for key, tensor in tensors.items() if not key.startswith("cell.")}
        cells = {"cell." + key: tensor.detach() for key, tensor in module.state_dict().items()}
        cases[name] = (dict(others, **cells), dict(names, ignore=["nothing"]), words)
    for name, (state, with_names, word) in cases.items():
        write_checkpoint(name, state, config, with_names)
        lines.append(f"{name}.safetensors\t{name}.json\t-\trefuse {word}\t{name[4:].replace('_', ' ')}")


def main():
    FOLDER.mkdir(exist_ok=True)
    lines = []
    for seed, (name, (options, covers)) in enumerate(CASES.items()):
        o = dict(DEFAULTS, **options)
        model, arrays = compute(o, seed)
        config = configuration(o, model)
        tensors = model.state_dict()
        names = names_of(o)
        if o["tied"]:
            write_model(name, model, config, names)
        else:
            write_checkpoint(name, split_cells(tensors) if o["split"] else tensors, config, names)
        save("torch_" + name, config, by_hand(o, model), arrays)
        lines.append(f"{name}.safetensors\t{name}.json\ttorch_{name}.npz\tsame\t{covers}")
        if name in ("no_bias", "linear_output"):
            inner = {"module." + key: tensor for key, tensor in tensors.items()}
            whole = name == "no_bias"  # "module." may be written in names, or left out
            write_checkpoint("parallel_" + name, inner, config, within("module.", names) if whole else names)
            lines.append(
                f"parallel_{name}.safetensors\tparallel_{name}.json\ttorch_{name}.npz\tsame\t"
                f"{name} in nn.DataParallel{'' if whole else ', named without it'}"
            )
        if name in ("stacked", "forward_stacked"):
            apart = {key: value for key, value in names.items() if key != "encoder"}
            apart.update({f"encoder.layers.{l}": f"rnns.{l}" for l in range(o["layers"])})
            write_checkpoint("apart_" + name, split_layers(tensors), config, apart)
            lines.append(
                f"apart_{name}.safetensors\tapart_{name}.json\ttorch_{name}.npz\tsame\t"
                f"{name}, each layer an nn.LSTM of its own"
            )
    refusals(lines)
    index = FOLDER / "index.tsv"  # the random ones stand behind these
    lines += [line for line in index.read_text().splitlines() if line.startswith("random_")]
    index.write_text("".join(line + "\n" for line in lines))


if __name__ == "__main__":
    main()
