"""Trains the date model in Keras 3: characters -> Bidirectional LSTM -> attention -> LSTM -> ISO date.

    python train.py dates.keras

The graph is the one of the well-known exercise: shared layers applied ten times, initial states as two inputs
fed zeros, the output of one step not fed to the next.
"""

import argparse
import os

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np
from keras import layers

import generate
from vocabulary import INPUT, LENGTH, OUTPUT, decode, encode, encode_dates, one_hot

ENCODER_UNITS = 32
DECODER_UNITS = 64
STEPS = 10
TRAINING_SEED = 1
HELD_OUT_SEED = 3


def build():
    """Returns the model with ten outputs [B,11], and the same layers with one output [B,10,11] to train."""
    text = keras.Input((LENGTH, len(INPUT)), name="text")
    s0 = keras.Input((DECODER_UNITS,), name="s0")
    c0 = keras.Input((DECODER_UNITS,), name="c0")

    repeat = layers.RepeatVector(LENGTH, name="repeat_state")
    concatenate = layers.Concatenate(axis=-1, name="annotation_and_state")
    hidden = layers.Dense(10, activation="tanh", name="attention_hidden")
    energy = layers.Dense(1, activation="linear", name="attention_energy")
    weights = layers.Softmax(axis=1, name="attention_weights")
    dot = layers.Dot(axes=1, name="context")
    decoder = layers.LSTM(DECODER_UNITS, return_state=True, name="decoder")
    output = layers.Dense(len(OUTPUT), activation="softmax", name="date")

    annotations = layers.Bidirectional(layers.LSTM(ENCODER_UNITS, return_sequences=True), name="encoder")(
        text
    )
    s, c = s0, c0
    outputs = []
    for _ in range(STEPS):
        alphas = weights(energy(hidden(concatenate([annotations, repeat(s)]))))
        s, _, c = decoder(dot([alphas, annotations]), initial_state=[s, c])
        outputs.append(output(s))
    model = keras.Model([text, s0, c0], outputs, name="dates")
    trained = keras.Model([text, s0, c0], keras.ops.stack(outputs, axis=1), name="dates_trained")
    return model, trained


def inputs_of(ids):
    zeros = np.zeros((len(ids), DECODER_UNITS), np.float32)
    return [one_hot(ids), zeros, zeros]


class Dates(keras.utils.PyDataset):
    """Batches out of a large set of generated pairs, shuffled anew in each pass."""

    def __init__(self, count, batch):
        super().__init__()
        texts, dates = zip(*generate.pairs(count, TRAINING_SEED))
        self.ids, self.targets, self.batch = encode(texts), encode_dates(dates), batch
        self.random = np.random.default_rng(TRAINING_SEED)
        self.order = self.random.permutation(count)

    def __len__(self):
        return len(self.order) // self.batch

    def __getitem__(self, index):
        rows = self.order[index * self.batch : (index + 1) * self.batch]
        return tuple(inputs_of(self.ids[rows])), self.targets[rows]

    def on_epoch_end(self):
        self.order = self.random.permutation(len(self.order))


class ExactMatch(keras.callbacks.Callback):
    """Prints the share of held-out dates that come out whole, after each pass."""

    def __init__(self):
        super().__init__()
        self.texts, self.dates = zip(*generate.pairs(4000, HELD_OUT_SEED))
        self.inputs = inputs_of(encode(self.texts))

    def on_epoch_end(self, epoch, logs=None):
        tokens = self.model.predict(self.inputs, batch_size=500, verbose=0).argmax(-1)
        wrong = [(t, d, g) for t, d, g in zip(self.texts, self.dates, decode(tokens)) if d != g]
        print(
            f"pass {epoch + 1}: loss {logs['loss']:.5f}, exact {1 - len(wrong) / len(self.texts):.4%}",
            flush=True,
        )
        for text, date, got in wrong[:8]:
            print(f"    {text!r} is {date}, got {got}", flush=True)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("output", help="the .keras file to write")
    parser.add_argument("--steps", type=int, default=16000, help="optimizer steps (default: 16000)")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--rate", type=float, default=4e-3)
    parser.add_argument("--pass-steps", type=int, default=1000, help="optimizer steps between two reports")
    arguments = parser.parse_args()

    keras.utils.set_random_seed(TRAINING_SEED)
    model, trained = build()
    rate = keras.optimizers.schedules.CosineDecay(
        arguments.rate / 20, arguments.steps, alpha=0.005, warmup_target=arguments.rate, warmup_steps=500
    )
    trained.compile(keras.optimizers.Adam(rate, beta_2=0.99, clipnorm=1.0), "sparse_categorical_crossentropy")
    data = Dates(arguments.pass_steps * arguments.batch * 4, arguments.batch)
    trained.fit(
        data,
        epochs=arguments.steps // arguments.pass_steps,
        steps_per_epoch=arguments.pass_steps,
        verbose=0,
        callbacks=[ExactMatch()],
    )
    model.save(arguments.output)


if __name__ == "__main__":
    main()
