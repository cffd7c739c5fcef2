"""The page that says what a run found."""

from kit import verdicts


def table(heads, lines):
    text = "| " + " | ".join(heads) + " |\n| " + " | ".join("---" for _ in heads) + " |\n"
    for line in lines:
        cells = [str(cell).replace("|", "\\|").replace("\n", " ") for cell in line]
        text += "| " + " | ".join(cells) + " |\n"
    return text + "\n"


def verdict(row):
    return {True: "reached", False: "**not reached**", None: "-"}[row["reached"]]


def time_lines(rows):
    """Ours and the others', with the ratio."""
    lines = []
    for row in rows:
        if row.get("kind") != "time":
            continue
        ours = verdicts.median(rows, row["workload"])
        median = row.get("median_us")
        ratio = f"{median / ours:.2f}x" if median is not None and ours and row["system"] != "cuseq" else ""
        floor = row.get("floor_us")
        share = f"{100 * floor / median:.0f}%" if floor and median else ""
        lines.append([row["workload"], row["system"], "-" if median is None else f"{median:.1f}", ratio, share,
                      row.get("note") or row.get("reason") or ""])
    return lines


def make(context, rows, targets, cycles):
    """The text of verdicts.md."""
    device, kit = context.device, context.data["kit"]
    text = f"# cuseq {kit['version']} (commit {kit['commit']}) on {device['name']}\n\n"
    if context.emulated:
        text += "An emulated device: everything was run, and there are no times.\n\n"
    text += f"Compute capability {device['capability'] / 10:.1f}, {device['versions']}; {device['clocks'] or 'clocks unknown'}.\n\n"
    text += "## Steps\n\n" + table(["step", "", "what came of it", "s"], [
        [step.name, step.status, step.line, f"{step.seconds:.0f}"] for step in context.steps])
    text += "## Goals\n\n" + table(["goal", "found", "verdict"], [
        [row["target"], row["found"], verdict(row)] for row in targets])
    text += "## What others have published\n\n" + table(["case", "who", "they", "here, cuseq"], [
        [what, who, said, found or "not measured"] for what, who, said, found in verdicts.published(context.data["goals"], rows)])
    text += "".join(f"Not run: {line}.\n" for line in context.data["goals"]["not_run"]) + "\n"
    text += "## A step, by the machine code and measured\n\nThe estimate is one warp alone, in order, without cache misses; measured is what a "
    text += "call of more steps takes more, over those steps, at the clock of a busy SM.\n\n"
    text += table(["", "kernel", "cycles estimated", "cycles measured", "measured / estimated"], [
        [row["what"], row["kernel"], row["estimated"] if row["estimated"] is not None else "-",
         row["measured"] if row["measured"] is not None else row.get("reason", "-"),
         f"{row['measured'] / row['estimated']:.2f}" if row["measured"] and row["estimated"] else ""] for row in cycles])
    text += "## Times\n\n" + table(["case", "system", "median us", "over cuseq's", "floor / median", ""], time_lines(rows))
    return text + f"Send the whole folder of results to {kit['project']}: docs/gpu-kit.md says how.\n"
