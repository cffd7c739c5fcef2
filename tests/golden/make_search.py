"""Writes search/*: what beam search finds, by a search and models written once more in numpy.

    python3 make_search.py         with numpy and the safetensors package

search/policy.npz has tables of log-probabilities and what searches through them find; search/NAME.safetensors are
models in cuseq's format, search/NAME.npz what goes in and what searches find. Every search is a case, numbered from 0:

    cases                  how many
    rules                  [cases,9] int32: table, K, N, end token, minimum and maximum length, penalty (0 none, 1 length,
                           2 GNMT), retires, prunes by score; table is 0 in the files of models
    alpha                  [cases] float32
    tokens lengths         [cases,B,N,Y], [cases,B,N] int32, padded with the end token or 0 to the largest N and Y
    sums scores            [cases,B,N] float64; -infinity where there are fewer
"""

import json
import pathlib

import numpy as np
import safetensors.numpy

FOLDER = pathlib.Path(__file__).resolve().parent / "search"
LARGEST_N, LARGEST_Y = 8, 6


# ---- the policy ----


def normalised(total, length, rules):
    kind, alpha = rules["penalty"], rules["alpha"]
    if kind == 1:
        return total / length**alpha
    return total / ((5 + length) / 6) ** alpha if kind == 2 else total


def search(step, start, rules):
    """Hypotheses (tokens, sum, score) of one row, best first, and how near the search came to another outcome.
    step(state, token) gives log-probabilities and the next state; start is the state and token to begin with."""
    beam, retired, margin = [((), 0.0, start, False)], [], np.inf
    for y in range(rules["longest"]):
        if all(done for *_, done in beam) or len(retired) >= rules["beams"]:
            break
        candidates = []
        for parent, (tokens, total, state, done) in enumerate(beam):
            if done:
                candidates.append((total, len(tokens), parent, -1, None))
                continue
            logs, following = step(*state)
            for token, log in enumerate(logs):
                if token != rules["end"] or y + 1 >= rules["shortest"]:
                    candidates.append((total + float(log), y + 1, parent, token, following))
        key = (lambda c: normalised(c[0], c[1], rules)) if rules["prunes"] else (lambda c: c[0])
        candidates.sort(key=lambda c: (-key(c), c[2], c[3]))
        keys = [key(c) for c in candidates[: rules["beams"] + 1]]
        margin = min([margin] + [a - b for a, b in zip(keys, keys[1:])])
        following_beam = []
        for total, _, parent, token, following in candidates[: rules["beams"]]:
            if token < 0:
                following_beam.append(beam[parent])
                continue
            hypothesis = (beam[parent][0] + (token,), total, (following, token), token == rules["end"])
            (retired if hypothesis[3] and rules["retires"] else following_beam).append(hypothesis)
        beam = following_beam
    found = retired if len(retired) >= rules["beams"] else retired + beam
    found = [(tokens, total, normalised(total, len(tokens), rules)) for tokens, total, *_ in found]
    found.sort(key=lambda f: -f[2])  # a stable sort
    scores = [f[2] for f in found]
    return found, min([margin] + [a - b for a, b in zip(scores, scores[1:])])


def rules_of(rng, outputs, ends):
    beams = int(rng.integers(1, min(LARGEST_N, outputs) + 1))
    longest = int(rng.integers(1, LARGEST_Y + 1))
    return {
        "table": 0,
        "beams": beams,
        "best": int(rng.integers(1, beams + 1)),
        "end": int(ends),
        "shortest": int(rng.integers(0, longest + 1)),
        "longest": longest,
        "penalty": int(rng.integers(3)),
        "retires": int(rng.integers(2)),
        "prunes": int(rng.integers(2)),
        "alpha": float(np.float32(rng.choice([0.0, 0.25, 0.6, 1.0, 1.5]))),
    }


def arrays_of(cases):
    """cases: (rules, the found hypotheses of each row)."""
    rows = len(cases[0][1])
    names = ("table", "beams", "best", "end", "shortest", "longest", "penalty", "retires", "prunes")
    shape = (len(cases), rows, LARGEST_N)
    arrays = {
        "cases": np.int32([len(cases)]),
        "rules": np.int32([[rules[name] for name in names] for rules, _ in cases]),
        "alpha": np.float32([rules["alpha"] for rules, _ in cases]),
        "tokens": np.zeros(shape + (LARGEST_Y,), np.int32),
        "lengths": np.zeros(shape, np.int32),
        "sums": np.full(shape, -np.inf),
        "scores": np.full(shape, -np.inf),
    }
    for i, (rules, found) in enumerate(cases):
        arrays["tokens"][i] = max(rules["end"], 0)
        for b, row in enumerate(found):
            for n, (tokens, total, score) in enumerate(row[: rules["best"]]):
                arrays["tokens"][i, b, n, : len(tokens)] = tokens
                arrays["lengths"][i, b, n] = len(tokens)
                arrays["sums"][i, b, n] = total
                arrays["scores"][i, b, n] = score
    return arrays


