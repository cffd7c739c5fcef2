"""cuseq beside other systems: tables and sentences in Markdown, from results alone."""

from axis import digits, duration, ratio, threads_text
from results import distinct, is_bf16, rows
from tables import folded, not_measured, table


def cell_groups(data):
    """[(workload, threads, rows)] of all times in float32 that are not swept; workloads as they come, few threads first."""
    found = [row for row in rows(data, "time") if not row.get("sweep") and not is_bf16(row)]
    groups = []
    for workload in distinct(row["workload"] for row in found):
        those = [row for row in found if row["workload"] == workload]
        for threads in sorted(distinct(row["threads"] for row in those)):
            groups.append((workload, threads, [row for row in those if row["threads"] == threads]))
    return groups


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
        lines.append(
            [workload, threads]
            + [time_cell(by_system.get(system), own(group), fastest) for system in systems]
        )
    return table(["workload", "threads"] + systems, lines)


def spreads(data):
    """Every time with its rounds and its error."""
    lines = []
    for workload, threads, group in cell_groups(data):
        for row in group:
            if row["median_us"] is None:
                lines.append([workload, threads, row["system"], "not measured", row["reason"], "", "", ""])
                continue
            error = (
                f"{row['error']:.1e} of {row['error_allowed']:.1e}"
                if row.get("error") is not None
                else (
                    f"{row['error_share']:.3f} of what is allowed"
                    if row.get("error_share") is not None
                    else ""
                )
            )
            time = own(group)
            lines.append(
                [
                    workload,
                    threads,
                    row["system"],
                    duration(row["median_us"]),
                    f"{duration(row['low_us'])} to {duration(row['high_us'])}",
                    row.get("rounds", ""),
                    ratio(row["median_us"] / time) if time else "",
                    error,
                ]
            )
    heads = [
        "workload",
        "threads",
        "system",
        "median",
        "smallest to largest round",
        "rounds",
        "over cuseq's",
        "error against the reference",
    ]
    return folded("Every time with its spread", table(heads, lines))


def rivals(data, workload, threads):
    """Every other system's fastest time on at most so many threads: given two, it may do better on one."""
    found = {}
    for row in rows(data, "time", workload=workload):
        if (
            row.get("sweep")
            or row["threads"] > threads
            or row["median_us"] is None
            or row["system"].startswith("cuseq")
            or is_bf16(row)
        ):
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
        losses += [
            f"- {workload} on {threads_text(threads)}: {row['system']} takes {duration(row['median_us'])}"
            f"{' on 1 thread' if row['threads'] < threads else ''}, cuseq {duration(time)} "
            f"({ratio(row['median_us'] / time)})"
            for row in faster
        ]
    text = f"cuseq is the fastest in {pairs - lost} of {pairs} pairs of workload and threads.\n"
    if losses:
        return text + "\nIt is slower than another system here:\n\n" + "\n".join(losses) + "\n"
    return text + "\nNo system was faster than it anywhere in this run.\n"


def bf16(data):
    """A line for each workload that was measured in bf16: our own beside our float32, the others' beside our own."""
    found = [row for row in rows(data, "time") if is_bf16(row)]
    if not found:
        return "Not measured in this run.\n"
    others = [name for name in distinct(row["system"] for row in found) if name != "cuseq bf16"]
    lines = []
    for workload, threads in distinct((row["workload"], row["threads"]) for row in found):
        of = {row["system"]: row for row in rows(data, "time", workload=workload, threads=threads)}
        float32, own_time = (of.get(name, {}).get("median_us") for name in ("cuseq", "cuseq bf16"))
        line = [workload, threads, duration(float32) if float32 else "", duration(own_time) if own_time else ""]
        line.append(ratio(float32 / own_time) if float32 and own_time else "")
        for name in others:
            time = of.get(name, {}).get("median_us")
            line += [duration(time) if time else "", ratio(time / own_time) if time and own_time else ""]
        lines.append(line)
    heads = ["workload", "threads", "cuseq", "cuseq bf16", "float32 over bf16"]
    return table(heads + [head for name in others for head in (name, "over cuseq bf16")], lines)


def targets(data):
    """What was to be reached, and whether it was."""
    if not data:
        return not_measured("frameworks")
    word = {True: "reached", False: "**missed**"}
    lines = [
        [row["target"], row["found"], word.get(row.get("reached"), "not measured")]
        for row in rows(data, "target")
    ]
    return table(["to reach", "found", ""], lines) if lines else "No targets in this run.\n"


def systems(data):
    lines = [
        [row["system"], row.get("version") or "not there", row.get("what", ""), row.get("did", "")]
        for row in rows(data, "system")
    ]
    return (
        table(["system", "version", "what it is here", "what it had to do, or was spared"], lines)
        if lines
        else ""
    )


def start(data):
    if not data:
        return not_measured("frameworks")
    lines = []
    for row in rows(data, "start"):
        time = (
            f"not measured: {row['reason']}" if row["median_ms"] is None else f"{digits(row['median_ms'])} ms"
        )
        low = (
            f"{digits(row['low_ms'])} to {digits(row['high_ms'])} ms" if row.get("low_ms") is not None else ""
        )
        memory = "" if row["peak_mb"] is None else f"{digits(row['peak_mb'])} MB"
        lines.append([row["system"], time, low, memory])
    heads = ["system", "start to first answer", "smallest to largest round", "peak resident memory"]
    return table(heads, lines) if lines else "Not measured in this run.\n"
