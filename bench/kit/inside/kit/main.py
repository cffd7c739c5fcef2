"""The run: steps one after the other, each with its own limit, and after each the files of what is known so far."""

import argparse
import os
import shutil
import sys
import time

from kit import benchmarks, device, page, process, state, tests, tools, unpack, verdicts

# In this order; seconds that each may take. With the unpacking, below eight minutes.
STEPS = (("tests", tests.run, 140), ("sanitizer", tools.sanitizer, 75), ("benchmarks", benchmarks.run, 165),
         ("ncu", tools.ncu, 55), ("nsys", tools.nsys, 20))
ROOM = 50 << 20  # bytes that a step may need on the disk
LIMIT, LIMIT_EMULATED = 465, 3600  # seconds of all together
EXIT_REFUSED, EXIT_FULL = 2, 3


class Context:
    """What the steps know."""

    def __init__(self, here, options):
        self.here = here
        self.root = os.path.join(here, "unpacked")
        self.results = os.path.abspath(options.results)
        self.data = {name: state.read_json(os.path.join(here, name + ".json")) for name in ("kit", "goals", "commands")}
        if None in self.data.values():
            raise unpack.Broken(f"{here}: the kit is not whole (it needs kit.json, goals.json and commands.json)")
        self.data.update(self.data.pop("commands"))
        self.emulated = options.emulated
        self.environment = {}
        self.device = {}
        self.steps = []

    def groups(self):
        return self.data["short_benchmarks" if self.emulated else "benchmarks"]

    def merge(self):
        """gpu.json, steps.json and verdicts.md, as far as there is something to say."""
        state.write_json(os.path.join(self.results, "steps.json"),
                         {"device": self.device, "kit": self.data["kit"], "steps": [step.as_json() for step in self.steps]})
        head, rows = benchmarks.rows(self.results, self.groups())
        targets = verdicts.targets(self.data["goals"], rows, self.device["name"])
        cycles = verdicts.cycles(self.data["estimates"], rows, self.device["capability"])
        state.write(os.path.join(self.results, "verdicts.md"), page.make(self, rows, targets, cycles))
        if head:
            head.update(command="gpu-kit/run", commit=self.data["kit"]["commit"], rows=rows + targets + cycles)
            head["steps"] = [step.as_json() for step in self.steps]
            name = "emulated.json" if self.emulated else "gpu.json"
            state.write_json(os.path.join(self.results, name), head)


def say(text):
    print(text, flush=True)


def take(context, name, function, limit, deadline):
    """One step; whatever goes wrong in it is told in a line, and the next one begins. Only a full disk ends the run."""
    begin = time.monotonic()
    if shutil.disk_usage(context.results).free < ROOM:
        raise process.Full(f"{context.results}: the disk is full (a step needs up to {ROOM >> 20} MB)")
    left = deadline - begin
    if left < 5.0:
        step = state.Step(name, "missing", "there was no time left")
    else:
        try:
            step = function(context, min(limit, left))
        except process.Full:
            raise
        except Exception as error:  # a fault of the kit's own: the other steps are worth having
            step = state.Step(name, "failed", f"the kit's own fault: {type(error).__name__}: {error}")
    step.seconds = time.monotonic() - begin
    context.steps.append(step)
    context.merge()
    say(f"{name:<11} {step.status:<8} {step.seconds:4.0f} s  {step.line}")


def prepare(context, archive):
    """Unpacks, finds the device, and notices an emulated one."""
    unpack.unpack(archive, context.root)
    context.environment = device.environment(context.root, context.emulated)
    context.device = device.find(context.root, context.environment, context.data["kit"]["architectures"])
    context.emulated = bool(context.device["emulated"])


def go(context, options):
    begin = time.monotonic()
    prepare(context, os.path.join(context.here, "payload.tar.xz"))
    state.make_folder(context.results)
    named = options.step or [name for name, _, _ in STEPS]
    say(f"{context.device['name']}, {context.device['versions']}"
        + ("; an emulated device: short sizes, and no times" if context.emulated else ""))
    whole = options.limit or (LIMIT_EMULATED if context.emulated else LIMIT)
    deadline = begin + whole
    try:
        context.merge()
        for name, function, limit in STEPS:
            if name in named:
                take(context, name, function, whole if context.emulated else limit, deadline)
    finally:
        with_time = time.monotonic() - begin
        say(f"{with_time:.0f} s; results in {context.results}: verdicts.md is what to read, the folder what to send")
    return 1 if any(step.status == "failed" for step in context.steps) else 0


def main(here):
    parser = argparse.ArgumentParser(prog="gpu-kit/run", description="Tests and measures cuseq on this machine's GPU, in under "
                                     "eight minutes.")
    parser.add_argument("--emulated", action="store_true", help="on the emulated device instead: short sizes, and no times")
    parser.add_argument("--results", default=os.path.join(here, "results"), metavar="DIR", help="where results go")
    parser.add_argument("--limit", type=float, metavar="SECONDS", help=f"for all steps together ({LIMIT}; emulated {LIMIT_EMULATED})")
    parser.add_argument("--step", action="append", choices=[name for name, _, _ in STEPS], help="only this one; may be repeated")
    options = parser.parse_args()
    try:
        return go(Context(here, options), options)
    except (device.Refused, unpack.Broken) as refused:
        print(f"gpu-kit: {refused}", file=sys.stderr)
        return EXIT_REFUSED
    except process.Full as full:
        print(f"gpu-kit: {full}", file=sys.stderr)
        return EXIT_FULL
    except OSError as error:
        if process.full(error):
            print(f"gpu-kit: {error.filename or here}: the disk is full", file=sys.stderr)
            return EXIT_FULL
        print(f"gpu-kit: {error.filename}: {error.strerror}", file=sys.stderr)
        return EXIT_REFUSED
    except KeyboardInterrupt:
        print("gpu-kit: interrupted; what was found so far is in the results", file=sys.stderr)
        return 130
