"""Tables and sentences in Markdown, from results alone."""

from axis import digits, duration, percent, ratio, threads_text
from results import distinct, rows

COMMAND = {
    "cpu": "./run bench cpu --json bench/results/cpu.json",
    "frameworks": "./run bench frameworks --json bench/results/frameworks.json",
    "scaling": "./run bench scaling --json bench/results/scaling.json",
    "counters": "./run bench counters --json bench/results/counters.json",
    "gpu": "./run bench gpu --json bench/results/gpu.json",
}


def not_measured(bench):
    return f"Not measured: `{COMMAND[bench]}` has not been run.\n"


def cell(value):
    return str(value).replace("|", "\\|").replace("\n", " ")


def table(heads, lines):
    text = ["| " + " | ".join(heads) + " |", "|" + " --- |" * len(heads)]
    text += ["| " + " | ".join(cell(value) for value in line) + " |" for line in lines]
    return "\n".join(text) + "\n"


def folded(title, text):
    """Text that is opened by a click."""
    return f"<details><summary>{title}</summary>\n\n{text}\n</details>\n"


def machines(found):
    """What was measured where, when and with what."""
    lines = []
    for bench in COMMAND:
        data = found.get(bench)
        if not data:
            lines.append([bench, "not measured", "", "", "", "", f"`{COMMAND[bench]}`"])
            continue
        # A version that begins with a name needs no other.
        versions = ", ".join(distinct(version if version[:1].isalpha() else f"{name} {version}"
                                      for name, version in data["versions"].items()))
        lines.append([bench, data["machine"], data["date"], data["commit"], data["rounds"], versions, f"`{data['command']}`"])
    return table(["bench", "machine", "date", "commit", "rounds", "versions", "command"], lines)


def cell_groups(data):
    """[(workload, threads, rows)] of all times that are not swept."""
    found = [row for row in rows(data, "time") if not row.get("sweep")]
    keys = distinct((row["workload"], row["threads"]) for row in found)
    return [(workload, threads, [row for row in found if (row["workload"], row["threads"]) == (workload, threads)])
            for workload, threads in keys]


def own(group):
    return next((row["median_us"] for row in group if row["system"] == "cuseq"), None)


def time_cell(row, time, fastest):
    if row is None:
        return ""
    if row["median_us"] is None:
        return f"not measured: {row['reason']}"
    text = duration(row["median_us"])
    text = f"**{text}**" if row["median_us"] == fastest else text
    if row["system"] == "cuseq" or not time:
        return text
    return f"{text} ({ratio(row['median_us'] / time)})"


def times(data):
    """A line for each workload and number of threads, a column for each system; the fastest is bold."""
    if not data:
        return not_measured("frameworks")
    groups = cell_groups(data)
    systems = distinct(row["system"] for _, _, group in groups for row in group)
    lines = []
    for workload, threads, group in groups:
        by_system = {row["system"]: row for row in group}
        fastest = min((row["median_us"] for row in group if row["median_us"] is not None), default=None)
        lines.append([workload, threads] + [time_cell(by_system.get(system), own(group), fastest) for system in systems])
    return table(["workload", "threads"] + systems, lines)


def spreads(data):
    """Every time with its rounds and its error."""
    lines = []
    for workload, threads, group in cell_groups(data):
        for row in group:
            if row["median_us"] is None:
                lines.append([workload, threads, row["system"], "not measured", row["reason"], "", "", ""])
                continue
            error = f"{row['error']:.1e} of {row['error_allowed']:.1e}" if row.get("error") is not None else (
                f"{row['error_share']:.3f} of what is allowed" if row.get("error_share") is not None else "")
            time = own(group)
            lines.append([workload, threads, row["system"], duration(row["median_us"]),
                          f"{duration(row['low_us'])} to {duration(row['high_us'])}", row.get("rounds", ""),
                          ratio(row["median_us"] / time) if time else "", error])
    heads = ["workload", "threads", "system", "median", "smallest to largest round", "rounds", "over cuseq's", "error against the reference"]
    return folded("Every time with its spread", table(heads, lines))


