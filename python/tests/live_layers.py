"""Attention layers as they are written by hand, each with other functions. Every one computes
context = sum of alpha_i a_i and alphas [B,T], the softmax over positions of energies of a_i and s."""


def with_tensorflow(keras, tf):
    """By TensorFlow's functions; name: class."""
    layers, K = keras.layers, tf.keras.backend
    Dense, Layer = layers.Dense, layers.Layer

    class Pasted(Layer):
        """The layer of examples/notebook."""

        def __init__(self):
            super().__init__()
            self.concat = layers.Concatenate(axis=-1)
            self.energy_fc = Dense(1, activation="tanh")

        def call(self, sequence, s):
            energies = [self.energy_fc(self.concat([sequence[:, i], s])) for i in range(sequence.shape[1])]
            alphas = tf.nn.softmax(tf.stack(energies, axis=1), axis=1)
            return tf.reduce_sum(alphas * sequence, axis=1), alphas

    class Repeated(Layer):
        def __init__(self):
            super().__init__()
            self.first, self.second = Dense(5, activation="tanh"), Dense(1)

        def call(self, sequence, s):
            s = tf.repeat(s[:, tf.newaxis], tf.shape(sequence)[1], axis=1)
            alphas = tf.nn.softmax(self.second(self.first(tf.concat([s, sequence], -1))), axis=1)
            return tf.squeeze(tf.matmul(alphas, sequence, transpose_a=True), 1), tf.squeeze(alphas, -1)

    class Tiled(Repeated):
        def call(self, sequence, s):
            s = tf.tile(tf.expand_dims(s, 1), [1, sequence.shape[1], 1])
            alphas = K.softmax(self.second(self.first(K.concatenate([sequence, s]))), axis=1)
            return K.sum(alphas * sequence, axis=1), K.squeeze(alphas, -1)

    class Weighted(Layer):
        """Weights of its own, and K's functions."""

        def build(self, *shapes):
            self.W = self.add_weight(name="W", shape=(8, 5), initializer="glorot_uniform")
            self.U = self.add_weight(name="U", shape=(8, 5), initializer="glorot_uniform")
            self.b = self.add_weight(name="b", shape=(5,), initializer="random_normal")
            self.v = self.add_weight(name="v", shape=(5, 1), initializer="glorot_uniform")

        def energies(self, sequence, s):
            keys = K.dot(sequence, self.W) + self.b
            return K.squeeze(K.dot(K.tanh(keys + K.expand_dims(K.dot(s, self.U), 1)), self.v), -1)

        def call(self, sequence, s):
            alphas = K.softmax(self.energies(sequence, s))
            return K.sum(sequence * K.expand_dims(alphas), axis=1), alphas

    class Tensordot(Weighted):
        def energies(self, sequence, s):
            hidden = tf.tanh(tf.nn.bias_add(tf.tensordot(sequence, self.W, axes=1), self.b) + (s @ self.U)[:, None])
            return tf.reshape(tf.tensordot(hidden, self.v, [[2], [0]]), (-1, sequence.shape[1]))

    class Einsum(Weighted):
        def energies(self, sequence, s):
            hidden = tf.einsum("btf,fu->btu", sequence, self.W) + tf.einsum("bf,fu->bu", s, self.U)[:, tf.newaxis, :]
            return tf.einsum("btu,uo->bto", tf.tanh(hidden * 0.5 + self.b), self.v)[..., 0]

        def call(self, sequence, s):
            alphas = tf.nn.softmax(self.energies(sequence, s))
            return tf.einsum("bt,btf->bf", alphas, sequence), alphas

    class Operators(Weighted):
        """Weights by @, and a softmax by hand."""

        @tf.function
        def energies(self, sequence, s):
            return tf.tanh(sequence @ self.W - self.b + tf.expand_dims(s @ self.U, 1)) @ self.v

        def call(self, sequence, s):
            energies = self.energies(sequence, s)
            e = K.exp(energies - K.max(energies, axis=1, keepdims=True))
            alphas = e / K.sum(e, axis=1, keepdims=True)
            return tf.reduce_sum(tf.multiply(alphas, sequence), 1), alphas

    class Luong(Layer):
        def call(self, sequence, s):
            alphas = tf.nn.softmax(tf.linalg.matmul(sequence, s[:, :, None]), 1)
            context = tf.matmul(tf.transpose(alphas, [0, 2, 1]), sequence)
            return context[:, 0, :], alphas

    class Inner(Layer):
        """A layer of one's own inside a layer of one's own."""

        def __init__(self):
            super().__init__()
            self.attention = Pasted()

        def call(self, sequence, s):
            context, alphas = self.attention(sequence, s)
            return tf.identity(context), alphas

    found = [Pasted, Repeated, Tiled, Weighted, Tensordot, Einsum, Operators, Luong, Inner]
    return {layer.__name__.lower(): layer for layer in found}


def with_operations(keras):
    """By keras.ops, on any backend."""
    layers, ops = keras.layers, keras.ops

    class Written(layers.Layer):
        def __init__(self):
            super().__init__()
            self.energy = layers.Dense(1, activation="tanh")

        def call(self, sequence, s):
            rows = [self.energy(ops.concatenate([sequence[:, i], s], -1)) for i in range(sequence.shape[1])]
            alphas = ops.softmax(ops.stack(rows, 1), axis=1)
            return ops.sum(alphas * sequence, axis=1), alphas

    class Weighted(layers.Layer):
        def build(self, *shapes):
            self.W = self.add_weight(name="W", shape=(8, 5), initializer="glorot_uniform")
            self.U = self.add_weight(name="U", shape=(8, 5), initializer="glorot_uniform")
            self.b = self.add_weight(name="b", shape=(5,), initializer="random_normal")
            self.v = self.add_weight(name="v", shape=(5, 1), initializer="glorot_uniform")

        def call(self, sequence, s):
            hidden = ops.tanh(ops.matmul(sequence, self.W) + self.b + ops.expand_dims(ops.dot(s, self.U), 1))
            alphas = ops.softmax(ops.squeeze(ops.matmul(hidden, self.v), -1))
            return ops.sum(sequence * ops.expand_dims(alphas, -1), axis=1), alphas

    class Einsum(Weighted):
        def call(self, sequence, s):
            hidden = ops.einsum("btf,fu->btu", sequence, self.W) + ops.expand_dims(ops.tensordot(s, self.U, 1), 1)
            alphas = ops.softmax(ops.einsum("btu,uo->bto", ops.tanh(hidden), self.v)[..., 0])
            return ops.einsum("bt,btf->bf", alphas, sequence), alphas

    return {layer.__name__.lower(): layer for layer in (Written, Weighted, Einsum)}


def model_of(keras, attention, positions=6):
    """Attention [B,T,8] by the final state of a bidirectional LSTM."""
    layers = keras.layers
    x = keras.Input((positions, 5))
    sequence, forward, _, backward, _ = layers.Bidirectional(layers.LSTM(4, return_sequences=True, return_state=True))(
        x
    )
    return keras.Model(x, list(attention(sequence, layers.Concatenate()([forward, backward]))))
