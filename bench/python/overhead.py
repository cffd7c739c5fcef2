"""What a call from Python costs: beside the same call from C, by ctypes, and beside the frameworks' own calls.

    ./run bench python [--python PYTHON]... [--rounds N] [--only overhead|peers|import]

W1 (dense input, batch 5, attention, one step) and W2 B1 (the date model, one text) of docs/performance.md, one thread.

overhead  Each way of calling takes its turn in each round; a round's figure is the best of some thousand calls, by the
          thread's own clock, and the table has the median of the rounds. C is a loop of C around cuseq_run with arrays
          that are there; each way is held against C with the same results.
peers     The same models in ONNX Runtime, Keras and PyTorch, each called from its own Python, verified and timed as
          ./run bench frameworks does. --python names an interpreter that has some of them, beside those which that command
          fetches; what none has is not there.
import    What `import cuseq` takes behind `import numpy`, of a process that has both compiled.
"""

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
FRAMEWORKS = HERE.parent / "frameworks"
sys.path.insert(0, str(FRAMEWORKS))

import numpy as np
from ccall import Calls
from frameworks import machine, make_data, output_of
from measure import Cell, measure, open_all
from peers import Peer
from workload import read_workload

import cuseq

CALLS = 100
WORKLOADS = {"W1": ("annotations", "context"), "W2 B1": ("outputs", "tokens")}
ALLOWED_MICROSECONDS = 3.0
ALLOWED_IMPORT_MILLISECONDS = 15.0
TARGETS = {"ONNX Runtime": 5.0, "Keras compiled": 10.0, "PyTorch compiled": 10.0}


def best(call: Callable[[], object]) -> float:
    """Microseconds of a call."""
    least = float("inf")
    for _ in range(20):
        start = time.thread_time()
        for _ in range(CALLS):
            call()
        least = min(least, (time.thread_time() - start) / CALLS)
    return least * 1e6


def best_of_c(loop: Callable[..., float], arguments: tuple) -> float:
    """The same of the loop of C."""
    times = [loop(*arguments, CALLS) for _ in range(20)]
    assert min(times) >= 0.0
    return min(times) * 1e6


def ways_of(
    build: Path, path: Path, x: np.ndarray, wanted: tuple[str, ...]
) -> dict[str, tuple[str, Callable[[], float]]]:
    """By name: what it is held against, and what gives a round's figure."""
    model, calls = cuseq.load(path), Calls(build, path, x)
    some, every = model(x, arrays=wanted, device="cpu"), model(x, device="cpu")
    session = model.session(max_batch=len(x), max_time=x.shape[1], threads=1, device="cpu")
    out = {name: np.empty_like(array) for name, array in some.items()}
    of_some, of_every = calls.arguments(some), Calls(build, path, x)
    of_all = of_every.arguments(every)
    run = calls.library.cuseq_run
    return {
        "C": ("C", lambda: best_of_c(calls.loop, of_some)),
        "ctypes": ("C", lambda: best(lambda: run(*of_some))),
        "session.run(x, out=)": ("C", lambda: best(lambda: session.run(x, None, 0, wanted, out=out))),
        "session.run(x)": ("C", lambda: best(lambda: session.run(x, None, 0, wanted))),
        "m(x)": ("C", lambda: best(lambda: model(x, arrays=wanted, threads=1, device="cpu"))),
        "C, every array": ("C, every array", lambda: best_of_c(of_every.loop, of_all)),
        "m(x), every array": ("C, every array", lambda: best(lambda: model(x, threads=1, device="cpu"))),
    }


def print_overhead(build: Path, data: Path, rounds: int) -> bool:
    """The table of each workload; whether what is to be reached is."""
    reached = True
    for name, wanted in WORKLOADS.items():
        x = np.ascontiguousarray(read_workload(data, name).input)
        ways = ways_of(build, data / name / "model.safetensors", x, wanted)
        times = [{way: figure() for way, (_, figure) in ways.items()} for _ in range(rounds)]
        print(f"\n{name:24} {'us':>8} {'over C':>8}")
        for way, (against, _) in ways.items():
            more = statistics.median(one[way] - one[against] for one in times)
            print(f"{way:24} {statistics.median(one[way] for one in times):8.2f} {more:+8.2f}")
            reached = reached and (not way.startswith("m(x)") or more < ALLOWED_MICROSECONDS)
    print(f"m(x) over the C call, under {ALLOWED_MICROSECONDS} us: {'reached' if reached else 'missed'}")
    return reached