def rivals(data, workload, threads):
    """Every other system's fastest time on at most so many threads: what is given two may do better with one."""
    found = {}
    for row in rows(data, "time", workload=workload):
        if row.get("sweep") or row["threads"] > threads or row["median_us"] is None or row["system"].startswith("cuseq"):
            continue
        best = found.get(row["system"])
        found[row["system"]] = row if best is None or row["median_us"] < best["median_us"] else best
    return sorted(found.values(), key=lambda row: row["median_us"])


def summary(data):
    """Where cuseq is the fastest, and where it is not."""
    if not data:
        return not_measured("frameworks")
    pairs, losses, lost = 0, [], 0
    for workload, threads, group in cell_groups(data):
        time, others = own(group), rivals(data, workload, threads)
        if not time or not others:
            continue
        pairs += 1
        faster = [row for row in others if row["median_us"] < time]
        lost += bool(faster)
        losses += [f"- {workload} on {threads_text(threads)}: {row['system']} takes {duration(row['median_us'])}"
                   f"{' on 1 thread' if row['threads'] < threads else ''}, cuseq {duration(time)} ({ratio(row['median_us'] / time)})"
                   for row in faster]
    text = f"cuseq is the fastest in {pairs - lost} of {pairs} pairs of workload and threads.\n"
    if losses:
        return text + "\nIt is slower than another system here:\n\n" + "\n".join(losses) + "\n"
    return text + "\nNo system was faster than it anywhere in this run.\n"


def targets(data):
    """What was to be reached, and whether it was."""
    if not data:
        return not_measured("frameworks")
    word = {True: "reached", False: "**missed**"}
    lines = [[row["target"], row["found"], word.get(row.get("reached"), "not measured")] for row in rows(data, "target")]
    return table(["to reach", "found", ""], lines) if lines else "No targets in this run.\n"


def systems(data):
    lines = [[row["system"], row.get("version") or "not there", row.get("what", ""), row.get("did", "")] for row in rows(data, "system")]
    return table(["system", "version", "what it is here", "what it had to do, or was spared"], lines) if lines else ""


def start(data):
    if not data:
        return not_measured("frameworks")
    lines = []
    for row in rows(data, "start"):
        time = f"not measured: {row['reason']}" if row["median_ms"] is None else f"{digits(row['median_ms'])} ms"
        low = f"{digits(row['low_ms'])} to {digits(row['high_ms'])} ms" if row.get("low_ms") is not None else ""
        memory = "" if row["peak_mb"] is None else f"{digits(row['peak_mb'])} MB"
        lines.append([row["system"], time, low, memory])
    heads = ["system", "start to first answer", "smallest to largest round", "peak resident memory"]
    return table(heads, lines) if lines else "Not measured in this run.\n"


def cpu(data):
    if not data:
        return not_measured("cpu")
    peaks = ", ".join(f"{row['what']} {digits(row['value'])} {row['unit']}" for row in rows(data, "machine"))
    lines = []
    for row in rows(data, "time", system="cuseq"):
        if row["median_us"] is None:
            lines.append([row["workload"], row["threads"], f"not measured: {row['reason']}", "", "", "", "", ""])
            continue
        gain = f"{row['gain_best']:.2f} / {row['gain_median']:.2f}" if row.get("gain_best") is not None else ""
        bar = row.get("bar")
        reach = "" if bar is None else f"{percent(bar)} of the peak" if row["threads"] == 1 else f"{bar:.2f} of the gain"
        lines.append([row["workload"], row["threads"], duration(row["median_us"]),
                      f"{duration(row['low_us'])} to {duration(row['high_us'])}",
                      f"{percent(row['share_best'])} / {percent(row['share_median'])}", gain, reach,
                      row.get("verdict", "").lower() if bar is not None else ""])
    heads = ["workload", "threads", "median", "smallest to largest round", "share of the peak, best / median",
             "gain of the second thread over the peak's, best / median", "to reach", ""]
    return f"Measured: {peaks}.\n\n" + table(heads, lines)


