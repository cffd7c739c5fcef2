"""Requests for serving/load, and what they are to be answered with."""

import json
import subprocess

import numpy
import server as triton

DATATYPES = {"int32": "INT32", "int64": "INT64", "float32": "FP32"}


class Prepared:
    """A file of requests (serving/load/requests.h)."""

    def __init__(self):
        self.records = []

    def add(self, inputs, output, status, expected, parameters=None):
        """inputs {name: list of texts, or array}; expected: the bytes of the output, or what the error contains."""
        described, data = [], b""
        for name, value in inputs.items():
            if isinstance(value, list):
                entry = {"shape": [len(value), 1], "datatype": "BYTES"}
                raw = triton.pack(value)
            else:
                entry = {"shape": list(value.shape), "datatype": DATATYPES[value.dtype.name]}
                raw = value.tobytes()
            described.append({"name": name, **entry, "parameters": {"binary_data_size": len(raw)}})
            data += raw
        wanted = {"name": output, "parameters": {"binary_data": True}}
        request = {"inputs": described, "outputs": [wanted], **({"parameters": parameters} if parameters else {})}
        head = json.dumps(request).encode()
        sizes = b"%d %d %d %d\n" % (status, len(head), len(head) + len(data), len(expected))
        self.records.append(sizes + head + data + expected)

    def write(self, path):
        path.write_bytes(b"".join(self.records))
        return path


def load_command(build, port, model, path, connections, requests):
    """The command that sends them."""
    program = build / "serving" / "http_load"
    return [program, str(port), f"/v2/models/{model}/infer", path, str(connections), str(requests)]


def load(build, port, model, path, connections, requests):
    """Sends them; returns what the program says of it."""
    command = load_command(build, port, model, path, connections, requests)
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stderr
    return json.loads(done.stdout), done.stderr


def translated(build, model, texts, *options):
    """What the program makes of texts."""
    command = [build / "cuseq", "translate", model, "-", "--device", "cpu", *options]
    done = subprocess.run(command, input="\n".join(texts) + "\n", capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def computed(build, model, rows, lengths, folder, *options):
    """What the program makes of arrays: ids, or features."""
    numpy.save(folder / "rows.npy", rows)
    numpy.save(folder / "lengths.npy", lengths)
    command = [
        build / "cuseq",
        "run",
        model,
        "rows.npy",
        "--lengths",
        "lengths.npy",
        "--device",
        "cpu",
        "-o",
        "out.npz",
    ]
    subprocess.run([*command, *options], cwd=folder, check=True, capture_output=True)
    return dict(numpy.load(folder / "out.npz"))
