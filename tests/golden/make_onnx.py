"""Exports PyTorch's modules of onnx_cases.py to ONNX, by the legacy exporter and by dynamo's, and has ONNX Runtime say what
they compute.

    python make_onnx.py [NAME...]             writes onnx/: the files that are kept, vectors, and index.tsv of all of them
    python make_onnx.py --count CUSEQ [NAME...]   exports all of them elsewhere, converts and runs each by the program CUSEQ, and
                                              counts what is equal, refused and wrong; --keep FOLDER leaves them there

It needs torch, onnx, onnxscript and onnxruntime, and keras for what is kept of Keras' exports."""

import argparse
import collections
import contextlib
import logging
import os
import pathlib
import subprocess
import sys
import tempfile
import warnings

warnings.filterwarnings("ignore")
logging.disable(logging.CRITICAL)

import numpy as np
import onnx
import onnxruntime
import torch

import onnx_keras
from onnx_cases import B, cases
from onnx_handmade import graphs

FOLDER = pathlib.Path(__file__).resolve().parent / "onnx"
EXPORTERS = ("legacy", "dynamo")
TOLERANCE = 5e-6

# What is kept in the repository, where it is small and says something of its own.
KEPT = {
    "tagger": EXPORTERS, "tagger-gru": ("dynamo",), "tagger-features": ("legacy",), "tagger-time-first": ("dynamo",),
    "tagger-unsorted": ("legacy",), "tagger-gru-unsorted": ("legacy",), "tagger-heads": ("legacy",),
    "tagger-opset11": ("legacy",), "tagger-fixed": EXPORTERS,
    "classifier-final": ("dynamo",), "classifier-last": ("legacy",), "classifier-mean": ("dynamo",), "classifier-adaptive": EXPORTERS,
    "classifier-final-sorted": ("legacy",), "attention-final": ("dynamo",), "attention-weights": ("legacy",),
    "self-attention": ("legacy",), "self-attention-other-axis": ("dynamo",), "self-attention-heads": EXPORTERS,
    "self-attention-block": ("dynamo",), "cell-loop": EXPORTERS, "greedy-bahdanau": ("dynamo",), "greedy-plain": ("legacy",), "las-pyramid": ("legacy",),
    "tutorial": EXPORTERS, "trevett": ("legacy",), "chatbot-concat": ("dynamo",), "chatbot-sorted": ("legacy",), "opennmt": EXPORTERS,
    "opennmt-rnn": ("legacy",), "allennlp-unsorted": ("legacy",), "fairseq-unsorted": ("legacy",), "stanza-sorted": ("legacy",),
    "joeynmt-unsorted": ("legacy",), "gru-cell-dot": EXPORTERS, "g2p": ("dynamo",), "one-hot": ("legacy",), "gnmt": ("legacy",), "mask-of-ids": ("legacy",),
    "external": ("dynamo",),
    "heads": ("dynamo",), "heads-normed": ("dynamo",), "heads-tanh": ("legacy",), "heads-before": ("dynamo",), "heads-greedy": ("dynamo",),
}


@contextlib.contextmanager
def silence():
    """The exporters print what they do, some of it from C++."""
    sys.stdout.flush()
    kept = [os.dup(1), os.dup(2)]
    with open(os.devnull, "w") as nothing:
        os.dup2(nothing.fileno(), 1)
        os.dup2(nothing.fileno(), 2)
        try:
            yield
        finally:
            sys.stdout.flush()
            for descriptor, copy in zip((1, 2), kept):
                os.dup2(copy, descriptor)
                os.close(copy)


def export(case, exporter, folder):
    """The files of a case, or None where the exporter cannot make one."""
    paths = []
    for key, file in case.files.items():
        path = folder / f"{case.name}.{exporter}.{key}.onnx"
        settings = dict(input_names=file.names, output_names=file.outputs)
        if case.opset:
            settings["opset_version"] = case.opset
        try:
            with silence():
                if exporter == "legacy":
                    axes = {} if case.fixed else {"dynamic_axes": file.axes}
                    torch.onnx.export(file.module, file.inputs, str(path), dynamo=False, **axes, **settings)
                else:
                    dynamic = torch.export.Dim.DYNAMIC
                    shapes = tuple({axis: dynamic for axis in file.axes.get(name, {})} for name in file.names)
                    shapes = {} if case.fixed else {"dynamic_shapes": shapes}
                    torch.onnx.export(file.module, file.inputs, str(path), dynamo=True, verbose=False,
                                      external_data=case.external, **shapes, **settings)
        except Exception:
            return None
        paths.append(path)
    return paths


