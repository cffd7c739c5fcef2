"""Written models (tests/random/written) as Keras 3 exports them with PyTorch, for make_onnx.py: layers that are written out
cell by cell."""

import os
import pathlib
import sys

os.environ["KERAS_BACKEND"] = "torch"
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "random/written"))

KEPT = ("blog_next_hours", "positions_through_a_dense_layer", "date_positions", "spam", "reviews_flattened",
        "attention_permuted", "bitcoin")


def files(folder, only):
    """The file of each, None where it is not asked for, and its vector: what ONNX Runtime computes of it."""
    import lists
    import numpy as np
    import torch
    from exported import computed
    from worker import Case

    torch.set_grad_enabled(False)
    for kind in lists.all_kinds():
        if kind.name not in KEPT:
            continue
        name = f"keras_{kind.name}"
        if only and name not in only:
            yield name, None
            continue
        case, path = Case(kind), folder / f"{name}.onnx"
        case.model.export(str(path), format="onnx", verbose=False)
        outputs = computed(path, case.fed)
        yield name, {"input": case.x, "outputs": np.stack(outputs, 1) if len(outputs) > 1 else outputs[0]}
