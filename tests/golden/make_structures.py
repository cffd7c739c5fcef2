"""Writes models/structure_*.safetensors and .npz: models of version 2, and what PyTorch's and Keras' own
layers compute from them in float64.

    python make_structures.py [NAME...]     with PyTorch (made with 2.15): structure_NAME
                                            with Keras 3 (made with 3.15 on jax): structure_keras_NAME
                                            with Keras 2 (made with 2.15): structure_keras2_NAME

Each Python makes those of the framework that it has.
"""

import importlib.util
import sys

import numpy as np

import structure_walk
from golden_models import looks_somewhere, save
from structure_models import Shapes, random_tensors, sides_of

HAS_TORCH = importlib.util.find_spec("torch") is not None
if HAS_TORCH:
    import structure_torch as framework
    from structure_cases import TORCH_CASES as CASES

    PREFIX = "structure_"
else:
    import structure_keras as framework
    from structure_cases_keras import KERAS2_CASES, KERAS_CASES

    CASES = KERAS_CASES if framework.KERAS == 3 else KERAS2_CASES
    PREFIX = "structure_keras_" if framework.KERAS == 3 else "structure_keras2_"


def make_inputs(config, options, rng):
    batch, time = options.get("batch", 3), options.get("time", 7)
    single = lambda *shape: rng.uniform(-1, 1, shape).astype(np.float32)
    features = config["input"]["features"]
    arrays = {"input": 2 * single(batch, time, features)}
    if "embedding" in config["input"] or options.get("ids"):
        arrays["input"] = rng.integers(0, features, (batch, time)).astype(np.int32)
    if options.get("lengths", True):
        arrays["lengths"] = np.resize([time, 1, time - 3, 2], batch).astype(np.int32)
    if options.get("start"):
        sides = [cell for layer in config["encoder"]["layers"] for _, cell in sides_of(layer)]
        width = sum(cell["units"] for cell in sides) * batch
        arrays["start_h"] = single(width)
        arrays["start_c"] = np.concatenate(
            [single(batch * c["units"]) * (c["kind"] == "lstm") for c in sides], dtype=np.float32
        )
    if "decoder" in config:
        arrays.update(make_decoding(config, options, rng, single, batch))
    return arrays


def make_decoding(config, options, rng, single, batch):
    decoder, arrays = config["decoder"], {}
    classes = config["output"]["layers"][-1]["units"]
    rows = options.get("rows")
    if rows:
        arrays["rows"], batch = np.array(rows, np.int32), len(rows)
    if options.get("continues"):
        widths, layers = Shapes(config).widths(), decoder["layers"]
        h = [single(batch, layer["cell"]["units"]) for layer in layers]
        arrays["initial_h"] = np.concatenate(h, 1)
        if any(layer["cell"]["kind"] == "lstm" for layer in layers):
            c = [h * (layer["cell"]["kind"] == "lstm") / 2 for h, layer in zip(h, layers)]
            arrays["initial_c"] = np.concatenate(c, 1).astype(np.float32)
        arrays["initial_fed"] = single(batch, sum(widths[name] for name in options["continues"]))
    if options.get("previous"):
        arrays["previous"] = rng.integers(0, classes, batch).astype(np.int32)
    if "given" in decoder:
        arrays["given"] = 2 * single(batch, decoder["steps"], decoder["given"])
    if options.get("targets"):
        arrays["targets"] = rng.integers(0, classes, (batch, decoder["steps"])).astype(np.int32)
        if options["targets"] == "lengths":
            arrays["target_lengths"] = np.resize([2, decoder["steps"], 1], batch).astype(np.int32)
    return arrays


def leads_tell(config, result):
    """No near ties between the best two outputs of any head, and tokens that differ."""
    heads = config["output"].get("heads", [config["output"]])
    outputs = result["outputs"][np.any(result["outputs"] != 0, -1)]
    at = 0
    for head in heads:
        units = head["layers"][-1]["units"]
        two = np.sort(outputs[:, at : at + units], -1)[:, -2:]
        at += units
        if units > 1 and np.min(two[:, -1] - two[:, 0]) < 1e-3:
            return False
    return len(heads) > 1 or at == 1 or len(np.unique(result["tokens"])) > 1


def worth_keeping(config, options, arrays, result):
    """Whether the vectors show something: attention that is not the same everywhere, tokens that differ, rows
    that end here and there."""
    lengths = arrays.get("lengths")
    if "rows" in arrays and lengths is not None:
        lengths = lengths[arrays["rows"]]
    if "alphas" in result and not looks_somewhere(result, lengths):
        return False
    if "outputs" not in result or options.get("ties"):
        return True
    if not leads_tell(config, result):
        return False
    end = config.get("decoder", {}).get("end_token")
    if end is not None and "targets" in arrays:  # which ends no row
        return np.any(result["tokens"][arrays["target_lengths"] > 2, :2] == end)
    return end is None or len(np.unique(result.get("output_lengths", [0]))) >= 3


def make(name, config, options, seed):
    for attempt in range(300):
        rng = np.random.default_rng([seed, attempt])
        tensors = random_tensors(config, rng, options.get("gain", 1.5))
        arrays = make_inputs(config, options, rng)
        result = structure_walk.run(config, tensors, arrays, framework)
        if worth_keeping(config, options, arrays, result):
            print(name, attempt, flush=True)
            save(PREFIX + name, config, tensors, dict(arrays, **result))
            return
    raise SystemExit(
        f"{name}: no seed gives alphas and tokens that differ and rows that end at different steps"
    )


def main(only):
    for seed, (name, (config, options)) in enumerate(CASES.items()):
        if not only or name in only:
            make(name, config, options, seed)


if __name__ == "__main__":
    main(sys.argv[1:])
