"""Commands with a limit of time: what they print goes to a file, and none of what they began outlives them."""

import errno
import os
import signal
import subprocess
import time

GRACE = 2.0  # seconds between asking and ending


class Full(Exception):
    """The disk is full."""


def full(error):
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


class Outcome:
    """How a command ended: code, or a reason why there is none; seconds; what it printed."""

    def __init__(self, code, reason, seconds, text):
        self.code = code
        self.reason = reason
        self.seconds = seconds
        self.text = text

    @property
    def good(self):
        return self.code == 0

    def last_line(self):
        """What it said at the end, in a line."""
        lines = [line.strip() for line in self.text.splitlines() if line.strip()]
        return lines[-1][:300] if lines else "it said nothing"

    def why(self):
        """Why it is not good, in a line."""
        return self.reason or f"exit status {self.code}: {self.last_line()}"


def end(child):
    """Ends a command and everything in its session."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(child.pid, number)
        except ProcessLookupError:
            break
        try:
            child.wait(GRACE)
        except subprocess.TimeoutExpired:
            continue
    child.wait()
    deadline = time.monotonic() + GRACE
    try:
        os.killpg(child.pid, signal.SIGKILL)  # what is left of the session without it
        while time.monotonic() < deadline:  # it is gone soon, or dead and its new parent does not ask after it
            time.sleep(0.01)
            os.killpg(child.pid, 0)
    except ProcessLookupError:
        pass


def run(command, limit, log, folder, environment):
    """The Outcome of a command that may take `limit` seconds; its output is in the file `log`, too."""
    begin = time.monotonic()
    code, reason = None, None
    try:
        os.makedirs(os.path.dirname(log), exist_ok=True)
        with open(log, "wb") as file:
            try:
                child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
                                         cwd=folder, env=environment, start_new_session=True)
            except OSError as error:
                if full(error):
                    raise
                return Outcome(None, f"{os.path.basename(command[0])} does not start ({error.strerror})",
                               time.monotonic() - begin, "")
            try:
                code = child.wait(max(limit, 0.0))
                if code < 0:
                    reason = f"it was killed by signal {-code}"
            except subprocess.TimeoutExpired:
                reason = f"out of time after {limit:.0f} s"
            finally:
                if code is None:
                    end(child)
        with open(log, encoding="utf-8", errors="replace") as file:
            text = file.read()
    except OSError as error:
        if full(error):
            raise Full(f"{log}: the disk is full") from None
        raise
    return Outcome(code if reason is None else None, reason, time.monotonic() - begin, text)