def make_policy():
    """Tables [tables,B,Y,V+1,V] of the step, the last token (V: none yet) and the next one. The first two are of
    numbers of which many sums are equal."""
    rng = np.random.default_rng(1)
    tables, rows, outputs, cases = 4, 3, 7, []
    logs = rng.uniform(-5, -0.05, (tables, rows, LARGEST_Y, outputs + 1, outputs))
    logs[0], logs[1] = np.round(logs[0]), np.round(2 * logs[1]) / 2
    logs = logs.astype(np.float32)
    for number in range(240):
        rules = rules_of(rng, outputs, rng.integers(-1, outputs))
        rules["table"] = number % tables
        if rules["table"] < 2:  # equal keys, exactly
            rules["alpha"] = float(rng.choice([0.0, 1.0]))
        found = []
        for row in logs[rules["table"]].astype(np.float64):
            found.append(search(lambda y, token: (row[y, token], y + 1), (0, outputs), rules)[0])
        cases.append((rules, found))
    np.savez_compressed(FOLDER / "policy.npz", logs=logs, **arrays_of(cases))


# ---- models ----


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def log_softmax(x):
    x = x - x.max()
    return x - np.log(np.exp(x).sum())


class Model:
    """The tensors of a model, float64, under the names of docs/model-format.md."""

    def __init__(self, config, shapes, seed):
        rng = np.random.default_rng(seed)
        self.config, self.tensors = config, {}
        for name, shape in shapes.items():
            reach = 2.2 / np.sqrt(shape[0]) if len(shape) > 1 else 0.5
            self.tensors[name] = rng.uniform(-reach, reach, shape).astype(np.float32)

    def __getitem__(self, name):
        return self.tensors[name].astype(np.float64)

    def lstm(self, where, x, h, c):
        z = x @ self[where + ".kernel"] + h @ self[where + ".recurrent_kernel"] + self[where + ".bias"]
        i, f, g, o = np.split(z, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        return sigmoid(o) * np.tanh(c), c

    def gru(self, where, x, h):
        x = x @ self[where + ".kernel"] + self[where + ".bias"]
        u = h @ self[where + ".recurrent_kernel"] + self[where + ".recurrent_bias"]
        (xz, xr, xn), (uz, ur, un) = np.split(x, 3), np.split(u, 3)
        z, r = sigmoid(xz + uz), sigmoid(xr + ur)
        return z * h + (1 - z) * np.tanh(xn + r * un)


def cell_shapes(where, kind, inputs, units):
    gates = {"lstm": 4, "gru": 3}[kind]
    shapes = {
        where + ".kernel": (inputs, gates * units),
        where + ".recurrent_kernel": (units, gates * units),
        where + ".bias": (gates * units,),
    }
    if kind == "gru":
        shapes[where + ".recurrent_bias"] = (gates * units,)
    return shapes


FEATURES, OUTPUTS = 9, 12


def luong():
    """Two decoder layers with input feeding, attention after them, as OpenNMT makes them."""
    encoder, state = {"kind": "lstm", "units": 4}, {"kind": "lstm", "units": 8}
    config = {
        "version": 2,
        "input": {"features": FEATURES, "embedding": 5},
        "encoder": {"layers": [{"cell": encoder, "direction": "bidirectional"}] * 2},
        "attention": {"score": "general", "asks": "current"},
        "decoder": {
            "reads": ["token", "attentional"],
            "embedding": 5,
            "feedback": "output",
            "start_token": 1,
            "end_token": 2,
            "steps": LARGEST_Y,
            "layers": [{"cell": state, "initial_h": {"layer": n}, "initial_c": {"layer": n}} for n in range(2)],
            "attentional": {"parts": ["context", "state"], "units": 6, "activation": "tanh", "bias": False},
        },
        "output": {"parts": ["attentional"], "layers": [{"units": OUTPUTS, "activation": "log_softmax"}]},
    }
    shapes = {"input.embedding": (FEATURES, 5)}
    for layer, inputs in enumerate((5, 8)):
        for side in ("forward", "backward"):
            shapes.update(cell_shapes(f"encoder.layers.{layer}.{side}", "lstm", inputs, 4))
    shapes["attention.general"] = (8, 8)
    for layer, inputs in enumerate((11, 8)):
        shapes.update(cell_shapes(f"decoder.layers.{layer}", "lstm", inputs, 8))
    shapes["decoder.embedding"] = (OUTPUTS, 5)
    shapes["decoder.attentional.kernel"] = (16, 6)
    shapes.update({"output.layers.0.kernel": (6, OUTPUTS), "output.layers.0.bias": (OUTPUTS,)})
    model = Model(config, shapes, 5)

    def begin(ids):
        below, states = model["input.embedding"][ids], []
        for layer in range(2):
            sides = []
            for side, order in (("forward", 1), ("backward", -1)):
                h = c = np.zeros(4)
                rows = []
                for x in below[::order]:
                    h, c = model.lstm(f"encoder.layers.{layer}.{side}", x, h, c)
                    rows.append(h)
                sides.append((np.array(rows[::order]), h, c))
            below = np.concatenate([sides[0][0], sides[1][0]], 1)
            states.append((np.concatenate([s[1] for s in sides]), np.concatenate([s[2] for s in sides])))
        return below, states, np.zeros(6)

    def step(state, token):
        annotations, cells, fed = state
        x, following = np.concatenate([model["decoder.embedding"][token], fed]), []
        for layer in range(2):
            x, c = model.lstm(f"decoder.layers.{layer}", x, *cells[layer])
            following.append((x, c))
        energies = annotations @ model["attention.general"] @ x
        context = np.exp(log_softmax(energies)) @ annotations
        fed = np.tanh(np.concatenate([context, x]) @ model["decoder.attentional.kernel"])
        logits = fed @ model["output.layers.0.kernel"] + model["output.layers.0.bias"]
        return log_softmax(logits), (annotations, following, fed)

    return model, begin, step


def bahdanau():
    """GRUs, attention before the cell."""
    config = {
        "version": 2,
        "input": {"features": FEATURES},
        "encoder": {"layers": [{"cell": {"kind": "gru", "units": 6}}]},
        "attention": {"score": "additive", "units": 5, "bias": True},
        "decoder": {
            "reads": ["token", "context"],
            "embedding": 4,
            "feedback": "output",
            "start_token": 0,
            "end_token": 0,
            "steps": LARGEST_Y,
            "layers": [{"cell": {"kind": "gru", "units": 7}, "initial_h": {"from": "zeros"}}],
        },
        "output": {"parts": ["state", "context"], "layers": [{"units": OUTPUTS, "activation": "softmax"}]},
    }
    shapes = cell_shapes("encoder.layers.0.forward", "gru", FEATURES, 6)
    shapes.update({"attention.key": (6, 5), "attention.query": (7, 5), "attention.value": (5,)})
    shapes["attention.bias"] = (5,)
    shapes.update(cell_shapes("decoder.layers.0", "gru", 10, 7))
    shapes["decoder.embedding"] = (OUTPUTS, 4)
    shapes.update({"output.layers.0.kernel": (13, OUTPUTS), "output.layers.0.bias": (OUTPUTS,)})
    model = Model(config, shapes, 8)

    def begin(ids):
        h, rows = np.zeros(6), []
        for x in np.eye(FEATURES)[ids]:
            h = model.gru("encoder.layers.0.forward", x, h)
            rows.append(h)
        return np.array(rows), np.zeros(7)

    def step(state, token):
        annotations, h = state
        keys = annotations @ model["attention.key"] + h @ model["attention.query"] + model["attention.bias"]
        context = np.exp(log_softmax(np.tanh(keys) @ model["attention.value"])) @ annotations
        h = model.gru("decoder.layers.0", np.concatenate([model["decoder.embedding"][token], context]), h)
        logits = np.concatenate([h, context]) @ model["output.layers.0.kernel"] + model["output.layers.0.bias"]
        return log_softmax(logits), (annotations, h)

    return model, begin, step


def make_model(name, make):
    model, begin, step = make()
    rng = np.random.default_rng(len(name))
    rows, time, cases = 3, 7, []
    ids = rng.integers(0, FEATURES, (rows, time)).astype(np.int32)
    lengths = np.int32([7, 4, 1])
    decoder = model.config["decoder"]
    while len(cases) < 40:
        rules = rules_of(rng, OUTPUTS, decoder["end_token"])
        found = [
            search(step, (begin(ids[b, :length]), decoder["start_token"]), rules)
            for b, length in enumerate(lengths)
        ]
        # Float32 must be able to tell what is better.
        if min(margin for _, margin in found) > 2e-5:
            cases.append((rules, [hypotheses for hypotheses, _ in found]))
    metadata = {"cuseq": json.dumps(model.config)}
    safetensors.numpy.save_file(model.tensors, FOLDER / f"{name}.safetensors", metadata)
    (FOLDER / f"{name}.safetensors").chmod(0o644)
    np.savez_compressed(FOLDER / f"{name}.npz", input=ids, input_lengths=lengths, **arrays_of(cases))


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    make_policy()
    make_model("luong", luong)
    make_model("bahdanau", bahdanau)
