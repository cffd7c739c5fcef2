"""What a run of random models says at its end."""

from collections import Counter

FAILURES = ("WRONG", "FAULT")
VERDICTS = ("equal", "refused", "hidden", "WRONG", "FAULT", "unmade")
MEANINGS = """\
equal    every output that the file lists, as Keras computes it
refused  in one line that says why
hidden   other numbers, of a class of the author's own that the file has no sign of (docs/from-keras.md)
WRONG    other numbers, or numbers without the line that must go with them
FAULT    a crash, a hang, a refusal without a reason; or the generator itself fails
unmade   Keras itself makes or saves no such model"""


def summary(lines: list[dict]) -> str:
    """How many of each verdict, in one line."""
    counts = Counter(line["verdict"] for line in lines)
    return ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS if counts[verdict])


def kind_of(line: dict) -> str:
    """A row of the table."""
    return f"Keras {line['keras']} {line.get('file', '')} {line['kind']}".replace("  ", " ")


def table(lines: list[dict], row_of) -> list[str]:
    """Counts of the verdicts in rows."""
    rows: dict[str, Counter] = {}
    for line in lines:
        for name in row_of(line):
            rows.setdefault(name, Counter())[line["verdict"]] += 1
    width = max([len(name) for name in rows] + [10])
    made = [f"{'':{width}} " + " ".join(f"{verdict:>8}" for verdict in VERDICTS)]
    for name in sorted(rows):
        made.append(f"{name:{width}} " + " ".join(f"{rows[name][verdict] or '-':>8}" for verdict in VERDICTS))
    return made


def twists_of(line: dict) -> list[str]:
    """What is unusual about a model; strangers by the name of their class alone."""
    names = [
        " ".join(twist.split()[:2]) if twist.startswith("stranger") else twist for twist in line["twists"]
    ]
    return sorted(set(names)) or ["(nothing unusual)"]


def failures(given, lines: list[dict]) -> list[str]:
    """A line for each file that went wrong, and how to make it again."""
    made = []
    for line in lines:
        if line["verdict"] in FAILURES:
            again = f"--seed {given.seed} --keras {line['keras']} --model {line['number']}"
            what = f"{line['verdict']} {again} {line.get('file', '')}: {line['reason']}"
            made.append(f"{what} [{line['kind']}{''.join(', ' + twist for twist in line['twists'])}]")
    return made


def text(given, versions: dict[str, str], lines: list[dict]) -> str:
    """The whole report."""
    keras = ", ".join(f"Keras {version} ({backend})" for version, backend in sorted(versions.items()))
    models = len({(line["keras"], line["number"]) for line in lines if line["verdict"] != "unmade"})
    head = [
        f"# seed {given.seed}; {keras}",
        f"# {models} models, {sum(line['verdict'] != 'unmade' for line in lines)} files: {summary(lines)}",
        *(f"# {meaning}" for meaning in MEANINGS.splitlines()),
    ]
    bodies = [table(lines, lambda line: [kind_of(line)]), table(lines, twists_of), failures(given, lines)]
    return "\n\n".join("\n".join(part) for part in [head, *bodies] if part)
