"""compute-sanitizer, ncu and nsys, each where it is there. On an emulated device, which they do not know, the same commands run
without them."""

import concurrent.futures
import os
import time

from kit import device, process, state

COUNTERS_REFUSED = "ERR_NVGPUCTRPERM"
EMULATED_LIMIT = 600.0
SANITIZER_JOBS = max(1, min(4, (os.cpu_count() or 1) // 2))


def missing(context, name, what):
    return state.Step(what, "missing", f"{name} is not on this machine (looked for on PATH and beside the toolkit)")


def kit_command(context, words):
    return [os.path.join(context.root, "bin", words[0]), *words[1:]]


def go(context, title, prefix, words, extra, limit, folder):
    """One command behind a tool's own words."""
    log = os.path.join(context.results, folder, title + ".txt")
    return process.run(prefix + kit_command(context, words), limit, log, context.root, {**context.environment, **extra})


def command_of(context, entry):
    """An entry's command; on an emulated device the shorter one, where it has one."""
    return entry.get("short", entry["command"]) if context.emulated else entry["command"]


def step_of(name, good, bad, left_out, of):
    """The Step of commands, of which some were good."""
    line = f"{len(good)} of {of} without a finding" if name == "sanitizer" else f"{len(good)} of {of}"
    if bad:
        line += "; " + "; ".join(f"{title}: {why}" for title, why in bad[:4])
    if left_out:
        line += f"; no time left for {len(left_out)}"
    return state.Step(name, "failed" if bad and not good else "part" if bad or left_out else "done", line)


def commands(context, name, entries, prefix_of, limit, folder, refused=None, jobs=1):
    """Runs entries {title, command, environment, limit}, so many at a time; `refused` looks at a bad outcome and tells why all the
    others would fail as it did, or gives None."""
    deadline = time.monotonic() + limit
    told = []

    def take(entry):
        left = deadline - time.monotonic()
        if left < 2.0 or told:
            return None
        outcome = go(context, entry["title"], prefix_of(entry), command_of(context, entry), entry.get("environment", {}),
                     min(left, entry.get("limit", 30.0) if not context.emulated else EMULATED_LIMIT), folder)
        why = refused(outcome) if refused and not outcome.good else None
        if why:
            told.append(why)
        return outcome

    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        outcomes = list(zip([entry["title"] for entry in entries], pool.map(take, entries)))
    if told:
        return state.Step(name, "missing", told[0])
    good = [title for title, outcome in outcomes if outcome and outcome.good]
    bad = [(title, outcome.why()) for title, outcome in outcomes if outcome and not outcome.good]
    left_out = [title for title, outcome in outcomes if outcome is None]
    return step_of(name, good, bad, left_out, len(entries))


def plainly(step):
    step.line += " (run without the tool, which an emulated device has none of)"
    return step


def sanitizer(context, limit):
    entries = context.data["sanitizer"]
    if context.emulated:
        return plainly(commands(context, "sanitizer", entries, lambda entry: [], limit, "sanitizer", jobs=SANITIZER_JOBS))
    program = device.tool("compute-sanitizer")
    if not program:
        return missing(context, "compute-sanitizer", "sanitizer")
    return commands(context, "sanitizer", entries,
                    lambda entry: [program, "--tool", entry["tool"], "--error-exitcode", "9", *entry.get("options", [])],
                    limit, "sanitizer", jobs=SANITIZER_JOBS)


def no_counters(outcome):
    return ("this user may not read the GPU's counters (ERR_NVGPUCTRPERM; as root, or with the driver's "
            "NVreg_RestrictProfilingToAdminUsers=0, it works)") if COUNTERS_REFUSED in outcome.text else None


def ncu(context, limit):
    entries = context.data["ncu"]
    if context.emulated:
        return plainly(commands(context, "ncu", entries, lambda entry: [], limit, "ncu"))
    program = device.tool("ncu")
    if not program:
        return missing(context, "ncu", "ncu")

    def prefix(entry):
        return [program, "--set", "full", "--force-overwrite", "--kernel-name", "regex:" + entry["kernel"], "--launch-count",
                "1", "--export", os.path.join(context.results, "ncu", entry["title"])]

    step = commands(context, "ncu", entries, prefix, limit, "ncu", no_counters)
    unmade = [entry["title"] for entry in entries
              if not os.path.exists(os.path.join(context.results, "ncu", entry["title"] + ".ncu-rep"))]
    if step.status == "done" and unmade:
        step.status, step.line = "part", f"no report of {', '.join(unmade)}: the kernel did not run"
    return step


def nsys(context, limit):
    entries = context.data["nsys"]
    if context.emulated:
        return plainly(commands(context, "nsys", entries, lambda entry: [], limit, "nsys"))
    program = device.tool("nsys")
    if not program:
        return missing(context, "nsys", "nsys")
    return commands(context, "nsys", entries,
                    lambda entry: [program, "profile", "--trace=cuda,nvtx", "--force-overwrite=true",
                                   "--output=" + os.path.join(context.results, "nsys", entry["title"])],
                    limit, "nsys")
