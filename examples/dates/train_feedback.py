"""Trains a date model that reads its own output, as most translators do, in Keras 3.

    python train_feedback.py dates_feedback.keras

The graph is the usual one for training: the decoder is given the date itself, one character late (teacher forcing),
so all ten steps are computed at once. What stands before the first character is "-", with which no date begins.
"""

import argparse
import os

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np
from keras import layers

import generate
from train import HELD_OUT_SEED, STEPS, TRAINING_SEED, Dates
from vocabulary import INPUT, LENGTH, OUTPUT, encode, encode_dates, one_hot

ENCODER_UNITS = 24
DECODER_UNITS = 48
START = OUTPUT.index("-")


def build():
    text = keras.Input((LENGTH, len(INPUT)), name="text")
    before = keras.Input((STEPS,), dtype="int32", name="before")
    annotations, forward, backward = layers.Bidirectional(
        layers.GRU(ENCODER_UNITS, return_sequences=True, return_state=True), name="encoder"
    )(text)
    state = layers.Concatenate(name="state")([forward, backward])
    embedded = layers.Embedding(len(OUTPUT), 16, name="embedding")(before)
    hidden = layers.GRU(DECODER_UNITS, return_sequences=True, name="decoder")(embedded, initial_state=state)
    context = layers.Attention(name="attention")([hidden, annotations])
    joined = layers.Concatenate(name="context_and_state")([context, hidden])
    attentional = layers.Dense(DECODER_UNITS, activation="tanh", name="attentional")(joined)
    date = layers.Dense(len(OUTPUT), activation="softmax", name="date")(attentional)
    return keras.Model([text, before], date, name="dates_feedback")


def inputs_of(ids, targets):
    before = np.concatenate([np.full((len(targets), 1), START), targets[:, :-1]], axis=1)
    return one_hot(ids), before.astype(np.int32)


class GivenDates(Dates):
    """The same batches, with the date one character late as a second input."""

    def __getitem__(self, index):
        rows = self.order[index * self.batch : (index + 1) * self.batch]
        return inputs_of(self.ids[rows], self.targets[rows]), self.targets[rows]


class ExactMatch(keras.callbacks.Callback):
    """Prints the share of held-out dates whose characters are all right. Where each is right after right ones, the
    model that reads its own output writes the same date."""

    def __init__(self):
        super().__init__()
        texts, dates = zip(*generate.pairs(4000, HELD_OUT_SEED))
        self.targets = encode_dates(dates)
        self.inputs = inputs_of(encode(texts), self.targets)

    def on_epoch_end(self, epoch, logs=None):
        tokens = self.model.predict(self.inputs, batch_size=500, verbose=0).argmax(-1)
        exact = (tokens == self.targets).all(axis=1).mean()
        print(f"pass {epoch + 1}: loss {logs['loss']:.5f}, exact {exact:.4%}", flush=True)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("output", help="the .keras file to write")
    parser.add_argument("--steps", type=int, default=10000, help="optimizer steps (default: 10000)")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rate", type=float, default=4e-3)
    parser.add_argument("--pass-steps", type=int, default=500, help="optimizer steps between two reports")
    arguments = parser.parse_args()

    keras.utils.set_random_seed(TRAINING_SEED)
    model = build()
    rate = keras.optimizers.schedules.CosineDecay(
        arguments.rate / 20, arguments.steps, alpha=0.005, warmup_target=arguments.rate, warmup_steps=500
    )
    model.compile(keras.optimizers.Adam(rate, beta_2=0.99, clipnorm=1.0), "sparse_categorical_crossentropy")
    model.fit(
        GivenDates(arguments.pass_steps * arguments.batch * 4, arguments.batch),
        epochs=arguments.steps // arguments.pass_steps,
        steps_per_epoch=arguments.pass_steps,
        verbose=0,
        callbacks=[ExactMatch()],
    )
    saved = build()  # without the optimizer's state
    saved.set_weights(model.get_weights())
    saved.save(arguments.output)


if __name__ == "__main__":
    main()
