"""exported.py PROGRAM [NAME...]: the written models as Keras 3 exports them to ONNX (model.export(format="onnx"), by
PyTorch): what cuseq makes of each file is what ONNX Runtime computes of it, or a refusal. Exit status 1 where it is
not. Needs keras, torch, onnx, onnxscript and onnxruntime."""

import os
import sys
import tempfile
from collections import Counter
from pathlib import Path

os.environ["KERAS_BACKEND"] = "torch"

import numpy as np
import onnxruntime
import torch
from worker import Case, Fault, Wrong, judge

import lists

TYPES = {"tensor(int32)": np.int32, "tensor(int64)": np.int64, "tensor(bool)": bool}
FAILURES = ("WRONG", "FAULT")
LEFT_OUT = ("half_precision",)  # the process ends where PyTorch exports it


def computed(path, fed):
    """What ONNX Runtime computes of a file, in the order of its outputs; and the names of its inputs."""
    session = onnxruntime.InferenceSession(str(path))
    feeds = {}
    for one, array in zip(session.get_inputs(), fed):
        feeds[one.name] = np.asarray(array).astype(TYPES.get(one.type, np.float32))
    return [np.array(value, np.float64) for value in session.run(None, feeds)], list(feeds)


def verdict(kind, program, folder):
    """What became of one model, and why."""
    path = folder / f"{kind.name}.onnx"
    try:
        case = Case(kind)
        case.model.export(str(path), format="onnx", verbose=False)
        case.values, case.inputs = computed(path, case.fed)
    except Exception as error:  # whatever Keras, PyTorch and ONNX Runtime raise
        return "unmade", f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:150]}"
    try:
        return judge(case, program, [path], folder)
    except Wrong as wrong:
        return "WRONG", str(wrong)
    except Fault as fault:
        return "FAULT", str(fault)


def main(words):
    program, only, counts = Path(words[0]), words[1:], Counter()
    torch.set_grad_enabled(False)
    with tempfile.TemporaryDirectory() as folder:
        for kind in lists.all_kinds():
            if 3 in kind.keras and kind.name not in LEFT_OUT and (not only or kind.name in only):
                found, reason = verdict(kind, program, Path(folder))
                counts[found] += 1
                print(f"{kind.name:44} {found:8} {reason}", flush=True)
    told = ", ".join(f"{count} {found}" for found, count in counts.most_common())
    print(f"# {sum(counts.values())} models: {told}")
    return 1 if any(counts[failure] for failure in FAILURES) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
