"""A drawing as SVG text: elements, and colours for light and dark pages.

GitHub shows an SVG of the repository through <img>: styles inside the file work and follow the reader's
colour scheme, scripts, links and fonts from elsewhere do not. Nothing is told by colour alone: bars carry
names, curves markers of their own shape.
"""

from xml.sax.saxutils import escape, quoteattr

FONT = "system-ui, 'Segoe UI', 'DejaVu Sans', Helvetica, Arial, sans-serif"
TEXT = 13  # pixels; the smallest text
WIDE = 0.62  # of the font size: what a character takes at most, on average

# Class -> (light, dark). Each stands out from its own page, and is still to be read on the other one, which
# is what a reader sees whose browser and page disagree; the tests measure both. Blue and orange differ for
# every eye.
COLOURS = {
    "ink": ("#57606a", "#98a2ad"),
    "faint": ("#616b76", "#8b949e"),
    "grid": ("#8b949e", "#8b949e"),
    "frame": ("#616b76", "#8b949e"),
    "ours": ("#0072b2", "#56b4e9"),
    "win": ("#0072b2", "#56b4e9"),
    "peer": ("#7d8590", "#8b949e"),
    "loss": ("#c2570c", "#f0883e"),
    "line0": ("#0072b2", "#56b4e9"),
    "line1": ("#c2570c", "#f0883e"),
    "line2": ("#00794f", "#3fb983"),
    "line3": ("#a1437a", "#dd8fbd"),
}
STROKED = ("grid", "frame", "line0", "line1", "line2", "line3")
FILLED = ("ink", "faint", "ours", "win", "peer", "loss")


def width_of(text, size=TEXT):
    """Pixels that a text takes at most."""
    return len(text) * size * WIDE


def number(value):
    return f"{value:.1f}".rstrip("0").rstrip(".")


def style():
    def rules(index):
        text = [f".{name} {{ fill: {COLOURS[name][index]} }}" for name in FILLED]
        text += [f".{name} {{ stroke: {COLOURS[name][index]} }}" for name in STROKED]
        text += [f".dot{n} {{ fill: {COLOURS[f'line{n}'][index]} }}" for n in range(4)]
        return "\n".join(text)

    return (
        f"<style>\n{rules(0)}\n"
        ".grid { stroke-width: 1; stroke-opacity: 0.35 }\n.frame { stroke-width: 1 }\n"
        ".curve { fill: none; stroke-width: 2 }\n.floor { stroke-dasharray: 5 4; stroke-width: 1.5 }\n"
        f"@media (prefers-color-scheme: dark) {{\n{rules(1)}\n}}\n</style>"
    )


class Drawing:
    """Elements in the order of their drawing; the size follows from what is drawn."""

    def __init__(self, title, description, width):
        self.title, self.description, self.width, self.height = title, description, width, 0
        self.elements = []

    def add(self, element, bottom):
        self.elements.append(element)
        self.height = max(self.height, bottom)

    def text(self, x, y, text, kind="ink", anchor="start", size=TEXT, bold=False, turned=False):
        """A text whose baseline is at y; `turned`: read from below, around (x, y)."""
        more = f' text-anchor="{anchor}"' if anchor != "start" else ""
        more += ' font-weight="600"' if bold else ""
        more += f' transform="rotate(-90 {number(x)} {number(y)})"' if turned else ""
        self.add(
            f'<text class="{kind}" x="{number(x)}" y="{number(y)}" font-size="{size}"{more}>'
            f"{escape(text)}</text>",
            y + 6,
        )

    def line(self, x1, y1, x2, y2, kind):
        self.add(
            f'<line class="{kind}" x1="{number(x1)}" y1="{number(y1)}" x2="{number(x2)}" y2="{number(y2)}"/>',
            max(y1, y2),
        )

    def bar(self, x, y, width, height, kind, told):
        self.add(
            f'<rect class="{kind}" x="{number(x)}" y="{number(y)}" width="{number(max(width, 1))}" '
            f'height="{number(height)}">'
            f"<title>{escape(told)}</title></rect>",
            y + height,
        )

    def curve(self, points, kind):
        path = " ".join(f"{number(x)},{number(y)}" for x, y in points)
        self.add(f'<polyline class="curve {kind}" points="{path}"/>', max(y for _, y in points))

    def marker(self, x, y, index, told=""):
        """Circle, square, triangle, diamond: one shape for each index."""
        inside = f"<title>{escape(told)}</title>" if told else ""
        kind = f'class="dot{index % 4}"'
        shapes = [
            [(-3.5, -3.5), (3.5, -3.5), (3.5, 3.5), (-3.5, 3.5)],
            [(0, -4.5), (4.5, 3.5), (-4.5, 3.5)],
            [(0, -5), (5, 0), (0, 5), (-5, 0)],
        ]
        if index % 4 == 0:
            self.add(f'<circle {kind} cx="{number(x)}" cy="{number(y)}" r="3.5">{inside}</circle>', y)
            return
        corners = " ".join(f"{number(x + dx)},{number(y + dy)}" for dx, dy in shapes[index % 4 - 1])
        self.add(f'<polygon {kind} points="{corners}">{inside}</polygon>', y)

    def written(self):
        height = round(self.height + 8)
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{self.width}" height="{height}" '
            f'viewBox="0 0 {self.width} {height}" role="img" aria-labelledby="title description" '
            f"font-family={quoteattr(FONT)}>"
        )
        return (
            "\n".join(
                [
                    head,
                    f'<title id="title">{escape(self.title)}</title>',
                    f'<desc id="description">{escape(self.description)}</desc>',
                    style(),
                    *self.elements,
                    "</svg>",
                ]
            )
            + "\n"
        )
