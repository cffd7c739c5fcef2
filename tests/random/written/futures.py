"""Forecasts whose decoders are given numbers at every step: what is known of the days to come, or the series
itself, as in training."""

from kinds import Built, kind

T, F, Y, G, H = 6, 3, 4, 2, 5  # positions, features, steps, numbers of a step, units


def behind(k, x):
    """The states of an LSTM over the past."""
    return k.LSTM(H, return_state=True)(x)[1:]


def dense(k, y, units=1):
    return k.TimeDistributed(k.Dense(units))(y)


def built(model, inputs=1, **options):
    """All inputs behind the first one are numbers."""
    return Built(model, others=(0,) * inputs, **options)


@kind
def future_gru(k):
    """GRUs; the head is a Dense layer over a sequence"""
    x, y = k.Input((T, F)), k.Input((Y, G))
    _, h = k.GRU(H, return_state=True)(x)
    return built(k.Model([x, y], k.Dense(2)(k.GRU(H, return_sequences=True)(y, initial_state=h))))


@kind
def future_open(k):
    """as many steps and positions as one likes"""
    x, y = k.Input((None, F)), k.Input((None, G))
    return built(k.Model([x, y], dense(k, k.LSTM(H, return_sequences=True)(y, initial_state=behind(k, x)))))


@kind
def future_stacked(k):
    """two layers on either side, Dense relu before the last one"""
    x, y = k.Input((T, F)), k.Input((Y, G))
    below, *first = k.LSTM(H, return_sequences=True, return_state=True)(x)
    second = behind(k, below)
    y_1 = k.LSTM(H, return_sequences=True)(y, initial_state=first)
    y_2 = k.LSTM(H, return_sequences=True)(y_1, initial_state=second)
    return built(k.Model([x, y], dense(k, k.TimeDistributed(k.Dense(6, activation="relu"))(y_2))))


@kind
def future_bidirectional(k):
    """a bidirectional encoder, whose states are joined"""
    x, y = k.Input((T, F)), k.Input((Y, G))
    _, h_1, c_1, h_2, c_2 = k.Bidirectional(k.LSTM(H, return_state=True))(x)
    states = [k.Concatenate()([h_1, h_2]), k.Concatenate()([c_1, c_2])]
    return built(k.Model([x, y], dense(k, k.LSTM(2 * H, return_sequences=True)(y, initial_state=states))))


@kind
def future_luong(k):
    """attention to the past behind the decoder's layer"""
    x, y = k.Input((T, F)), k.Input((Y, G))
    past, *states = k.LSTM(H, return_sequences=True, return_state=True)(x)
    y_1 = k.LSTM(H, return_sequences=True)(y, initial_state=states)
    context = k.Attention()([y_1, past])
    return built(k.Model([x, y], dense(k, k.Concatenate()([y_1, context]))))


@kind
def future_beside_output(k):
    """the output reads what is known of its day, too"""
    x, y = k.Input((T, F)), k.Input((Y, G))
    y_1 = k.LSTM(H, return_sequences=True)(y, initial_state=behind(k, x))
    return built(k.Model([x, y], dense(k, k.Concatenate()([y_1, y]))))


@kind
def future_mapped(k):
    """a linear Dense layer in front of the decoder"""
    x, y = k.Input((T, F)), k.Input((Y, G))
    mapped = k.TimeDistributed(k.Dense(3))(y)
    return built(k.Model([x, y], dense(k, k.LSTM(H, return_sequences=True)(mapped, initial_state=behind(k, x)))))


@kind
def future_activated(k):
    """a Dense layer with tanh in front of the decoder"""
    x, y = k.Input((T, F)), k.Input((Y, G))
    mapped = k.TimeDistributed(k.Dense(3, activation="tanh"))(y)
    return built(k.Model([x, y], dense(k, k.LSTM(H, return_sequences=True)(mapped, initial_state=behind(k, x)))))


@kind
def future_two_inputs(k):
    """the calendar and the weather of the days to come, side by side, the weather first"""
    x, days, weather = k.Input((T, F)), k.Input((Y, G)), k.Input((Y, 1))
    both = k.Concatenate()([weather, days])
    y = k.LSTM(H, return_sequences=True)(both, initial_state=behind(k, x))
    return built(k.Model([x, days, weather], dense(k, y)), 2)


@kind
def future_first(k):
    """the days to come are the first of the model's inputs"""
    x, y = k.Input((T, F)), k.Input((Y, G))
    return built(k.Model([y, x], dense(k, k.LSTM(H, return_sequences=True)(y, initial_state=behind(k, x)))))


@kind
def future_as_long(k):
    """as many days to come as days behind"""
    x, y = k.Input((T, F)), k.Input((T, G))
    return built(k.Model([x, y], dense(k, k.LSTM(H, return_sequences=True)(y, initial_state=behind(k, x)))))


@kind
def future_series(k):
    """the series itself, shifted, as in training: one number a step"""
    x, y = k.Input((T, 1)), k.Input((Y, 1))
    return built(k.Model([x, y], dense(k, k.LSTM(H, return_sequences=True)(y, initial_state=behind(k, x)))))


@kind
def future_masked(k):
    """Masking of the days to come"""
    x, y = k.Input((T, F)), k.Input((Y, G))
    known = k.Masking(0.0)(y)
    return built(k.Model([x, y], dense(k, k.LSTM(H, return_sequences=True)(known, initial_state=behind(k, x)))))


@kind
def future_backward(k):
    """a bidirectional layer over the days to come"""
    x, y = k.Input((T, F)), k.Input((Y, G))
    h, c = behind(k, x)
    both = k.Bidirectional(k.LSTM(H, return_sequences=True))(y, initial_state=[h, c, h, c])
    return built(k.Model([x, y], dense(k, both)))


@kind
def future_tomorrow(k):
    """each step is given the day behind it: the future without its first day"""
    x, y = k.Input((T, F)), k.Input((Y + 1, G))
    late = k.Cropping1D((1, 0))(y)
    return built(k.Model([x, y], dense(k, k.LSTM(H, return_sequences=True)(late, initial_state=behind(k, x)))))


@kind
def future_classes(k):
    """a softmax of other classes at every step"""
    x, y = k.Input((T, F)), k.Input((Y, G))
    y_1 = k.LSTM(H, return_sequences=True)(y, initial_state=behind(k, x))
    return built(k.Model([x, y], k.TimeDistributed(k.Dense(3, activation="softmax"))(y_1)))


@kind
def future_beside_tokens(k):
    """given tokens and numbers side by side, by an Embedding of the tokens"""
    x, tokens, y = k.Input((T, F)), k.Input((Y,)), k.Input((Y, G))
    both = k.Concatenate()([k.Embedding(6, 3)(tokens), y])
    y_1 = k.LSTM(H, return_sequences=True)(both, initial_state=behind(k, x))
    return Built(k.Model([x, tokens, y], k.Dense(6, activation="softmax")(y_1)), targets=6, others=(0, 0))


@kind
def future_step(k):
    """the decoder of one step is a model of its own"""
    x = k.Input((T, F))
    encoder = k.Model(x, behind(k, x))
    day, h, c = k.Input((1, G)), k.Input((H,)), k.Input((H,))
    y, *states = k.LSTM(H, return_sequences=True, return_state=True)(day, initial_state=[h, c])
    return Built(encoder, decoder=k.Model([day, h, c], [k.Dense(2)(y), *states]), steps=Y)
