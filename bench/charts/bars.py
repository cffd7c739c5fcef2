"""Bars: times beside those of other systems, how many times slower they are, start-up and memory."""

from axis import Axis, around, digits, duration, ratio, threads_text, tick_duration
from results import distinct, is_bf16, rows
from svg import TEXT, Drawing, width_of

WIDTH = 860
BAR, STEP, GAP = 14, 20, 16  # height of a bar, of a row, between groups
TOP = 52
LABEL_ROOM = 96  # for the value behind the longest bar


def label_of(row):
    """A system's name, and what its figure does not hold."""
    return f"{row['system']} ({row['note']})" if row.get("note") and len(row["note"]) <= 20 else row["system"]


class Chart:
    """Groups of named bars over one axis, which is drawn above and behind them."""

    def __init__(self, title, description, groups, limits, log, tick, below=0.0):
        """groups: [(heading, [(label, value or None, kind, told, shown)])]; `below`: where bars begin, 0 the
        axis's low end."""
        self.drawing = Drawing(title, description, WIDTH)
        self.groups, self.tick, self.below = groups, tick, below
        names = [bar[0] for _, bars in groups for bar in bars]
        self.left = max(90.0, max(width_of(name) for name in names) + 24)
        self.axis = Axis(*limits, self.left, WIDTH - LABEL_ROOM, log)

    def height(self):
        return sum(len(bars) * STEP + TEXT + GAP + 6 for _, bars in self.groups)

    def grid(self):
        bottom = TOP + self.height()
        for value in self.axis.ticks(80):
            x = self.axis.at(value)
            self.drawing.line(x, TOP - 4, x, bottom, "grid")
            self.drawing.text(x, TOP - 10, self.tick(value), "faint", "middle")

    def row(self, y, label, value, kind, told, shown):
        drawing, start = self.drawing, self.axis.at(self.below or self.axis.low)
        drawing.text(self.left - 8, y + BAR - 2.5, label, "ink", "end", bold=kind == "ours")
        if value is None:
            drawing.text(start + 6, y + BAR - 2.5, shown, "faint")
            return
        end = self.axis.at(value)
        drawing.bar(min(start, end), y, abs(end - start), BAR, kind, told)
        drawing.text(max(start, end) + 6, y + BAR - 2.5, shown, "ink", bold=kind == "ours")

    def drawn(self):
        self.drawing.text(8, 20, self.drawing.title, size=16, bold=True)
        self.grid()
        y = TOP + 4
        for heading, bars in self.groups:
            self.drawing.text(8, y + TEXT, heading, bold=True)
            y += TEXT + 8
            for bar in bars:
                self.row(y, *bar)
                y += STEP
            y += GAP - 2
        if self.below:
            x = self.axis.at(self.below)
            self.drawing.line(x, TOP - 4, x, y - GAP, "frame")
        return self.drawing.written()


def time_bar(row):
    kind = "ours" if row["system"].startswith("cuseq") else "peer"
    if row["median_us"] is None:
        return row["system"], None, kind, "", f"not measured: {row['reason']}"
    rounds = f"rounds {duration(row['low_us'])} to {duration(row['high_us'])}"
    told = f"{row['system']}: {duration(row['median_us'])}, {rounds}"
    return label_of(row), row["median_us"], kind, told, duration(row["median_us"])


def workload_rows(data, threads):
    """The rows of the named workloads in float32, not those of sweeps."""
    return [
        row
        for row in rows(data, "time", threads=threads)
        if row["workload"].startswith("W") and not row.get("sweep") and not is_bf16(row)
    ]


def times(data, threads):
    """SVG text: all systems' times for each workload on so many threads; None without any."""
    found = workload_rows(data, threads)
    measured = [row for row in found if row["median_us"] is not None]
    if not measured:
        return None
    groups = []
    for workload in distinct(row["workload"] for row in found):
        groups.append((workload, [time_bar(row) for row in found if row["workload"] == workload]))
    low, high = around([row["median_us"] for row in measured])
    low = (
        low / 2 if min(row["median_us"] for row in measured) < low * 1.5 else low
    )  # the shortest bar is seen
    title = f"Time of a call on {threads_text(threads)}"
    told = "; ".join(f"{row['workload']} {row['system']} {duration(row['median_us'])}" for row in measured)
    return Chart(
        title + ", logarithmic", f"Medians. {told}.", groups, (low, high), True, tick_duration
    ).drawn()


def ours(found, workload):
    for row in found:
        if row["workload"] == workload and row["system"] == "cuseq":
            return row["median_us"]
    return None


def ratio_bar(row, time):
    value = row["median_us"] / time
    kind = "loss" if value < 1.0 else "win"
    told = f"{row['workload']}: {row['system']} takes {ratio(value)} cuseq's time"
    return label_of(row), value, kind, told, ratio(value) + (" (cuseq is slower)" if value < 1.0 else "")


def ratios(data, threads):
    """SVG text: every other system's time over cuseq's; None without any."""
    found = [row for row in workload_rows(data, threads) if row["median_us"] is not None]
    groups = []
    for workload in distinct(row["workload"] for row in found):
        time = ours(found, workload)
        bars = [
            ratio_bar(row, time)
            for row in found
            if time and row["workload"] == workload and not row["system"].startswith("cuseq")
        ]
        if bars:
            groups.append((workload, bars))
    if not groups:
        return None
    values = [bar[1] for _, bars in groups for bar in bars]
    low, high = around(values + [1.0, 0.8 if min(values) < 1.0 else 1.0])
    told = "; ".join(bar[3] for _, bars in groups for bar in bars)
    title = f"Time of other systems over cuseq's on {threads_text(threads)}"
    chart = Chart(
        title + ", logarithmic",
        f"Above 1 cuseq is faster, below 1 slower. {told}.",
        groups,
        (low, high),
        True,
        lambda value: f"{value:g}x",
        below=1.0,
    )
    return chart.drawn()


def start_bars(found, key, unit):
    bars = []
    for row in found:
        kind = "ours" if row["system"].startswith("cuseq") else "peer"
        value = row[key]
        if value is None:
            bars.append((row["system"], None, kind, "", f"not measured: {row['reason']}"))
        else:
            bars.append(
                (
                    row["system"],
                    value,
                    kind,
                    f"{row['system']}: {digits(value)} {unit}",
                    f"{digits(value)} {unit}",
                )
            )
    return bars


def start(data):
    """SVG text: process start to first answer, and peak memory; None without any."""
    found = rows(data, "start")
    values = [row[key] for row in found for key in ("median_ms", "peak_mb") if row[key] is not None]
    if not values:
        return None
    groups = [
        ("From process start to the first answer, ms", start_bars(found, "median_ms", "ms")),
        ("Peak resident memory, MB", start_bars(found, "peak_mb", "MB")),
    ]
    low, high = around(values)
    told = "; ".join(bar[3] for _, bars in groups for bar in bars if bar[3])
    return Chart(
        "Start and memory, logarithmic", f"{told}.", groups, (low / 2, high), True, lambda value: f"{value:g}"
    ).drawn()
