"""Runs cuseq: what it said, whether that is a proper refusal. Needs nothing but Python."""

import re
import subprocess

LIMIT = 60  # seconds, which no command takes for models of a few units


class Fault(Exception):
    """cuseq did what it never should: it crashed, hung, or refused without a reason."""


def call(program, *words):
    """The exit status and the lines of stderr."""
    try:
        done = subprocess.run(
            [str(program), *map(str, words)],
            capture_output=True,
            timeout=LIMIT,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        raise Fault(f"{words[0]}: still running after {LIMIT} s") from None
    text = done.stderr.decode("utf-8", "backslashreplace")
    if done.returncode not in (0, 2):
        raise Fault(
            f"{words[0]}: exit status {done.returncode}: {text.strip()[-300:] or 'nothing on stderr'}"
        )
    return done.returncode, text.splitlines()


def refusal(lines, path, names=None):
    """The reason of a refusal, which is one line that has one; where it names a layer, the model has such
    a layer."""
    if len(lines) != 1:
        raise Fault(f"a refusal of {len(lines)} lines: {' | '.join(lines)[:300]}")
    line = lines[0]
    reason = line.removeprefix("cuseq: ").removeprefix(f"{path}: ")
    if not line.startswith("cuseq: ") or len(reason.split()) < 3:
        raise Fault(f"a refusal without a reason: {line[:300]}")
    named = re.search(r"layer '(.*?)'(?:[: ,)]|$)", reason)
    if names is not None and named and not any(shown(name).startswith(named[1]) for name in names):
        raise Fault(f"it names a layer that the model has not: {line[:300]}")
    return reason


def shown(name):
    """A layer's name as a message shows it, whatever it is made of."""
    return "".join(c if c.isprintable() else "?" for c in name)
