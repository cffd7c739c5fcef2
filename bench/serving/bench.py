"""How many requests a second servers of the date model answer, and how fast.

    bench.py BUILD PYTHON [--rounds N] [--json FILE]

PYTHON is an interpreter that has bench/serving/requirements.txt. Client and servers share this machine. Every
answer is compared with what `cuseq translate` makes of the text; servers take their turns in each round, and the
tables have the medians of the rounds, with the smallest and the largest beside them."""

import argparse
import json
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "serving"))

import server as triton  # noqa: E402

MODEL = ROOT / "models" / "dates.safetensors"
TEXTS = [line.split("\t")[0] for line in (ROOT / "tests/golden/dates.tsv").read_text().splitlines()]
SHAPES = ((1, 1, 2000), (64, 1, 10000), (64, 32, 1000))  # connections, texts a request, requests
CURVE = (1, 2, 4, 8, 16, 32, 64)
VERSION = "import sys; print('%d.%d' % sys.version_info[:2])"
ONE_THREAD = 'backend: "cuseq"\nparameters { key: "threads" value { string_value: "1" } }\n'
PYTHON = """backend: "python"
max_batch_size: 64
input { name: "TEXT" data_type: TYPE_STRING dims: 1 }
output { name: "TEXT" data_type: TYPE_STRING dims: 1 }
dynamic_batching { }
"""


def groups(build, rows):
    """Texts and their translations, so many together."""
    command = [build / "cuseq", "translate", MODEL, "-", "--device", "cpu"]
    done = subprocess.run(command, input="\n".join(TEXTS) + "\n", capture_output=True, text=True, check=True)
    pairs = list(zip(TEXTS, done.stdout.splitlines(), strict=True))
    for first in range(len(pairs)):
        chosen = [pairs[(first + k) % len(pairs)] for k in range(rows)]
        yield [text for text, _ in chosen], [wanted for _, wanted in chosen]


def record(head, data, expected):
    return b"200 %d %d %d\n" % (len(head) if data else 0, len(head) + len(data), len(expected)) + head + data + expected


def binary_request(texts, wanted):
    data = triton.pack(texts)
    entry = {"name": "TEXT", "shape": [len(texts), 1], "datatype": "BYTES"}
    entry["parameters"] = {"binary_data_size": len(data)}
    request = {"inputs": [entry], "outputs": [{"name": "TEXT", "parameters": {"binary_data": True}}]}
    return record(json.dumps(request).encode(), data, triton.pack(wanted))


def json_request(texts, wanted):
    entry = {"name": "TEXT", "shape": [len(texts), 1], "datatype": "BYTES", "data": texts}
    request = {"inputs": [entry], "outputs": [{"name": "TEXT"}]}
    expected = '"data":' + json.dumps(wanted, separators=(",", ":")) + "}]}"
    return record(json.dumps(request).encode(), b"", expected.encode())


def fastapi_request(texts, wanted):
    expected = json.dumps({"texts": wanted}, separators=(",", ":"))
    return record(json.dumps({"texts": texts}).encode(), b"", expected.encode())


class Case:
    """A server with a way to ask it."""

    def __init__(self, name, port, path, make):
        self.name, self.port, self.path, self.make = name, port, path, make

    def measure(self, build, folder, connections, rows, requests):
        file = folder / f"{self.make.__name__}.{rows}"
        if not file.exists():
            file.write_bytes(b"".join(self.make(*group) for group in groups(build, rows)))
        command = [build / "serving" / "http_load", str(self.port), self.path, file, str(connections), str(requests)]
        done = subprocess.run(command, capture_output=True, text=True)
        result = json.loads(done.stdout or "{}")
        if done.returncode != 0:
            sys.exit(f"bench: {self.name}: {done.stdout}{done.stderr}")
        return result


