"""The description of an author's model that docs/from-pytorch.md asks for, when it is right."""

from author import Author


def configuration(model: Author) -> dict:
    """Without its names."""
    encoder: dict = {"features": model.vocabulary or model.features, "units": model.units}
    if model.layers > 1 or model.rng.random() < 0.5:
        encoder["layers"] = model.layers
    if not model.both:
        encoder["direction"] = "forward"
    elif model.rng.random() < 0.5:
        encoder["direction"] = "bidirectional"
    attention: dict = {"score": model.score}
    if model.score == "concat":
        last = len(model.energies) - 1
        attention["layers"] = [
            {"units": 1 if index == last else model.inner, "activation": activation}
            for index, activation in enumerate(model.energies)
        ]
    if model.scale is not None:
        attention["scale"] = model.scale
    initial: dict = {"initial_state": model.initial}
    if model.initial == "dense":
        initial["initial_activation"] = model.initial_activation
    config = {"version": 1, "encoder": encoder, "attention": attention}
    if model.only:
        return {**config, "state": {**initial, "units": model.state}}
    config["decoder"] = {**initial, "units": model.state, "steps": model.steps}
    if model.feedback:
        config["decoder"].update(feedback="output", start_token=model.start)
    if model.end is not None:
        config["decoder"]["end_token"] = model.end
    config["output"] = {"units": model.classes, "activation": "softmax" if model.softmax else "linear"}
    return config


def ordered(name: str, swapped: bool, first: str, second: str, rng):
    """A name with the order of the module's inputs, which may be left out where it is the usual one."""
    if swapped:
        return {"name": name, "order": [second, first]}
    return {"name": name, "order": [first, second]} if rng.random() < 0.3 else name


def names(model: Author) -> dict:
    """From cuseq's prefixes to the author's modules."""
    rng, found = model.rng, {}
    if model.split == "layers":
        found.update({f"encoder.layers.{layer}": f"stack.{layer}" for layer in range(model.layers)})
    elif model.split:
        for layer in range(model.layers):
            for side in range(2 if model.both else 1):
                side_name = ("forward", "backward")[side]
                found[f"encoder.layers.{layer}.{side_name}"] = model.encoder_name(layer, side)[0]
    else:
        found["encoder"] = "rnn"
    if model.vocabulary:
        found["encoder.embedding"] = "embed"
    if model.score == "concat":
        found["attention.layers.0"] = ordered("energy.0", model.state_first, "annotations", "state", rng)
        for index in range(1, len(model.energies)):
            found[f"attention.layers.{index}"] = f"energy.{2 * index}"
    elif model.score == "additive":
        value = "v" if model.value_vector else "value"
        found.update({"attention.key": "keys", "attention.query": "queries", "attention.value": value})
    elif model.score == "general":
        found["attention.general"] = ordered("map", model.of_state, "annotations", "state", rng)
    if model.initial == "dense":
        found["initial.h"] = "bridge_h"
        if not model.only:
            found["initial.c"] = "bridge_c"
    if not model.only:
        found["decoder"] = (
            ordered("cell", model.fed_first, "context", "feedback", rng) if model.feedback else "cell"
        )
        if model.feedback and model.embedded:
            found["decoder.embedding"] = "target"
        found["output"] = "out"
    return found
