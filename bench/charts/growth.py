"""How time grows: tables in Markdown of ./run bench scaling."""

from axis import duration, percent, threads_text
from results import rows
from tables import folded, not_measured, table


def span(row):
    return f"{row['from']:g}" if row["from"] == row["to"] else f"{row['from']:g} to {row['to']:g}"


def line_name(row):
    return row["model"] + (f", {threads_text(row['threads'])}" if row["threads"] else "")


WHERE = {
    "on": "on its floor",
    "before": "before its floor",
    "after": "past its floor",
    "off": "nowhere on its floor",
}


def fits(data):
    if not data:
        return not_measured("scaling")
    lines = [
        [
            row["sweep"],
            line_name(row),
            span(row),
            WHERE.get(row["range"], row["range"]),
            f"{row['exponent']:.2f} ± {row['exponent_error']:.2f}",
            f"{row['floor_exponent']:.2f}",
            row["points"],
        ]
        for row in rows(data, "fit")
    ]
    return table(
        ["against", "what", "range", "where", "exponent of the time", "of the floor", "points"], lines
    )


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
        lines.append(
            name
            + [
                duration(row["median_us"]),
                f"{duration(row['low_us'])} to {duration(row['high_us'])}",
                percent(row["share"]),
                duration(row["floor_us"]),
                duration(row["stream_us"]),
                "yes" if row["verified"] else "",
            ]
        )
    heads = [
        "against",
        "what",
        "value",
        "threads",
        "median",
        "smallest to largest round",
        "share of the peak",
        "floor",
        "streaming",
        "verified",
    ]
    return folded("Every point", table(heads, lines))
