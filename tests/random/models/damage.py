"""Changes one thing in a file that Keras saved: a weight's name, a weight too many, one too few, another
shape, a key of a layer's configuration that is misspelt. What comes of it is the numbers of the sound
file, or a refusal."""

import json
import shutil
import zipfile

import h5py
import numpy as np


def damaged(path, rng):
    """Writes a damaged copy; its path, and what was done."""
    copy = path.with_name(f"damaged{path.suffix}")
    shutil.copyfile(path, copy)
    if rng.random() < 0.3:
        return copy, change_configuration(copy, rng)
    if path.suffix == ".h5":
        with h5py.File(copy, "r+") as file:
            return copy, change_legacy(file["model_weights"], rng)
    weights = path.with_name("weights.h5")
    with zipfile.ZipFile(path) as archive:
        weights.write_bytes(archive.read("model.weights.h5"))
    with h5py.File(weights, "r+") as file:
        done = change_weights(file, rng)
    replace_member(copy, "model.weights.h5", weights.read_bytes())
    return copy, done


def replace_member(path, name, content):
    with zipfile.ZipFile(path) as archive:
        members = [(one, archive.read(one)) for one in archive.namelist()]
    with zipfile.ZipFile(path, "w") as archive:
        for one, old in members:
            archive.writestr(one, content if one == name else old)


def arrays_of(group):
    """The paths of all arrays in it that have numbers."""
    found = []
    group.visititems(
        lambda name, one: found.append(name) if isinstance(one, h5py.Dataset) and one.size else None
    )
    return found


def misspelt(name, rng):
    at = int(rng.integers(len(name)))
    return name[:at] + "x" + name[at + 1 :] if name[at] not in "x/" else name + "x"


def change_weights(file, rng):
    """Of model.weights.h5, where every weight has its place by name."""
    names = arrays_of(file)
    name = names[int(rng.integers(len(names)))]
    way = int(rng.integers(5))
    if way == 0:
        new = misspelt(name, rng)
        file.move(name, new)
        return f"weight {name} is called {new}"
    if way == 1:
        parent = file[name].parent
        parent.create_dataset("99" if rng.random() < 0.5 else "gain", data=np.ones(2, "float32"))
        return f"one weight more beside {name}"
    if way == 2:
        del file[name]
        return f"weight {name} is missing"
    return change_array(file, name, rng)


def change_legacy(group, rng):
    """Of model_weights in a whole-model .h5, where each layer's group has a list of its weights' names."""
    layers = [name for name in group if len(group[name].attrs.get("weight_names", []))]
    layer = group[layers[int(rng.integers(len(layers)))]]
    names = [text(one) for one in layer.attrs["weight_names"]]
    at, way = int(rng.integers(len(names))), int(rng.integers(6))
    if way == 0:
        old, names[at] = names[at], misspelt(names[at], rng)
        layer.move(old, names[at])
        done = f"weight {old} is called {names[at]}"
    elif way == 1:
        names.append("gain")
        layer.create_dataset("gain", data=np.ones(2, "float32"))
        done = f"one weight more in {layer.name}"
    elif way == 2:
        done = f"weight {names.pop(at)} is not in the list"
    elif way == 3:
        del layer[names[at]]
        done = f"weight {names[at]} is missing"
    elif way == 4:
        names[at] = misspelt(names[at], rng)
        done = f"weight {names[at]} is misspelt in the list"
    else:
        return change_array(layer, names[at], rng)
    layer.attrs["weight_names"] = [name.encode() for name in names]
    return done


def text(name):
    return name.decode() if isinstance(name, bytes) else name


def change_array(group, name, rng):
    """Another shape, whole numbers, a number that is none."""
    old, attributes = np.array(group[name]), dict(group[name].attrs)
    way = int(rng.integers(4))
    if way > 1 and old.dtype.kind != "f":
        way = 0  # names among the weights
    if way == 0:
        new, done = old[None], "has an axis more"
    elif way == 1:
        new, done = np.concatenate([old.reshape(-1), old.reshape(-1)]), "is twice as long"
    elif way == 2:
        new, done = (old * 100).astype("int32"), "has whole numbers"
    else:
        new, done = old.copy(), "has a number that is none"
        new.reshape(-1)[0] = np.nan
    del group[name]
    group.create_dataset(name, data=new).attrs.update(attributes)
    return f"weight {name} {done}"


# ---- configuration


def layer_configurations(config, found):
    """Every layer's configuration, the inner ones' too."""
    if isinstance(config, dict):
        if isinstance(config.get("config"), dict) and isinstance(config.get("class_name"), str):
            found.append((config["class_name"], config["config"]))
        for value in config.values():
            layer_configurations(value, found)
    for value in config if isinstance(config, list) else []:
        layer_configurations(value, found)
    return found


COUNTS = (
    "units",
    "axis",
    "axes",
    "activation",
    "recurrent_activation",
    "use_bias",
    "merge_mode",
    "use_scale",
    "mask_zero",
)
COUNTS += (
    "score_mode",
    "go_backwards",
    "return_sequences",
    "mask_value",
    "target_shape",
    "layer",
    "cell",
    "input_dim",
)


def change_configuration(path, rng):
    """A key that the numbers depend on is misspelt, which Keras would refuse."""
    if path.suffix == ".keras":
        with zipfile.ZipFile(path) as archive:
            config = json.loads(archive.read("config.json"))
        done = misspell_a_key(config, rng)
        replace_member(path, "config.json", json.dumps(config).encode())
        return done
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        done = misspell_a_key(config, rng)
        file.attrs["model_config"] = json.dumps(config)
    return done


def misspell_a_key(config, rng):
    found = [(kind, of, key) for kind, of in layer_configurations(config, []) for key in COUNTS if key in of]
    kind, of, key = found[int(rng.integers(len(found)))]
    new = misspelt(key, rng)
    of[new] = of.pop(key)
    return f"{kind}'s {key} is written {new}"
