"""An attention layer as it is written by hand in a notebook: Bahdanau's, one Dense layer over concat(a_i, s_prev)."""

import keras
from keras.layers import Concatenate, Dense, Layer

if hasattr(keras, "ops"):  # Keras 3
    softmax, stack, total = keras.ops.softmax, keras.ops.stack, keras.ops.sum
else:
    import tensorflow as tf

    softmax, stack, total = tf.nn.softmax, tf.stack, tf.reduce_sum


class ManualAttention(Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.concat = Concatenate(axis=-1)
        self.energy_fc = Dense(1, activation="tanh")
        self.units = units

    def call(self, sequence, s_prev):
        energies = [self.energy_fc(self.concat([sequence[:, i], s_prev])) for i in range(sequence.shape[1])]
        alphas = softmax(stack(energies, axis=1), axis=1)
        return total(alphas * sequence, axis=1), alphas

    def get_config(self):
        return dict(super().get_config(), units=self.units)
