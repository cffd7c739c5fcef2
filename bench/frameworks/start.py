"""From process start to the first answer, and the most memory on the way: a fresh process for every figure."""

import statistics
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from peers import OURS, Peer

TEXT, ANSWER = "3 May 1979", "1979-05-03"
FIRST = "W2 B1"


@dataclass
class Start:
    """One program: milliseconds of each process, its peak memory, or the reason why there is none."""

    system: str
    times: list[float] = field(default_factory=list)
    peak_mb: float = 0.0
    reason: str | None = None

    @property
    def median(self) -> float:
        """Milliseconds."""
        return statistics.median(self.times)


@dataclass(frozen=True)
class Program:
    """What is started: its command, what it reads, and the line that its last output must be."""

    system: str
    command: list[str]
    orders: str
    answer: str
    environment: dict[str, str]


def programs_of(peers: list[Peer], programs: Path, data: Path, model: Path, results: str) -> list[Program]:
    """cuseq by command line and from C read a date; the others open W2 B1, the same model with random weights."""
    ours = peers[0].settings(1)
    command = [str(programs.parent / "cuseq"), "translate", str(model), TEXT]
    listed = [
        Program("cuseq, command line", command, "", ANSWER, ours),
        Program("cuseq, C", [str(programs / "bench_frameworks_first"), str(model), TEXT], "", ANSWER, ours),
    ]
    for peer in peers:
        if peer.system != OURS and FIRST in peer.workloads and peer.system != "textbook C":
            listed.append(
                Program(
                    peer.system, peer.worker(data, 1), f"open\t{FIRST}\t{results}\n", "ok", peer.settings(1)
                )
            )
    return listed


def launch(launcher: Path, program: Program, start: Start) -> None:
    """One fresh process."""
    done = subprocess.run(
        [str(launcher), *program.command],
        input=program.orders,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=program.environment,
        check=False,
        timeout=300,
    )
    lines = done.stdout.splitlines()
    if len(lines) < 2 or lines[-1] != program.answer:
        start.reason = (
            f"no answer (found {lines[-1][:80] if len(lines) > 1 else 'nothing'}, needed {program.answer})"
        )
        return
    milliseconds, kilobytes, _ = lines[0].split()
    start.times.append(float(milliseconds))
    start.peak_mb = max(start.peak_mb, float(kilobytes) / 1024)


def measure_starts(
    listed: list[Program], launcher: Path, rounds: int, skipped: dict[str, str]
) -> list[Start]:
    """All programs in rounds, a first one not counted; one that takes over a second in three of them, all counted.
    skipped: systems that are not there, and why."""
    starts = [Start(program.system, reason=skipped.get(program.system)) for program in listed]
    for number in range(rounds + 1):
        for program, start in zip(listed, starts):
            if start.reason or (len(start.times) >= 3 and start.median > 1000):
                continue
            launch(launcher, program, start)
            if number == 0 and start.times and start.median <= 1000:  # its files may have come from disk
                start.times.clear()
    return starts


def first_answers(
    peers: list[Peer], programs: Path, data: Path, model: Path, rounds: int, skipped: dict[str, str]
) -> list[Start]:
    """The whole measurement."""
    with tempfile.NamedTemporaryFile() as results:
        listed = programs_of(peers, programs, data, model, results.name)
        return measure_starts(listed, programs / "bench_frameworks_launch", rounds, skipped)
