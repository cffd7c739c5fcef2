"""What a saved file tells of the classes and functions that its model is made of."""

import json
import zipfile

import h5py


def config_of(path):
    """The model's configuration; the model's own name, which is its author's to choose, is left out."""
    if path.suffix == ".keras":
        with zipfile.ZipFile(path) as archive:
            config = json.loads(archive.read("config.json"))
    else:
        with h5py.File(path) as file:
            config = json.loads(file.attrs["model_config"])
    config.pop("compile_config", None)
    config["config"].pop("name", None)
    return without_addresses(config)


def without_addresses(value):
    """Objects are numbered by where they lie in memory."""
    if isinstance(value, dict):
        return {key: without_addresses(one) for key, one in value.items() if key != "shared_object_id"}
    return [without_addresses(one) for one in value] if isinstance(value, list) else value


def weights_of(path):
    """The names and shapes of all arrays."""
    if path.suffix == ".keras":
        with zipfile.ZipFile(path) as archive, archive.open("model.weights.h5") as member:
            return arrays(member, "/")
    return arrays(path, "model_weights")


def arrays(path, group):
    found = []
    with h5py.File(path) as file:
        file[group].visititems(
            lambda name, one: found.append((name, one.shape)) if isinstance(one, h5py.Dataset) else None
        )
    return [one for one in found if not one[0].startswith("optimizer/")]


def same_signs(path, other):
    """Whether two files differ in nothing but the numbers of their weights."""
    return config_of(path) == config_of(other) and weights_of(path) == weights_of(other)
