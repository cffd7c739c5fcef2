"""The benchmarks, in groups that each leave what they have measured when their time is over."""

import os
import re
import time

from kit import process, state

LIBRARY = re.compile(r"error while loading shared libraries: ([\w.+-]+)")
WRONG = 1


def why(outcome):
    """What is wrong with a benchmark that did not end well."""
    found = LIBRARY.search(outcome.text)
    if found:
        return f"{found[1]} is not on this machine (NVIDIA's toolkit or PyTorch brings it)"
    lines = [line for line in outcome.text.splitlines() if line.startswith(("bench", "cuseq"))]
    return outcome.reason or (lines[-1][:300] if lines else outcome.why())


def folder_of(results):
    return os.path.join(results, "bench")


def run(context, limit):
    deadline = time.monotonic() + limit
    groups = context.data["short_benchmarks" if context.emulated else "benchmarks"]
    good, bad, left_out = [], [], []
    for group in groups:
        left = deadline - time.monotonic()
        if left < 2.0:
            left_out.append(group["title"])
            continue
        base = os.path.join(folder_of(context.results), group["title"])
        command = [os.path.join(context.root, "bin", group["command"][0]), *group["command"][1:], "--json", base + ".json"]
        outcome = process.run(command, min(left, group["limit"]), base + ".txt", context.root, context.environment)
        if outcome.good:
            good.append(group["title"])
        else:
            bad.append((group["title"], why(outcome), outcome.code == WRONG))
        context.merge()
    line = f"{len(good)} of {len(groups)} groups"
    if bad:
        line += "; " + "; ".join(f"{title}: {reason}" for title, reason, _ in bad)
    if left_out:
        line += f"; no time left for {', '.join(left_out)}"
    is_wrong = any(wrong for _, _, wrong in bad)
    return state.Step("benchmarks", "failed" if is_wrong or not good else "part" if bad or left_out else "done", line)


def rows(results, groups):
    """The rows of all groups that left some, and the head of the first."""
    found, head, seen = [], None, set()
    for group in groups:
        data = state.read_json(os.path.join(folder_of(results), group["title"] + ".json"))
        if not isinstance(data, dict) or not isinstance(data.get("rows"), list):
            continue
        head = head or {key: value for key, value in data.items() if key != "rows"}
        for row in data["rows"]:
            # each program has its own rows of systems and of the device: the first are kept
            key = (row.get("kind"), row.get("workload"), row.get("system"), row.get("what"))
            if key not in seen:
                seen.add(key)
                found.append(row)
    return head, found
