"""Curves: time and share of the peak against what is swept, with the floor that arithmetic sets."""

from axis import Axis, around, duration, percent, threads_text, tick_duration
from results import distinct, rows
from svg import TEXT, Drawing, width_of

WIDTH = 860
LEFT, RIGHT, PANEL_GAP = 66, 24, 74
TIME_HEIGHT, SHARE_HEIGHT = 240, 130
NAMES = {
    "B": "rows of the batch, B",
    "T": "positions, T",
    "H": "units per direction, H",
    "threads": "threads",
}


def measured(data, sweep):
    return [row for row in rows(data, "point", sweep=sweep) if row["median_us"] is not None]


def told_of(row):
    return (
        f"{row['sweep']} {row['value']}, {threads_text(row['threads'])}: {duration(row['median_us'])}, "
        f"{percent(row['share'])} of the peak, floor {duration(row['floor_us'])}"
    )


def frame(drawing, x, y):
    """Lines at the left and below, through the axes' ends."""
    drawing.line(x.begin, y.begin, x.end, y.begin, "frame")
    drawing.line(x.begin, y.begin, x.begin, y.end, "frame")


def grid_y(drawing, x, y, tick, room):
    for value in y.ticks(room):
        at = y.at(value)
        drawing.line(x.begin, at, x.end, at, "grid")
        drawing.text(x.begin - 6, at + 4, tick(value), "faint", "end")


def grid_x(drawing, x, y, values, labels):
    """A tick for every value that there is room for."""
    last = -1e9
    for value in values:
        at, text = x.at(value), f"{value:g}"
        if at - last < width_of(text) + 8:
            continue
        drawing.line(at, y.begin, at, y.end, "grid")
        if labels:
            drawing.text(at, y.begin + 18, text, "faint", "middle")
        last = at


def legend(drawing, left, y, threads, floors):
    """One entry a line, so that none is cut."""
    for index, count in enumerate(threads):
        drawing.line(left, y, left + 26, y, f"line{index}")
        drawing.marker(left + 13, y, index)
        drawing.text(left + 34, y + 4.5, threads_text(count), "ink")
        if floors:
            middle = left + 140
            drawing.line(middle, y, middle + 26, y, f"floor line{index}")
            drawing.text(middle + 34, y + 4.5, "floor, at the peak", "ink")
        y += TEXT + 6
    return y


def powers(values):
    """Powers of two among the values, or all of them where there are few."""
    some = [value for value in values if value & (value - 1) == 0]
    return some if len(some) >= 3 else values


def panel(drawing, found, left, right, limits):
    """One model: times above, shares of the peak below, over the same x."""
    threads = sorted(distinct(row["threads"] for row in found))
    values = sorted(distinct(row["value"] for row in found))
    drawing.text(left, 52, found[0]["model"], bold=True)
    top = legend(drawing, left, 70, threads, True) + 4
    x = Axis(min(values), max(values), left, right)
    y = Axis(*limits, top + TIME_HEIGHT, top)
    share = Axis(0.0, 1.0, top + TIME_HEIGHT + 28 + SHARE_HEIGHT, top + TIME_HEIGHT + 28, log=False)
    for axis, tick, room in ((y, tick_duration, 36), (share, percent_tick, 32)):
        grid_y(drawing, x, axis, tick, room)
        grid_x(drawing, x, axis, powers(values), axis is share)
        frame(drawing, x, axis)
    for index, count in enumerate(threads):
        line = [row for row in found if row["threads"] == count]
        drawing.curve([(x.at(row["value"]), y.at(row["floor_us"])) for row in line], f"floor line{index}")
        drawing.curve([(x.at(row["value"]), y.at(row["median_us"])) for row in line], f"line{index}")
        drawing.curve([(x.at(row["value"]), share.at(row["share"])) for row in line], f"line{index}")
        for row in line:
            drawing.marker(x.at(row["value"]), y.at(row["median_us"]), index, told_of(row))
            drawing.marker(x.at(row["value"]), share.at(row["share"]), index, told_of(row))
    drawing.text(
        (left + right) / 2, share.begin + 38, NAMES[found[0]["sweep"]] + ", logarithmic", "faint", "middle"
    )
    drawing.text(left + 6, share.end - 8, "share of the peak", "faint")


def percent_tick(value):
    return f"{100 * value:.0f}%"


def sweep(data, name):
    """SVG text: a panel for each model that was swept; None without any."""
    found = measured(data, name)
    models = distinct(row["model"] for row in found)
    if not models:
        return None
    told = "; ".join(f"{row['model']}, {told_of(row)}" for row in found)
    drawing = Drawing(f"Time of a call against {name}, logarithmic", f"Medians. {told}.", WIDTH)
    drawing.text(8, 20, drawing.title, size=16, bold=True)
    times = [row[key] for row in found for key in ("median_us", "floor_us") if row[key] > 0]
    limits = around(times)
    room = (WIDTH - LEFT - RIGHT - PANEL_GAP * (len(models) - 1)) / len(models)
    for index, model in enumerate(models):
        left = LEFT + index * (room + PANEL_GAP)
        panel(drawing, [row for row in found if row["model"] == model], left, left + room, limits)
    return drawing.written()


def gain(data):
    """SVG text: how many times faster more threads are, beside as many times as threads; None without any."""
    found = measured(data, "threads")
    models = distinct(row["model"] for row in found)
    if not models:
        return None
    most = max(row["threads"] for row in found)
    lines = {}
    for model in models:
        one = [row["median_us"] for row in found if row["model"] == model and row["threads"] == 1]
        if one:
            lines[model] = [
                (row["threads"], one[0] / row["median_us"]) for row in found if row["model"] == model
            ]
    told = "; ".join(
        f"{model}: " + ", ".join(f"{gain:.2f} on {threads_text(count)}" for count, gain in line)
        for model, line in lines.items()
    )
    drawing = Drawing("Times faster on more threads", f"{told}.", WIDTH)
    drawing.text(8, 20, drawing.title, size=16, bold=True)
    y = 46
    for index, model in enumerate(lines):
        drawing.line(LEFT, y, LEFT + 26, y, f"line{index % 4}")
        drawing.marker(LEFT + 13, y, index)
        drawing.text(LEFT + 34, y + 4.5, model)
        y += TEXT + 6
    drawing.line(LEFT, y, LEFT + 26, y, "floor frame")
    drawing.text(LEFT + 34, y + 4.5, "as many times as threads")
    top = y + 20
    high = max([most] + [gain for line in lines.values() for _, gain in line])
    x = Axis(1, max(most, 2), LEFT, WIDTH - RIGHT - 60, log=False)
    y = Axis(0, high * 1.05, top + TIME_HEIGHT, top, log=False)
    grid_y(drawing, x, y, lambda value: f"{value:g}x", 40)
    grid_x(drawing, x, y, sorted(distinct(count for line in lines.values() for count, _ in line)), True)
    frame(drawing, x, y)
    drawing.curve([(x.at(1), y.at(1)), (x.at(most), y.at(most))], "floor frame")
    for index, line in enumerate(lines.values()):
        drawing.curve([(x.at(count), y.at(value)) for count, value in line], f"line{index % 4}")
        for count, value in line:
            drawing.marker(x.at(count), y.at(value), index, f"{threads_text(count)}: {value:.2f}x")
    drawing.text((x.begin + x.end) / 2, y.begin + 38, NAMES["threads"], "faint", "middle")
    return drawing.written()
