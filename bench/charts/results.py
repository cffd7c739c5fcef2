"""Reads bench/results: what ../results/README.md describes, checked before anything is made of it."""

import json
import math
import os

BENCHES = ("cpu", "frameworks", "scaling", "counters", "gpu")
HEAD = {
    "bench": str,
    "machine": str,
    "versions": dict,
    "date": str,
    "commit": str,
    "command": str,
    "rounds": int,
    "rows": list,
}

# The members that a row of a kind has: text, number (which may be null where there is a reason) or flag.
ROWS = {
    "time": {
        "workload": str,
        "threads": int,
        "system": str,
        "median_us": float,
        "low_us": float,
        "high_us": float,
    },
    "start": {"system": str, "median_ms": float, "peak_mb": float},
    "system": {"system": str},
    "target": {"target": str, "found": str},
    "point": {
        "sweep": str,
        "model": str,
        "value": int,
        "threads": int,
        "median_us": float,
        "low_us": float,
        "high_us": float,
        "share": float,
        "floor_us": float,
        "stream_us": float,
        "verified": bool,
    },
    "fit": {
        "sweep": str,
        "model": str,
        "threads": int,
        "range": str,
        "from": int,
        "to": int,
        "points": int,
        "exponent": float,
        "exponent_error": float,
        "floor_exponent": float,
    },
    "edge": {
        "sweep": str,
        "model": str,
        "threads": int,
        "from": int,
        "to": int,
        "share_low": float,
        "share_high": float,
        "best_share": float,
        "cause": str,
        "evidence": str,
    },
    "machine": {"what": str, "value": float, "unit": str},
    "counter": {
        "workload": str,
        "version": str,
        "launches": int,
        "instructions": int,
        "sectors": int,
        "barriers": int,
    },
    "cycles": {"what": str, "kernel": str, "estimated": float, "measured": float},
    "counter of a structure": {
        "title": str,
        "launches": int,
        "nodes": int,
        "instructions": int,
        "sectors": int,
        "sectors_least": int,
    },
}


class Bad(Exception):
    """A file that is not what it should be."""


def has_type(value, kind):
    if kind is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if kind is int:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and value == int(value)
    return isinstance(value, kind)


def check_row(row, where):
    if not isinstance(row, dict) or row.get("kind") not in ROWS:
        raise Bad(
            f"{where}: an unknown kind of row (found {row.get('kind') if isinstance(row, dict) else row!r})"
        )
    for key, kind in ROWS[row["kind"]].items():
        if row.get(key) is None and kind is float:
            if not row.get("reason"):
                raise Bad(f"{where}: {row['kind']} without {key} (needed it, or a reason)")
            row[key] = None
        elif not has_type(row.get(key), kind):
            raise Bad(f"{where}: {key} is no {kind.__name__} (found {row.get(key)!r})")


def check(data, name):
    """Raises Bad where `data` is not what the bench `name` writes."""
    if not isinstance(data, dict):
        raise Bad(f"{name}: no JSON object")
    for key, kind in HEAD.items():
        if not has_type(data.get(key), kind):
            raise Bad(f"{name}: {key} is missing or no {kind.__name__} (found {data.get(key)!r})")
    if data["bench"] != name:
        raise Bad(f"{name}: holds another bench's results (found {data['bench']})")
    for index, row in enumerate(data["rows"]):
        check_row(row, f"{name}: row {index}")


def no_constant(text):
    raise ValueError(f"{text} is no JSON")


def load(folder):
    """Bench -> its results, of those that are there."""
    found = {}
    for name in BENCHES:
        path = os.path.join(folder, name + ".json")
        if not os.path.exists(path):
            continue
        try:
            with open(path, encoding="utf-8") as file:
                data = json.load(file, parse_constant=no_constant)
        except ValueError as error:
            raise Bad(f"{path}: not readable ({error})") from None
        check(data, name)
        found[name] = data
    return found


def rows(data, kind, **members):
    """The rows of a kind whose members are as given, in the file's order; none where `data` is None."""
    return [
        row
        for row in (data or {"rows": []})["rows"]
        if row["kind"] == kind and all(row.get(key) == value for key, value in members.items())
    ]


def is_bf16(row):
    """Whether a time is of a system that computes in bf16; it stands beside its like alone."""
    return row["system"].endswith(" bf16")


def distinct(values):
    """In the order of their first appearance."""
    return list(dict.fromkeys(values))