def peers_of(build: Path, pythons: list[str]) -> list[Peer]:
    """cuseq from this Python, and of each framework the first interpreter that has it."""
    found = [Peer("cuseq", (sys.executable, str(HERE / "worker_python.py")), "", "", workloads=tuple(WORKLOADS))]
    for system, module, worker, variant in (
        ("ONNX Runtime", "onnxruntime", "worker_onnx.py", "exported"),
        ("Keras compiled", "tensorflow", "worker_keras.py", "call"),
        ("PyTorch compiled", "torch", "worker_torch.py", "compiled"),
    ):
        asked = f"import importlib.util as u, sys; sys.exit(u.find_spec({module!r}) is None)"
        having = (
            p for p in pythons if Path(p).exists() and subprocess.run([p, "-c", asked], check=False).returncode == 0
        )
        python = next(having, None)
        if python is None:
            print(f"{system}: not there (no interpreter has {module}; --python names one)")
            continue
        found.append(
            Peer(system, (python, str(FRAMEWORKS / worker)), "", "", arguments=(variant,), workloads=tuple(WORKLOADS))
        )
    return found


def print_peers(build: Path, data: Path, pythons: list[str], rounds: int) -> bool:
    """The frameworks' times beside ours; whether what is to be reached is, as far as it could be looked."""
    print("\ncalled from Python, one thread")
    log, versions = data.parent / "log", {}
    log.write_text("")
    cells, workers = open_all(peers_of(build, pythons), data, 1, tuple(WORKLOADS), log, versions)
    for _ in measure(cells, workers, rounds):
        pass
    for worker in workers.values():
        worker.close()
    ours = {cell.workload: cell.median for cell in cells if cell.system == "cuseq"}
    reached = True
    print(f"{'':28} {'us':>10} {'times':>8}")
    for cell in cells:
        reached = reached and print_cell(cell, ours[cell.workload], versions.get(cell.system, ""))
    return reached


def print_cell(cell: Cell, ours: float | None, version: str) -> bool:
    """One row; false where it misses its target."""
    name = f"{cell.workload} {cell.system} {version}"
    if cell.median is None or not ours:
        print(f"{name:28} {cell.reason or 'not timed'}")
        return True
    times, target = cell.median / ours, TARGETS.get(cell.system)
    judged = target is not None and cell.workload == "W2 B1"
    verdict = "" if not judged else f"  at least {target:.0f}x: {'reached' if times >= target else 'missed'}"
    print(f"{name:28} {cell.median:10.1f} {times:7.1f}x{verdict}")
    return not judged or times >= target


def import_milliseconds(module: str, folder: str) -> float:
    program = "import time, numpy; start = time.perf_counter(); import {}; print(time.perf_counter() - start)"
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": folder}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, "-c", program.format(module)]
    ran = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return float(ran.stdout) * 1e3


def print_import(rounds: int) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        import_milliseconds("cuseq", folder)  # compiles it
        times = [import_milliseconds("cuseq", folder) for _ in range(rounds)]
    median = statistics.median(times)
    reached = median < ALLOWED_IMPORT_MILLISECONDS
    print(
        f"\nimport cuseq beyond numpy: {median:.1f} ms, {min(times):.1f} to {max(times):.1f}; under "
        f"{ALLOWED_IMPORT_MILLISECONDS:.0f} ms: {'reached' if reached else 'missed'}"
    )
    return reached


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="./run bench python", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("build", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--python", action="append", default=[], metavar="PYTHON", help="has some of the frameworks")
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--only", choices=("overhead", "peers", "import"), help="only that part")
    given = parser.parse_args()
    build = given.build.resolve()
    data = build / "frameworks" / "data"
    make_data(build / "bench", data)
    print(
        f"# {machine(build / 'cuseq')}; load {os.getloadavg()[0]:.1f}; commit {output_of('git', 'describe', '--always', '--dirty')}"
    )
    print(f"# cuseq {cuseq.__version__}, Python {platform.python_version()}, numpy {np.__version__}")
    parts = {
        "overhead": lambda: print_overhead(build, data, given.rounds),
        "peers": lambda: print_peers(
            build, data, [*given.python, str(build / "frameworks/venv/bin/python")], given.rounds
        ),
        "import": lambda: print_import(given.rounds),
    }
    for name, part in parts.items():
        if given.only in (None, name):
            part()
    return 0


if __name__ == "__main__":
    sys.exit(main())
