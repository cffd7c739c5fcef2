"""Scales from figures to pixels, their ticks, and how figures are written."""

import math


class Axis:
    """Figures low .. high to pixels begin .. end, in logarithms or evenly."""

    def __init__(self, low, high, begin, end, log=True):
        self.low, self.high, self.begin, self.end, self.log = low, high, begin, end, log

    def at(self, value):
        value = min(max(value, self.low), self.high)
        if self.log:
            part = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            part = (value - self.low) / (self.high - self.low)
        return self.begin + part * (self.end - self.begin)

    def ticks(self, room=60):
        """Round figures within, at least about `room` pixels apart."""
        length = abs(self.end - self.begin)
        if not self.log:
            return even_ticks(self.low, self.high, max(2, int(length / room)))
        decades = math.log10(self.high / self.low)
        per_decade = length / max(decades, 1e-9)
        steps = (1, 2, 5) if per_decade >= 3 * room else (1,)
        every = max(1, math.ceil(room / per_decade)) if steps == (1,) else 1
        first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
        found = [
            step * 10.0**decade for decade in range(first, last + 1) if decade % every == 0 for step in steps
        ]
        return [tick for tick in found if self.low * 0.999 <= tick <= self.high * 1.001]


def even_ticks(low, high, most):
    raw = (high - low) / most
    size = 10 ** math.floor(math.log10(raw))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [step * n for n in range(first, int(math.floor(high / step + 1e-9)) + 1)]


def around(values, least_decades=1.0):
    """Powers of ten (or 2 and 5 times them) around all values, at least `least_decades` apart."""
    low, high = min(values), max(values)
    steps = [step * 10.0**decade for decade in range(-4, 13) for step in (1, 2, 5)]
    below = [step for step in steps if step <= low * 1.001]
    above = [step for step in steps if step >= high * 0.999]
    low = below[-1] if below else low
    high = above[0] if above else high
    while math.log10(high / low) < least_decades:
        high *= 10.0
    return low, high


def digits(value, count=3):
    """So many digits, without an exponent: 0.123, 1.23, 12.3, 123, 1234."""
    if value == 0:
        return "0"
    before = math.floor(math.log10(abs(value))) + 1
    return f"{value:.{max(0, count - before)}f}"


def duration(us):
    """Microseconds with their unit: 12.3 us, 4.56 ms, 1.20 s; exact powers of ten are short."""
    for limit, factor, unit in ((999.5, 1.0, "µs"), (999500.0, 1e3, "ms"), (math.inf, 1e6, "s")):
        if us < limit:
            return f"{digits(us / factor)} {unit}"
    return ""


def tick_duration(us):
    for limit, factor, unit in ((999.5, 1.0, "µs"), (999500.0, 1e3, "ms"), (math.inf, 1e6, "s")):
        if us < limit:
            return f"{us / factor:g} {unit}"
    return ""


def ratio(value):
    """How many times: 0.98x, 1.23x, 12.3x, 123x."""
    return f"{digits(value, 3 if value >= 1.0 else 2)}x"


def percent(share):
    return f"{100 * share:.0f}%" if share >= 0.0995 else f"{100 * share:.1f}%"


def threads_text(threads):
    return "1 thread" if threads == 1 else f"{threads} threads"
