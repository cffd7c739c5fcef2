"""Models in cuseq's own format with random weights, for the scripts that have a framework run them.

A golden vector is two files in models/: NAME.safetensors, the model, and NAME.npz, which holds

    input                     [B,T,F] float32, or [B,T] int32 token ids
    lengths                   [B] int32, where rows are shorter
    start_h, start_c          [layers x D, B, H], where the encoder starts from states of the caller's
    rows                      [B] int32, where the rows decoded name the encoded rows that they attend to
    initial_h, initial_c      [B,S], where the decoder does
    initial_fed               [B,X], what the step before handed on
    previous                  [B] int32, where the tokens before the first step are the caller's
    targets, target_lengths   [B,Y] and [B] int32, where the tokens that follow are the caller's
    given                     [B,Y,G] float32, where the decoder reads numbers at every step
    annotations h_fw c_fw h_bw c_bw context alphas states outputs tokens output_lengths
                              what comes out, as in the output file of `cuseq run`, in float64
    log_probabilities         [B,Y], of version 2
    encoder_h, encoder_c      [layers x D, B, H], the final states of all encoder layers; of version 2 blocks
                              [B,H] one after the other, and so are start_h and start_c
    final_h, final_c          [B,S], the decoder's state after the last step
    final_fed                 [B,X], what the last step hands on
"""

import json
import pathlib

import numpy as np
import safetensors.numpy

FOLDER = pathlib.Path(__file__).resolve().parent / "models"


def config_of(encoder, attention, decoder=None, output=None, state=None):
    config = {"version": 1, "encoder": encoder, "attention": attention}
    if decoder:
        config.update(decoder=decoder, output=output)
    elif state:
        config["state"] = state
    return config


def sizes_of(config, state_units=0):
    """H, D, A, S of a configuration; state_units where it does not tell S itself."""
    encoder = config["encoder"]
    units, directions = encoder["units"], 1 if encoder.get("direction") == "forward" else 2
    annotation = units * (directions if encoder.get("merge", "concat") == "concat" else 1)
    part = config.get("decoder", config.get("state", {}))
    return units, directions, annotation, part.get("units") or state_units or units * directions


def shapes_of(config, state_units=0, additive_units=0, additive_bias=False, embedding=0):
    """The tensors that the configuration asks for and their shapes, after docs/model-format.md."""
    encoder, attention, decoder = config["encoder"], config["attention"], config.get("decoder")
    units, directions, annotation, state = sizes_of(config, state_units)
    shapes = {}
    for layer in range(encoder.get("layers", 1)):
        width = annotation if layer else encoder["features"]
        for direction in ("forward", "backward")[:directions]:
            prefix = f"encoder.layers.{layer}.{direction}."
            shapes[prefix + "kernel"] = (width, 4 * units)
            shapes[prefix + "recurrent_kernel"] = (units, 4 * units)
            shapes[prefix + "bias"] = (4 * units,)
    if attention["score"] == "concat":
        width = annotation + state
        for index, layer in enumerate(attention["layers"]):
            shapes[f"attention.layers.{index}.kernel"] = (width, layer["units"])
            shapes[f"attention.layers.{index}.bias"] = (layer["units"],)
            width = layer["units"]
    elif attention["score"] == "general":
        shapes["attention.general"] = (annotation, state)
    elif attention["score"] == "additive":
        shapes["attention.key"] = (annotation, additive_units)
        shapes["attention.query"] = (state, additive_units)
        shapes["attention.value"] = (additive_units,)
        if additive_bias:
            shapes["attention.bias"] = (additive_units,)
    if config.get("decoder", config.get("state", {})).get("initial_state") == "dense":
        for kind in "hc" if decoder else "h":
            shapes[f"initial.{kind}.kernel"] = (directions * units, state)
            shapes[f"initial.{kind}.bias"] = (state,)
    if decoder:
        outputs = config["output"]["units"]
        fed = (embedding or outputs) if decoder.get("feedback") == "output" else 0
        shapes["decoder.kernel"] = (annotation + fed, 4 * state)
        shapes["decoder.recurrent_kernel"] = (state, 4 * state)
        shapes["decoder.bias"] = (4 * state,)
        if embedding:
            shapes["decoder.embedding"] = (outputs, embedding)
        shapes["output.kernel"] = (state, outputs)
        shapes["output.bias"] = (outputs,)
    return shapes


def random_tensors(shapes, rng, gain=1.5):
    """Weights that keep states lively and outputs far apart."""
    tensors = {}
    for name, shape in shapes.items():
        bound = gain / np.sqrt(shape[0]) if len(shape) > 1 else 0.4
        if name in ("output.kernel", "attention.value", "decoder.embedding"):
            bound = 2.0
        tensors[name] = rng.uniform(-bound, bound, shape).astype(np.float32)
    return tensors


def end_rows(result, end_token):
    """What the design says of rows that emitted the end token: later tokens are it, everything later is 0."""
    tokens = result["tokens"]
    steps = tokens.shape[1]
    ended = tokens == end_token
    lengths = np.where(ended.any(1), ended.argmax(1) + 1, steps).astype(np.int32)
    for row, length in enumerate(lengths):
        tokens[row, length:] = end_token
        for name in ("context", "alphas", "states", "outputs"):
            result[name][row, length:] = 0
    result["output_lengths"] = lengths


def looks_somewhere(result, lengths):
    """Whether the alphas of every row of three or more positions differ between them at some step. They do not where
    a relu gives 0 for each; and with a dot score of a state of zeros never at the first step."""
    alphas = result["alphas"].reshape(len(result["alphas"]), -1, result["alphas"].shape[-1])
    lengths = [alphas.shape[2]] * len(alphas) if lengths is None else lengths
    steps = result.get("output_lengths", [alphas.shape[1]] * len(alphas))
    rows = [row[:step, :length] for row, step, length in zip(alphas, steps, lengths) if length > 2]
    return all(np.max(np.ptp(row, -1)) > 1e-3 for row in rows)


def save(name, config, tensors, arrays):
    FOLDER.mkdir(exist_ok=True)
    for key, array in arrays.items():
        assert np.all(np.isfinite(array)), (name, key)
    path = FOLDER / f"{name}.safetensors"
    safetensors.numpy.save_file(tensors, path, {"cuseq": json.dumps(config)})
    path.chmod(0o644)
    np.savez_compressed(FOLDER / f"{name}.npz", **arrays)
