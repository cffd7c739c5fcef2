"""The CUDA tests: the binaries that the emulated device runs in `./run test`."""

import concurrent.futures
import os
import time

from kit import process, state

TEST_LIMIT, EMULATED_LIMIT = 90.0, 600.0
SKIPPED = 77
LEAKS = ("leak: ", "never waited for")
JOBS = 6


def command_of(context, test):
    program = os.path.join(context.root, "bin", test["command"][0])
    return [program, *test["command"][1:]]


def judge(outcome, emulated):
    """(status, line) of a test: passed, skipped, failed, late, no code."""
    if outcome.reason:
        return ("late" if outcome.reason.startswith("out of time") else "failed"), outcome.reason
    if outcome.code == SKIPPED or (outcome.good and "Tested: 0 " in outcome.text):
        return "skipped", outcome.last_line()
    if not outcome.good and "no kernel image is available" in outcome.text:
        return "no code", "its own kernels are built for another architecture"
    if not outcome.good:
        return "failed", outcome.why()
    if emulated and any(word in outcome.text for word in LEAKS):
        return "failed", "the emulated device reports a leak"
    return "passed", ""


def run_one(context, test, deadline):
    left = deadline - time.monotonic()
    if left <= 1.0:
        return {"test": test["name"], "status": "not run", "line": "there was no time left", "seconds": 0.0}
    log = os.path.join(context.results, "tests", test["name"] + ".txt")
    variables = {**context.environment, **test["environment"]}
    limit = EMULATED_LIMIT if context.emulated else test.get("limit", TEST_LIMIT)
    outcome = process.run(command_of(context, test), min(limit, left), log, context.root, variables)
    status, line = judge(outcome, context.emulated)
    if status == "passed":
        os.remove(log)
    return {"test": test["name"], "status": status, "line": line, "seconds": round(outcome.seconds, 2)}


def run(context, limit):
    """All of them, or the short ones on an emulated device; each by itself, several at a time."""
    deadline = time.monotonic() + limit
    tests = [test for test in context.data["tests"] if test["short"] or not context.emulated]
    jobs = max(1, min(JOBS, (os.cpu_count() or 1) // 2))
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        found = list(pool.map(lambda test: run_one(context, test, deadline), tests))
    state.write_json(os.path.join(context.results, "tests.json"), found)
    by = {}
    for one in found:
        by.setdefault(one["status"], []).append(one["test"])
    parts = [f"{len(by[status])} {status}" for status in ("passed", "skipped", "no code", "failed", "late", "not run")
             if status in by]
    named = [name for status in ("failed", "late") for name in by.get(status, [])]
    line = ", ".join(parts) + (f": {', '.join(named[:8])}" if named else "")
    status = "failed" if by.get("failed") else "part" if by.get("late") or by.get("not run") else "done"
    return state.Step("tests", status, line)