def lengths_of(case):
    return None if case.lengths is None else np.array(case.lengths, np.int32)


def run_graph(case, path):
    """The outputs of the one graph, joined as cuseq joins heads; positions beyond a row's length are 0, as in cuseq."""
    file = case.files["model"]
    feeds = {name: value.numpy() for name, value in zip(file.names, file.inputs)}
    outputs = onnxruntime.InferenceSession(str(path)).run(None, feeds)
    if case.time_first:
        outputs = [np.ascontiguousarray(output.transpose(1, 0, 2)) for output in outputs]
    joined = np.concatenate(outputs, -1) if len(outputs) > 1 else outputs[0]
    for row, length in enumerate(case.lengths or []):
        if joined.ndim == 3:
            joined[row, length:] = 0
    return joined


def run_pair(case, paths):
    """Greedy decoding by hand: every step's output, the best of which is the next token."""
    encoder, step = (onnxruntime.InferenceSession(str(path)) for path in paths)
    first, second = case.files.values()
    given = encoder.run(None, {name: value.numpy() for name, value in zip(first.names, first.inputs)})
    given = dict(zip(first.outputs, given))
    feeds = {name: value.numpy() for name, value in zip(second.names, second.inputs)}
    for name in feeds:
        if name in given or "state_" + name in given:
            feeds[name] = given.get(name, given.get("state_" + name))
        elif name not in ("token", "mask"):
            feeds[name] = np.zeros_like(feeds[name])
    token, outputs = np.full(B, case.start), []
    for _ in range(case.steps):
        one_hot = feeds["token"].dtype == np.float32
        shape = feeds["token"].shape
        feeds["token"] = (np.eye(shape[-1])[token] if one_hot else token).reshape(shape).astype(feeds["token"].dtype)
        made = dict(zip(second.outputs, step.run(second.outputs, feeds)))
        feeds.update({name[5:]: value for name, value in made.items() if name.startswith("next_")})
        outputs.append(made["output"].reshape(B, -1))
        token = outputs[-1].argmax(-1)
    return np.stack(outputs, 1)


def expected(case, paths):
    return run_graph(case, paths[0]) if len(paths) == 1 else run_pair(case, paths)


def input_of(case):
    x = next(iter(case.files.values())).inputs[0].numpy()
    x = x.astype(np.int32) if x.dtype == np.int64 else x
    return np.ascontiguousarray(x.swapaxes(0, 1)) if case.time_first else x


def options_of(case, paths):
    return ["--start-token", str(case.start), "--steps", str(case.steps)] if len(paths) == 2 else []


# ---- what is kept --------------------------------------------------------------------------------------------------


def without_remarks(path):
    """dynamo's exporter writes the Python code of every node beside it, which is most of a small file."""
    model = onnx.load(str(path), load_external_data=False)
    for part in [model, model.graph, *model.graph.node, *model.graph.input, *model.graph.output, *model.graph.value_info]:
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    model.graph.ClearField("value_info")
    path.write_bytes(model.SerializeToString())


