"""Which tensors a model gives, and in which order: the outputs of all steps, as a rule."""


class Listed:
    """One of the model's outputs. kind: "main", or the name of cuseq's array that it should be ("alphas",
    "context", "states", "annotations", "h_fw"), or "other"; step: of which step, or None."""

    def __init__(self, tensor, kind="main", step=None):
        self.tensor, self.kind, self.step = tensor, kind, step


def outputs(m, steps):
    """The list of what a decoder's model gives."""
    chosen = order(m, list(steps.outputs))
    joined = m.chance(0.25) and len(chosen) > 1
    listed = [Listed(join(m, chosen))] if joined else [Listed(tensor) for tensor in chosen]
    if m.twist("sliced") and joined and len(listed[0].tensor.shape) == 3:
        listed = [Listed(listed[0].tensor[:, 1:]), *listed[1:]]
    if m.twist("two heads"):
        listed += [Listed(tensor) for tensor in steps.second]
    beside(m, steps, listed)
    return listed


def order(m, chosen):
    """Other orders than that of the steps."""
    if m.twist("reversed"):
        chosen = chosen[::-1]
    if m.twist("shuffled"):
        chosen = [chosen[i] for i in m.rng.permutation(len(chosen))]
    if m.twist("without the first"):
        chosen = chosen[1:] or chosen
    if m.twist("without the last"):
        chosen = chosen[:-1] or chosen
    if m.twist("the last alone"):
        chosen = chosen[-1:]
    if m.twist("one missing") and len(chosen) > 2:
        chosen = chosen[:1] + chosen[2:]
    if m.twist("one twice"):
        at = m.pick(range(len(chosen)))
        chosen = chosen + [chosen[at]] if m.chance(0.5) else chosen[: at + 1] + chosen[at:]
    return chosen


def join(m, chosen):
    """All steps in one tensor."""
    if m.twist("joined along the classes"):
        return m.layer("Concatenate", axis=-1)(chosen)
    if m.twist("joined along the batch"):
        return m.layer("Concatenate", axis=0)(chosen)
    if m.chance(0.5):
        wrong = m.twist("stacked last")
        return m.op("stack", chosen, axis=2 if wrong else 1)
    row = m.layer("Reshape", target_shape=(1, chosen[0].shape[-1]))
    joined = m.layer("Concatenate", axis=1)([row(tensor) for tensor in chosen])
    if m.twist("transposed"):
        return m.layer("Permute", dims=(2, 1))(joined)
    return m.layer("Activation", activation="linear")(joined) if m.chance(0.2) else joined


def beside(m, steps, listed):
    """Alphas, contexts and states among the outputs."""
    if m.chance(0.12) or m.twist("side outputs"):
        kind, tensors = m.pick(
            [("alphas", steps.alphas), ("context", steps.contexts), ("states", steps.states)]
        )
        for step, tensor in enumerate(tensors):
            if tensor is not None:
                at = int(m.rng.integers(len(listed) + 1))
                listed.insert(at, Listed(tensor, kind, step))
    if m.twist("cell state given"):
        listed.append(Listed(steps.cells[-1], "other"))
    if m.twist("annotations given"):
        listed.append(Listed(m.probes["annotations"], "annotations"))
    if m.twist("final states given"):
        names = [name for name in ("h_fw", "h_bw") if name in m.probes]
        if len(names) == 2 and m.chance(0.5):
            listed.append(Listed(m.layer("Concatenate")([m.probes[name] for name in names]), "other"))
        else:
            listed += [Listed(m.probes[name], name) for name in names]
    if m.twist("side outputs alone"):
        tensors = [t for t in steps.alphas if t is not None]
        listed[:] = [Listed(t, "alphas", i) for i, t in enumerate(tensors)] or listed