def make_servers(build, python, folder):
    """Triton with both backends, and FastAPI; returns them and the cases."""
    repository = folder / "repository"
    triton.write_entry(repository, "dates", MODEL)
    triton.write_entry(repository, "one_thread", MODEL, ONE_THREAD)
    triton.write_entry(repository, "in_python", MODEL, PYTHON)
    (repository / "in_python" / "1" / "model.py").write_bytes((HERE / "model.py").read_bytes())
    backends = folder / "backends"
    home = triton.find(build)
    shutil.copytree(home / "backends" / "python", backends / "python")
    version = subprocess.run([python, "-c", VERSION], capture_output=True, text=True, check=True).stdout.strip()
    stub = home / "python_backend_stubs" / version / "triton_python_backend_stub"
    stub.chmod(0o755)
    (backends / "python" / stub.name).symlink_to(stub)  # it finds its libraries from where it lies
    (backends / "cuseq").symlink_to(build / "backends" / "cuseq")
    packages = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], capture_output=True, text=True
    ).stdout.strip()
    os.environ["CUSEQ_PACKAGES"] = os.environ["PYTHONPATH"] = os.pathsep.join([str(build / "python"), packages])
    os.environ["CUSEQ_MODEL"] = str(MODEL)
    port = triton.free_port()
    command = [python, "-m", "uvicorn", "application:app", "--port", str(port), "--log-level", "warning"]
    with open(folder / "fastapi.log", "wb") as log:
        other = subprocess.Popen([*command, "--no-access-log"], cwd=HERE, stdout=log, stderr=subprocess.STDOUT)
    running = triton.Server(build, repository, log=folder / "triton.log", backends=backends)
    cases = [
        Case("cuseq", running.port, "/v2/models/dates/infer", binary_request),
        Case("cuseq, JSON", running.port, "/v2/models/dates/infer", json_request),
        Case("Python backend", running.port, "/v2/models/in_python/infer", binary_request),
        Case("FastAPI", port, "/translate", fastapi_request),
    ]
    return running, other, cases


def wait_for(running, other, cases):
    running.wait()
    for name in ("dates", "one_thread", "in_python"):
        if running.get(f"/v2/models/{name}/ready")[0] != 200:
            sys.exit(f"bench: {name} is not ready (build/serving/bench/triton.log says why)")
    for _ in range(600):
        try:
            if running.exchange("GET", "/docs", port=cases[-1].port)[0] == 200:
                return
        except OSError:
            pass
        if other.poll() is not None:
            break
        time.sleep(0.1)
    sys.exit("bench: FastAPI does not answer (build/serving/bench/fastapi.log says why)")


def middle(values):
    return statistics.median(values), min(values), max(values)


def print_table(results, cases):
    print("# connections  texts  server            requests/s (min, max)      texts/s   p50 us   p99 us   cuseq is")
    for shape in SHAPES:
        base = statistics.median(each["requests_per_second"] for each in results[cases[0].name, shape])
        for case in cases:
            found = results[case.name, shape]
            rate, low, high = middle([each["requests_per_second"] for each in found])
            p50, p99 = (statistics.median(each[key] for each in found) for key in ("p50_us", "p99_us"))
            line = f"{shape[0]:13d} {shape[1]:6d}  {case.name:16s} {rate:9.0f} ({low:.0f}, {high:.0f})".ljust(62)
            print(f"{line} {rate * shape[1]:8.0f} {p50:8.0f} {p99:8.0f} {base / rate:8.1f} x")


def run(build, python, rounds):
    folder = build / "serving" / "bench"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    running, other, cases = make_servers(build, python, folder)
    results, curve = {}, {}
    try:
        wait_for(running, other, cases)
        alone = Case("one thread", running.port, "/v2/models/one_thread/infer", binary_request)
        for case in [*cases, alone]:
            case.measure(build, folder, 8, 1, 500)
        for _ in range(rounds):
            for shape in SHAPES:
                for case in cases:
                    slow = 1 if case.name.startswith("cuseq") else 10
                    found = case.measure(build, folder, shape[0], shape[1], max(shape[2] // slow, 100))
                    results.setdefault((case.name, shape), []).append(found)
            for rows in CURVE:
                found = alone.measure(build, folder, 2, rows, 1000)
                curve.setdefault(rows, []).append(found)
    finally:
        running.close()
        other.terminate()
        other.wait()
    return results, curve, cases


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("python")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=pathlib.Path)
    arguments = parser.parse_args()
    load_before = os.getloadavg()[0]
    results, curve, cases = run(arguments.build.resolve(), os.path.abspath(arguments.python), arguments.rounds)
    print(
        f"# {platform.machine()}, {os.cpu_count()} processors, load {load_before:.1f} before, {arguments.rounds} rounds"
    )
    print_table(results, cases)
    print("# an instance of one thread, two connections\n# texts a request   requests/s    texts/s   p50 us")
    for rows, found in curve.items():
        rate = statistics.median(each["requests_per_second"] for each in found)
        p50 = statistics.median(each["p50_us"] for each in found)
        print(f"{rows:17d} {rate:12.0f} {rate * rows:10.0f} {p50:8.0f}")
    if arguments.json:
        listed = [{"server": name, "connections": s[0], "texts": s[1], "rounds": r} for (name, s), r in results.items()]
        arguments.json.write_text(json.dumps({"load": load_before, "cases": listed, "curve": curve}, indent=1) + "\n")


if __name__ == "__main__":
    main()
