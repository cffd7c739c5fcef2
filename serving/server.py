"""Triton Inference Server on this machine, from the package nvidia-pytriton, with cuseq's backend.

For ./run serve, tests and benchmarks. Python's standard library alone."""

import glob
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import time

READY_SECONDS = 60


class ServerError(Exception):
    """The server does not run; the text says why."""


def find(build):
    """The folder of the server's package, where ./run has put it; None where it is not there."""
    found = glob.glob(f"{build}/tritonserver/lib/python3*/site-packages/pytriton/tritonserver")
    return pathlib.Path(found[0]) if found else None


def free_port():
    """The first of three ports in a row that nobody listens on."""
    for _ in range(100):
        sockets = []
        try:
            sockets.append(socket.create_server(("127.0.0.1", 0)))
            first = sockets[0].getsockname()[1]
            sockets += [socket.create_server(("127.0.0.1", first + i)) for i in (1, 2)]
            return first
        except (OSError, OverflowError):
            continue
        finally:
            for each in sockets:
                each.close()
    raise ServerError("there are no three free ports in a row")


def write_entry(repository, name, model, config=None, version=1):
    """An entry of a repository: NAME/VERSION/model.safetensors and NAME/config.pbtxt.

    config  None: the least there is"""
    folder = pathlib.Path(repository) / name / str(version)
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / ".model"
    shutil.copyfile(model, partial)
    os.replace(partial, folder / "model.safetensors")
    (folder.parent / "config.pbtxt").write_text('backend: "cuseq"\n' if config is None else config)


def pack(texts):
    """A BYTES tensor."""
    encoded = [text.encode() if isinstance(text, str) else text for text in texts]
    return b"".join(struct.pack("<I", len(text)) + text for text in encoded)


class Server:
    """A running server. It ends with close(), or at the end of a `with`."""

    def __init__(self, build, repository, port=None, options=(), log=None, backends=None):
        home = find(build)
        if not home:
            raise ServerError("Triton's package is not there (./run serve and ./run test-serving fetch it)")
        program = home / "bin" / "tritonserver"
        if not os.access(program, os.X_OK):
            program.chmod(0o755)
        self.port = port or free_port()
        backends = backends or pathlib.Path(build, "backends").resolve()
        command = [program, f"--model-repository={repository}", f"--backend-directory={backends}"]
        for index, kind in enumerate(("http", "grpc", "metrics")):
            command += [f"--{kind}-port={self.port + index}", f"--{kind}-address=127.0.0.1"]
        command += ["--pinned-memory-pool-byte-size=0", "--allow-gpu-metrics=false", *options]
        if not log:
            self.process = subprocess.Popen(command)
            return
        with open(log, "wb") as output:
            self.process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)

    def wait(self):
        """Until it is live, which it is with models that could not be loaded, too."""
        end = time.monotonic() + READY_SECONDS
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise ServerError(f"the server ended with status {self.process.returncode}")
            try:
                if self.get("/v2/health/live")[0] == 200:
                    return self
            except OSError:
                time.sleep(0.05)
        raise ServerError(f"the server is not live after {READY_SECONDS} seconds")

    def exchange(self, method, path, body=None, headers=None, port=None):
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=60)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def get(self, path, port=None):
        return self.exchange("GET", path, port=port)

    def post(self, path, value=None):
        """Posts JSON; returns the status, and what was answered as JSON."""
        status, body = self.exchange("POST", path, json.dumps({} if value is None else value))
        return status, json.loads(body) if body else {}

    def infer(self, model, inputs, outputs=None, parameters=None):
        """inputs {name: (datatype, shape, data)}; returns the status and {name: (shape, data)}, or the error's text."""
        request = {
            "inputs": [
                {"name": name, "datatype": datatype, "shape": list(shape), "data": data}
                for name, (datatype, shape, data) in inputs.items()
            ]
        }
        if outputs is not None:
            request["outputs"] = [{"name": name} for name in outputs]
        if parameters:
            request["parameters"] = parameters
        status, answer = self.post(f"/v2/models/{model}/infer", request)
        if status != 200:
            return status, answer.get("error", "")
        return status, {each["name"]: (each["shape"], each["data"]) for each in answer["outputs"]}

    def texts(self, model, texts, outputs=("TEXT",), parameters=None):
        return self.infer(model, {"TEXT": ("BYTES", [len(texts), 1], list(texts))}, outputs, parameters)

    def load(self, model, parameters=None):
        """(Re)loads a model of a server that runs with --model-control-mode=explicit."""
        value = {"parameters": parameters} if parameters else None
        return self.post(f"/v2/repository/models/{model}/load", value)

    def unload(self, model):
        return self.post(f"/v2/repository/models/{model}/unload")

    def statistics(self, model):
        return json.loads(self.get(f"/v2/models/{model}/stats")[1])["model_stats"][0]

    def metrics(self):
        return self.get("/metrics", port=self.port + 2)[1].decode()

    def memory(self):
        """Resident bytes."""
        with open(f"/proc/{self.process.pid}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def close(self):
        """Ends it as an operator does; returns its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
        return self.process.wait()

    def __enter__(self):
        return self.wait()

    def __exit__(self, *ignored):
        self.close()
