"""Verifying and timing: every peer is held to the float64 reference, then all are timed in interleaved rounds."""

import json
import math
import re
import statistics
import tempfile
import time
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from peers import WORKLOADS, Peer
from process import Failure, Worker

SECONDS = 0.02  # calls of a round
QUIET_SECONDS = 0.01  # after a call, until its threads sleep
CELL_SECONDS = 8.0  # what takes longer in all is timed in fewer rounds, but not in fewer than
LEAST_ROUNDS = 3


@dataclass
class Cell:
    """One workload on one system with so many threads: the rounds' times, or the reason why there are none."""

    workload: str
    system: str
    threads: int
    times: list[float] = field(default_factory=list)
    error: float | None = None
    allowed: float | None = None
    reason: str | None = None

    @property
    def median(self) -> float | None:
        """Microseconds, or None."""
        return statistics.median(self.times) if self.times else None


def worst_error(got: array, want: array) -> float:
    """The largest |got - want| / max(1, |want|); infinite where sizes differ or anything is NaN."""
    if len(got) != len(want):
        return math.inf
    worst = 0.0
    for a, b in zip(got, want):
        error = abs(a - b) / max(1.0, abs(b))
        if not error <= worst:
            worst = error if error > worst else math.inf
    return worst


def read_floats(path: Path) -> array:
    """A raw float32 file."""
    values = array("f")
    values.frombytes(path.read_bytes())
    return values


def verify(worker: Worker, cell: Cell, data: Path) -> None:
    """Opens the workload at the worker and judges what it makes of it, array by array. The cell keeps the array that is
    nearest to what it is allowed."""
    with tempfile.NamedTemporaryFile() as results:
        worker.ask("open", cell.workload, results.name)
        got = read_floats(Path(results.name))
    want = read_floats(data / cell.workload / "reference")
    judged = json.loads((data / cell.workload / "shape").read_text())["judged"]
    worst, first = -1.0, 0
    for name, count, *each in judged:
        allowed = each[worker.peer.bf16]
        whole = len(got) == len(want)
        error = worst_error(got[first : first + count], want[first : first + count]) if whole else math.inf
        share = error / allowed if allowed > 0.0 else (0.0 if error == 0.0 else math.inf)
        if share > worst:
            worst, cell.error, cell.allowed = share, error, allowed
        if not share <= 1.0 and not cell.reason:
            cell.reason = f"wrong results: {name}: error {error:.2g}, allowed {allowed:.2g}; not timed"
        first += count


def open_all(
    peers: list[Peer],
    data: Path,
    threads: int,
    workloads: tuple[str, ...],
    log: Path,
    versions: dict[str, str],
) -> tuple[list[Cell], dict[str, Worker]]:
    """A worker for every peer, verified; cells of those that fail have the reason."""
    cells, workers = [], {}
    for peer in peers:
        mine = [Cell(name, peer.system, threads) for name in peer.workloads if name in workloads]
        if not mine:
            continue
        cells += mine
        try:
            worker = Worker(peer, data, threads, log)
        except Failure as failure:
            for cell in mine:
                cell.reason = str(failure)
            continue
        versions[peer.system] = re.sub(r"^\D*", "", worker.version) or "-"
        workers[peer.system] = worker
        for cell in mine:
            try:
                verify(worker, cell, data)
            except Failure as failure:
                cell.reason = str(failure)
    return cells, workers


def wanted(cell: Cell, rounds: int) -> bool:
    """Whether the cell is to be timed in the next round."""
    if cell.reason:
        return False
    enough = len(cell.times) >= LEAST_ROUNDS and sum(cell.times) * 1e-6 > CELL_SECONDS
    return len(cell.times) < rounds and not enough


def measure(cells: list[Cell], workers: dict[str, Worker], rounds: int) -> Iterator[int]:
    """Times every cell once in each round, all systems of a workload one after the other. Gives the round's number."""
    for number in range(rounds):
        yield number
        for name in WORKLOADS:
            for cell in cells:
                if cell.workload != name or not wanted(cell, rounds):
                    continue
                time.sleep(QUIET_SECONDS)
                try:
                    cell.times.append(float(workers[cell.system].ask("time", name, str(SECONDS))[0]))
                except Failure as failure:
                    cell.reason = str(failure)