def keep(only):
    FOLDER.mkdir(exist_ok=True)
    lines = []
    for case in cases():
        for exporter in KEPT.get(case.name, ()):
            name = f"{case.name}.{exporter}"
            files = [f"{name}.{key}.onnx" for key in case.files]
            if not only or case.name in only:
                paths = export(case, exporter, FOLDER)
                for path in paths:
                    without_remarks(path)
                vector = {"input": input_of(case), "outputs": expected(case, paths).astype(np.float64)}
                if case.lengths:
                    vector["lengths"] = lengths_of(case)
                    if vector["outputs"].ndim == 3 and len(paths) == 1:
                        vector["output_lengths"] = lengths_of(case)
                np.savez(FOLDER / f"{name}.npz", **vector)
            steps = f"{case.start} {case.steps}" if len(files) == 2 else ""
            lines.append("\t".join([files[0], files[-1] if len(files) == 2 else "", f"{name}.npz", steps, case.expectation]))
    for graph in graphs():
        if not only or graph.name in only:
            onnx.save(graph.model(graph.layout), FOLDER / f"{graph.name}.onnx")
            vector = {"input": graph.feeds()["x"]}
            if graph.expectation == "same":
                session = onnxruntime.InferenceSession(graph.model(0).SerializeToString())
                vector["outputs"] = session.run(None, graph.feeds())[0].astype(np.float64)
            for row, length in enumerate(graph.lengths or []):
                vector["outputs"][row, length:] = 0
                vector["lengths"] = vector["output_lengths"] = np.array(graph.lengths, np.int32)
            np.savez(FOLDER / f"{graph.name}.npz", **vector)
        lines.append("\t".join([f"{graph.name}.onnx", "", f"{graph.name}.npz", "", graph.expectation]))
    for name, vector in onnx_keras.files(FOLDER, only):
        if vector is not None:
            without_remarks(FOLDER / f"{name}.onnx")
            np.savez(FOLDER / f"{name}.npz", **vector)
        lines.append("\t".join([f"{name}.onnx", "", f"{name}.npz", "", "same"]))
    (FOLDER / "index.tsv").write_text("".join(line + "\n" for line in lines))


# ---- counting ------------------------------------------------------------------------------------------------------


def judge(case, paths, cuseq, folder):
    """"equal", "refused" or "WRONG", and why."""
    model, given, out = folder / "model.safetensors", folder / "input.npy", folder / "out.npz"
    made = subprocess.run([cuseq, "convert", *map(str, paths), str(model), *options_of(case, paths)], capture_output=True, text=True)
    if made.returncode == 2:
        return "refused", made.stderr.strip().replace(str(folder) + "/", "")
    if made.returncode != 0:
        return "WRONG", f"exit status {made.returncode}: {made.stderr.strip()}"
    np.save(given, input_of(case))
    command = [cuseq, "run", str(model), str(given), "-o", str(out), "--device", "cpu"]
    if case.lengths:
        np.save(folder / "lengths.npy", lengths_of(case))
        command += ["--lengths", str(folder / "lengths.npy")]
    ran = subprocess.run(command, capture_output=True, text=True)
    if ran.returncode != 0:
        return "WRONG", "it converts, but does not run: " + ran.stderr.strip()
    want = expected(case, paths)
    got = np.load(out)["outputs"]
    if got.size != want.size:
        return "WRONG", f"{got.shape} for {want.shape}"
    error = np.abs(got.reshape(want.shape) - want).max()
    return ("equal" if error <= TOLERANCE else "WRONG"), f"largest difference {error:.1e}"


def count(cuseq, only, folder):
    counts, files = collections.Counter(), collections.Counter()
    for case in cases():
        for exporter in EXPORTERS:
            if (only and case.name not in only) or (exporter == "dynamo" and case.legacy_only):
                continue
            paths = export(case, exporter, folder)
            if paths is None:
                print(f"{case.name} {exporter}: PyTorch cannot export it")
                continue
            verdict, why = judge(case, paths, cuseq, folder)
            counts[verdict] += 1
            files[verdict] += len(paths)
            if verdict != "equal" or only:
                print(f"{case.name} {exporter}: {verdict}: {why}")
    total = sum(counts.values())
    print(f"{total} models of PyTorch {torch.__version__} in {sum(files.values())} files: {counts['equal']} equal ({files['equal']} files), "
          f"{counts['refused']} refused ({files['refused']} files), {counts['WRONG']} WRONG")
    return counts["WRONG"] == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", metavar="CUSEQ")
    parser.add_argument("--keep", metavar="FOLDER")
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    if not arguments.count:
        keep(arguments.names)
        return 0
    if arguments.keep:
        folder = pathlib.Path(arguments.keep)
        folder.mkdir(parents=True, exist_ok=True)
        return not count(arguments.count, arguments.names, folder)
    with tempfile.TemporaryDirectory() as folder:
        return not count(arguments.count, arguments.names, pathlib.Path(folder))


if __name__ == "__main__":
    sys.exit(main())
