"""A peer's worker: a process that lives through the whole bench and answers orders (worker.h has them)."""

import os
import select
import subprocess
import time
from pathlib import Path

from peers import Peer

START_SECONDS = 120.0
ANSWER_SECONDS = 180.0


class Failure(Exception):
    """A peer that is not there, or does not do what it was asked; the text is the reason."""


class Worker:
    """One peer with so many threads. On one thread it is bound to one processor."""

    def __init__(self, peer: Peer, data: Path, threads: int, log: Path) -> None:
        self.peer, self.threads = peer, threads
        command = peer.worker(data, threads)
        missing = [part for part in peer.command if part.startswith("/") and not Path(part).exists()]
        if missing:
            raise Failure("not installed (its packages could not be fetched, or its program not built)")
        self.log = log.open("a")
        processors = os.sched_getaffinity(0)
        try:
            if threads == 1:
                os.sched_setaffinity(0, {max(processors)})
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self.log,
                text=True,
                bufsize=1,
                env=peer.settings(threads),
            )
        except OSError as problem:
            raise Failure(f"does not start ({problem.strerror})") from problem
        finally:
            os.sched_setaffinity(0, processors)
        line = self._answer(START_SECONDS)
        if not line.startswith("ready "):
            self.close()
            raise Failure("does not start: " + last_line(log))
        self.version = line.removeprefix("ready ")

    def _answer(self, seconds: float) -> str:
        """The next line, or "" where none comes in time."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.process.poll() is None:
            if select.select([self.process.stdout], [], [], 0.5)[0]:
                break
        ready = select.select([self.process.stdout], [], [], 0.0)[0]
        return self.process.stdout.readline().rstrip("\n") if ready else ""

    def ask(self, *words: str) -> list[str]:
        """The words after "ok". Failure with the worker's reason."""
        try:
            self.process.stdin.write("\t".join(words) + "\n")
        except (OSError, ValueError):  # the pipe is broken, or closed after an earlier failure
            self.close()
            raise Failure("died or hung") from None
        answer = self._answer(ANSWER_SECONDS).split(" ")
        if answer[0] not in ("ok", "error"):
            self.close()
            raise Failure("died or hung")
        if answer[0] == "error":
            raise Failure(" ".join(answer[1:]))
        return answer[1:]

    def close(self) -> None:
        """Ends the process. May be called again."""
        try:
            self.process.stdin.close()
        except OSError:  # what was not written goes with the pipe
            pass
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.log.close()


def last_line(path: Path) -> str:
    """The last line of a log that says something."""
    lines = [line.strip() for line in path.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1][:200] if lines else "it says nothing"
