"""A notebook as people write them, as a script: dates, an encoder with all its states, attention written by hand, a
decoder. Each model is brought over to cuseq, and cuseq compares what it computes with what Keras does.

    python notebook.py [--cuseq PROGRAM] [--folder FOLDER] [--tolerance X]

Keras 3 with any backend, or Keras 2 (TensorFlow 2.15), and the packages numpy and safetensors. Leaves the models,
what Keras computed (NAME.npz) and a picture of each model's attention (NAME.svg) in the folder.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "dates")]
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
if "KERAS_BACKEND" not in os.environ:  # the first one that is there
    for backend, package in (("tensorflow", "tensorflow"), ("jax", "jax"), ("torch", "torch")):
        try:
            __import__(package)
        except ImportError:
            continue
        os.environ["KERAS_BACKEND"] = backend
        break

import keras
from keras.layers import LSTM, Bidirectional, Concatenate, Dense, Input, RepeatVector

import vocabulary
from manual_attention import ManualAttention
from save_attention import save_attention

DATES = ["3 May 1979", "5 April 09", "21th of August 2016", "Tue 10 Jul 2007", "Saturday May 9 2018"]
T_X, T_Y, FEATURES, CLASSES = 30, 10, 37, 11


def dates():
    """[5,30,37] float64, one-hot."""
    return vocabulary.one_hot(vocabulary.encode(DATES)).astype(np.float64)


def one_look(dense):
    """The encoder, and one look at what it read: s_prev is its final state, or that through Dense(20)."""
    inputs = Input((T_X, FEATURES))
    encoder = Bidirectional(LSTM(16, return_sequences=True, return_state=True))
    sequence, h_fw, c_fw, h_bw, c_bw = encoder(inputs)
    s_prev = Concatenate()([h_fw, h_bw])
    if dense:
        s_prev = Dense(20)(s_prev)
    context, alphas = ManualAttention(20)(sequence, s_prev)
    every = {
        "annotations": sequence,
        "h_fw": h_fw,
        "c_fw": c_fw,
        "h_bw": h_bw,
        "c_bw": c_bw,
        "context": context,
        "alphas": alphas,
    }
    return keras.Model(inputs, [context, alphas]), keras.Model(inputs, list(every.values())), list(every)


def decoder():
    """T_Y steps, each with a look of its own, of an LSTM that begins with the encoder's states through Dense(20)."""
    inputs = Input((T_X, FEATURES))
    encoder = Bidirectional(LSTM(16, return_sequences=True, return_state=True))
    sequence, h_fw, c_fw, h_bw, c_bw = encoder(inputs)
    s = Dense(20, activation="tanh")(Concatenate()([h_fw, h_bw]))
    c = Dense(20, activation="tanh")(Concatenate()([c_fw, c_bw]))
    attention, cell, output = ManualAttention(20), LSTM(20, return_state=True), Dense(CLASSES, activation="softmax")
    row, steps = RepeatVector(1), []
    for _ in range(T_Y):
        context, alphas = attention(sequence, s)
        s, _, c = cell(row(context), initial_state=[s, c])
        steps.append([context, alphas, s, output(s)])
    every = [tensor for step in steps for tensor in step]
    names = ["context", "alphas", "states", "outputs"]
    return keras.Model(inputs, [step[-1] for step in steps]), keras.Model(inputs, every), names


def computed(probe, names, x):
    """What Keras computes, by the names that cuseq has for it; of a loop the steps side by side."""
    values = probe.predict(x, verbose=0)
    if len(values) == len(names):
        return dict(zip(names, values))
    return {name: np.stack(values[i :: len(names)], axis=1) for i, name in enumerate(names)}


def program():
    """The cuseq that was built here, else the one that is installed."""
    built = HERE.parent.parent / "build" / "cuseq"
    return str(built) if built.exists() else "cuseq"


def main():
    parser = argparse.ArgumentParser(description="A Keras notebook's attention models, in Keras and in cuseq")
    parser.add_argument("--cuseq", default=program(), help="the program")
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path("."), help="where the files go")
    parser.add_argument("--tolerance", default="1e-6", help="how much Keras and cuseq may differ")
    given = parser.parse_args()
    cuseq = shutil.which(given.cuseq)
    if cuseq is None:
        parser.error(f"{given.cuseq}: there is no such program (./run build makes build/cuseq; or say --cuseq)")
    cuseq = os.path.abspath(cuseq)
    given.folder.mkdir(parents=True, exist_ok=True)
    os.chdir(given.folder)
    keras.utils.set_random_seed(7)

    x = dates()
    np.save("input.npy", x)
    words = {key: value for key, value in vocabulary.VOCABULARY.items() if key != "output"}
    failed = False
    for name, (model, probe, names), texts in (
        ("look", one_look(dense=False), words),
        ("look_dense", one_look(dense=True), words),
        ("decoder", decoder(), vocabulary.VOCABULARY),
    ):
        save_attention(model, f"{name}.safetensors", vocabulary=texts)
        np.savez(f"{name}.npz", **computed(probe, names, x))
        compare = [cuseq, "compare", f"{name}.safetensors", "input.npy", "--with", f"{name}.npz"]
        failed |= subprocess.run([*compare, "--tolerance", given.tolerance], check=False).returncode != 0
        draw = [cuseq, "run", f"{name}.safetensors", "input.npy", "--plot", f"{name}.svg"]
        failed |= subprocess.run(draw, check=False, stdout=subprocess.DEVNULL).returncode != 0
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