def span(row):
    return f"{row['from']:g}" if row["from"] == row["to"] else f"{row['from']:g} to {row['to']:g}"


def line_name(row):
    return row["model"] + (f", {threads_text(row['threads'])}" if row["threads"] else "")


WHERE = {"on": "on its floor", "before": "before its floor", "after": "past its floor", "off": "nowhere on its floor"}


def fits(data):
    if not data:
        return not_measured("scaling")
    lines = [[row["sweep"], line_name(row), span(row), WHERE.get(row["range"], row["range"]),
              f"{row['exponent']:.2f} ± {row['exponent_error']:.2f}", f"{row['floor_exponent']:.2f}", row["points"]]
             for row in rows(data, "fit")]
    return table(["against", "what", "range", "where", "exponent of the time", "of the floor", "points"], lines)


def edges(data):
    if not data:
        return not_measured("scaling")
    lines = []
    for row in rows(data, "edge"):
        share = percent(row["share_low"])
        if row["from"] != row["to"]:
            share += f" to {percent(row['share_high'])}"
        lines.append([row["sweep"], line_name(row), span(row), share, row["cause"], row["evidence"]])
    if not lines:
        return "Nowhere in this run.\n"
    return table(["against", "what", "range", "share of the peak", "cause", "figures"], lines)


def points(data):
    if not data:
        return ""
    lines = []
    for row in rows(data, "point"):
        name = [row["sweep"], row["model"], f"{row['value']:g}", row["threads"]]
        if row["median_us"] is None:
            lines.append(name + [f"not measured: {row['reason']}", "", "", duration(row["floor_us"]), "", ""])
            continue
        lines.append(name + [duration(row["median_us"]), f"{duration(row['low_us'])} to {duration(row['high_us'])}",
                             percent(row["share"]), duration(row["floor_us"]), duration(row["stream_us"]),
                             "yes" if row["verified"] else ""])
    heads = ["against", "what", "value", "threads", "median", "smallest to largest round", "share of the peak", "floor", "streaming",
             "verified"]
    return folded("Every point", table(heads, lines))


def counters(data):
    if not data:
        return not_measured("counters")
    lines = []
    for row in rows(data, "counter"):
        least = f"{row['sectors'] / row['sectors_least']:.2f}" if row.get("sectors_least") else ""
        products = row.get("instructions_with_products", row["instructions"])
        lines.append([row["workload"], row["version"], row["launches"], row.get("nodes", ""), f"{row['instructions']:,}", f"{products:,}",
                      f"{row.get('sectors_with_products', row['sectors']):,}", least, f"{row['barriers']:,}"])
    heads = ["workload", "version", "launches", "kernel nodes", "thread instructions", "with cuBLAS's multiply-adds",
             "32-byte sectors of global memory, cuBLAS's included", "over the least possible", "barriers"]
    return table(heads, lines)


GPU_MISSING = ("Not measured: no machine that builds this has a GPU. On a machine that has one, `./run bench gpu --json "
               "bench/results/gpu.json` measures cuseq beside cuDNN, a per-step cuBLAS version and PyTorch, with each time's share of "
               "its floor, and `./run bench charts` brings the figures here.\n")


def gpu(data):
    if not data:
        return GPU_MISSING
    lines = []
    for row in rows(data, "time"):
        what = row["workload"] + (f", {row['sweep']} {row['value']}" if row.get("sweep") else "")
        if row["median_us"] is None:
            lines.append([what, row["system"], f"not measured: {row['reason']}", "", "", ""])
            continue
        kernel, host = (duration(row[key]) if row.get(key) is not None else "" for key in ("kernel_us", "host_us"))
        floor = "" if row.get("floor_us") is None else f"{duration(row['floor_us'])} ({row.get('floor', '')})"
        lines.append([what, row["system"], duration(row["median_us"]), kernel, host, floor])
    return table(["workload", "system", "median", "kernels, by events", "seen by the host", "floor"], lines)
