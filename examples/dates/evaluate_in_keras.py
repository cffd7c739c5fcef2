"""How many of a TSV file's dates a .keras file gets right, in Keras.

python evaluate_in_keras.py dates.keras pairs.tsv
"""

import os
import sys

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np

from train import inputs_of
from vocabulary import decode, encode


def main():
    with open(sys.argv[2], encoding="utf-8") as file:
        pairs = [line.rstrip("\n").split("\t") for line in file]
    model = keras.models.load_model(sys.argv[1])
    outputs = model.predict(inputs_of(encode([text for text, _ in pairs])), batch_size=500, verbose=0)
    got = decode(np.stack(outputs, 1).argmax(-1))
    wrong = [(text, date, answer) for (text, date), answer in zip(pairs, got) if date != answer]
    for text, date, answer in wrong:
        print(f"{text!r} is {date}, got {answer}")
    print(f"{len(pairs) - len(wrong)} of {len(pairs)} right: {1 - len(wrong) / len(pairs):.4%}")


if __name__ == "__main__":
    main()
