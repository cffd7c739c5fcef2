"""What worker.c is, for the peers written in Python: orders on stdin, answers on stdout."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from workload import Workload, read_workload

# A peer's open: gives the call that is timed, and what makes of its result the arrays that are verified, batch first: those
# that the workload names in `judged`.
Opened = tuple[Callable[[], object], Callable[[object], list[np.ndarray]]]


def write_results(workload: Workload, arrays: list[np.ndarray], path: str) -> None:
    """Writes the verified rows of the arrays."""
    with open(path, "wb") as file:
        for array in arrays:
            file.write(np.ascontiguousarray(np.asarray(array)[workload.rows()], np.float32).tobytes())


def time_call(call: Callable[[], object], seconds: float) -> tuple[float, int]:
    """The best call in microseconds, and how many there were."""
    best, calls, start = 1e9, 0, time.perf_counter()
    end = start
    while end - start < seconds or (calls < 2 and end - start < 0.1):
        before = time.perf_counter()
        call()
        end = time.perf_counter()
        best = min(best, end - before)
        calls += 1
    return best * 1e6, calls


def serve(name: str, open_model: Callable[[Workload], Opened], data: str) -> None:
    """Answers orders until stdin ends. Libraries that print do so to stderr."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    print(f"ready {name}", file=answers, flush=True)
    calls: dict[str, Callable[[], object]] = {}
    for line in sys.stdin:
        order, workload_name, rest = line.rstrip("\n").split("\t")
        try:
            if order == "open":
                workload = read_workload(Path(data), workload_name)
                call, results = open_model(workload)
                write_results(workload, results(call()), rest)
                calls[workload_name] = call
                answer = "ok"
            else:
                best, count = time_call(calls[workload_name], float(rest))
                answer = f"ok {best:.3f} {count}"
        except (
            Exception
        ) as problem:  # whatever the library raises is this peer's answer, not the end of the bench
            answer = f"error {workload_name}: {type(problem).__name__}: {str(problem).splitlines()[:1]}"
        print(answer, file=answers, flush=True)
