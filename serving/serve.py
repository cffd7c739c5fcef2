"""./run serve: a server on loopback with a repository made for the models given."""

import argparse
import json
import pathlib
import re
import shutil
import signal
import sys

import server as triton

TEXTS = ("3 May 1979", "hello", "a", "1", "the")


def curl_line(server, model):
    """A request that the server has answered, as a line for the shell."""
    config = json.loads(server.get(f"/v2/models/{model}/config")[1])
    inputs = {each["name"]: each for each in config["input"]}
    outputs = [each["name"] for each in config["output"]]
    wanted = next(name for name in ("TEXT", "TOKENS", "OUTPUTS", *outputs) if name in outputs)
    asked = []
    if "TEXT" in inputs:
        asked += [{"name": "TEXT", "datatype": "BYTES", "shape": [1, 1], "data": [text]} for text in TEXTS]
    if "INPUT" in inputs:
        entry = inputs["INPUT"]
        dims = [3 if int(dim) < 0 else int(dim) for dim in entry["dims"]]
        count = 1
        for dim in dims:
            count *= dim
        datatype = entry["data_type"].removeprefix("TYPE_")
        asked.append({"name": "INPUT", "datatype": datatype, "shape": [1, *dims], "data": [0] * count})
    for each in asked:
        request = {"inputs": [each], "outputs": [{"name": wanted}]}
        if server.post(f"/v2/models/{model}/infer", request)[0] == 200:
            return f"curl -s localhost:{server.port}/v2/models/{model}/infer -d '{json.dumps(request)}'"
    return f"curl -s localhost:{server.port}/v2/models/{model}/config"


def make_repository(folder, models):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    names = []
    for model in map(pathlib.Path, models):
        name = re.sub(r"[^A-Za-z0-9_.-]", "_", model.stem)
        if not model.is_file():
            sys.exit(f"run: {model}: there is no such file")
        if name in names:
            sys.exit(f"run: {model}: there are two models of the name {name}")
        triton.write_entry(folder, name, model)
        names.append(name)
    return names


def main():
    parser = argparse.ArgumentParser(prog="./run serve", description=__doc__)
    parser.add_argument("build")
    parser.add_argument("models", nargs="*", metavar="MODEL", default=["models/dates.safetensors"])
    parser.add_argument("--port", type=int, default=8000, help="of HTTP; gRPC and metrics have the next two")
    arguments = parser.parse_args()
    folder = pathlib.Path(arguments.build, "serving", "repository").resolve()
    names = make_repository(folder, arguments.models)
    server = triton.Server(arguments.build, folder, port=arguments.port, options=["--exit-on-error=false"])
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        server.wait()
        print("\nIt serves until it is interrupted. From another terminal:\n")
        for name in names:
            print(curl_line(server, name))
        print(f"curl -s localhost:{server.port + 2}/metrics\n", flush=True)
        status = server.process.wait()
    except triton.ServerError as error:
        sys.exit(f"run: {error}")
    except KeyboardInterrupt:
        status = 0
    finally:
        server.close()
    sys.exit(status)


if __name__ == "__main__":
    main()
