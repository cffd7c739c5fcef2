"""Makes a Built model, gives it weights, freezes parts of it, and saves it."""

import numpy as np


class Unmade(Exception):
    """Keras itself makes no such model, or does not save it."""


def make_model(m, built):
    """The keras.Model, of a class of the author's own where the twist says so."""
    tensors = [one.tensor for one in built.listed]
    make, outputs = m.keras.Model, tensors if len(tensors) > 1 else tensors[0]
    if m.twist("dictionary of outputs") and len(tensors) > 1:
        names = [f"out_{i}" for i in m.rng.permutation(len(tensors))]
        outputs = dict(zip(names, tensors))
        built.listed = [one for _, one in sorted(zip(names, built.listed), key=lambda pair: pair[0])]
    m.factor, m.model_name = 1.0, None
    if m.twist("own model class"):
        m.model_name, m.factor = m.pick(["Mine", "Functional", "Model"]), 0.5
        make = m.keras.Model if m.plain else own_model(m.keras.Model, m.model_name)
    inputs = built.inputs if len(built.inputs) > 1 else built.inputs[0]
    built.model = make(inputs, outputs)
    return built.model


def own_model(base, name):
    """A functional model whose class changes what it gives."""

    class Own(base):
        def call(self, *arguments, **settings):
            result = super().call(*arguments, **settings)
            return [one * 0.5 for one in result] if isinstance(result, list) else result * 0.5

    Own.__name__ = Own.__qualname__ = name
    return Own


def path_of(variable):
    return getattr(variable, "path", variable.name)


def is_number(array):
    return np.issubdtype(array.dtype, np.floating) or array.dtype.name == "bfloat16"


def as_array(tensor):
    return np.array(tensor)


def random_weights(model, rng, gain):
    """Gives every variable numbers that float32 has, and returns what the variables then hold."""
    values = []
    for variable in model.weights:
        old = as_array(variable)
        if is_number(old):
            low, high = (0.3, 1.2) if "variance" in path_of(variable) else (-gain, gain)
            variable.assign(rng.uniform(low, high, old.shape).astype(np.float32).astype(old.dtype))
        values.append(as_array(variable))
    return values


def set_weights(model, values):
    for variable, value in zip(model.weights, values, strict=True):
        if is_number(value):
            variable.assign(value.astype(np.float64).astype(as_array(variable).dtype))


def parts(m):
    """All layers, and the layers and cells inside of them."""
    found = []
    for layer in m.made:
        found.append(layer)
        for name in ("forward_layer", "backward_layer", "cell", "layer"):
            part = getattr(layer, name, None)
            if hasattr(part, "trainable"):
                found.append(part)
        cell = getattr(getattr(layer, "forward_layer", None), "cell", None)
        if cell is not None:
            found.append(cell)
    return found


def freeze(m):
    """Some parts of the model are not trainable."""
    all_parts = parts(m)
    for _ in range(m.pick([1, 1, 2, 3])):
        m.pick(all_parts).trainable = False


def after_training(m, model):
    """What a model has that was trained: an optimizer with its state."""
    settings = m.pick([{}, {"clipvalue": float("inf")}, {"clipnorm": 1.0}])
    optimizer = m.keras.optimizers.Adam(**settings)
    model.compile(optimizer, "mse")
    optimizer.build(model.trainable_variables)


def save(model, path):
    try:
        model.save(path)
    except Exception as error:  # whatever Keras raises: there is no file, and nothing to be tested
        path.unlink(missing_ok=True)
        raise Unmade(f"not saved: {type(error).__name__}: {str(error).splitlines()[0][:150]}") from None
