"""A folder of text files, in parts that are translated one by one.

A part is a run of lines of one file. What comes of it is a file of its own, which appears whole or not at all; a
part that has its file is done, whoever made it. So a job may be killed anywhere and started again: what is done
stays, what was under way is done again, and no line is lost or doubled. At the end the parts of a file become one
file, with a line for each of its lines."""

import os
import pathlib
import shutil

import cuseq

LINES = 50_000
TOGETHER = 256  # texts in a call


def cut(source, output, lines=LINES):
    """The parts of every .txt file of a folder: where each begins, how many lines it has, and the file it becomes."""
    parts = []
    for path in sorted(pathlib.Path(source).glob("*.txt")):
        starts, offset, count = [], 0, 0
        with open(path, "rb") as file:
            for line in file:
                if count % lines == 0:
                    starts.append(offset)
                offset += len(line)
                count += 1
        for number, start in enumerate(starts):
            target = pathlib.Path(output) / ".parts" / f"{path.name}.{lines}.{number:06d}"
            first = number * lines
            parts.append(
                {
                    "path": str(path),
                    "start": start,
                    "first": first,
                    "count": min(lines, count - first),
                    "target": str(target),
                }
            )
    return parts


def is_done(part):
    return os.path.exists(part["target"])


def read(part):
    with open(part["path"], "rb") as file:
        file.seek(part["start"])
        return [file.readline().decode(errors="replace").rstrip("\r\n") for _ in range(part["count"])]


def write(part, outputs, errors):
    """The part's file, and beside it what was refused. The rename is what makes the part done."""
    target = pathlib.Path(part["target"])
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.partial.{os.getpid()}")
    refused = target.with_name(f"{target.name}.errors")
    partial.write_text("".join(f"{error}\n" for error in errors))
    os.replace(partial, refused)
    partial.write_text("".join(f"{output}\n" for output in outputs))
    os.replace(partial, target)


def translate(model, texts, **how):
    """A text for each text. One that is refused gives an empty one, and (its place, why)."""
    try:
        return list(model.translate(texts, batch=TOGETHER, **how)), []
    except cuseq.ArgumentError as error:
        if len(texts) == 1:
            return [""], [(0, str(error))]
    half = len(texts) // 2
    outputs, errors = translate(model, texts[:half], **how)
    more, others = translate(model, texts[half:], **how)
    return outputs + more, errors + [(half + place, why) for place, why in others]


def do(model, part, **how):
    """Translates a part. Empty lines stay empty. Returns how many lines were translated, and how many refused."""
    lines = read(part)
    places = [i for i, line in enumerate(lines) if line.strip()]
    outputs, errors = [""] * len(lines), []
    for first in range(0, len(places), TOGETHER):
        group = places[first : first + TOGETHER]
        found, refused = translate(model, [lines[i] for i in group], **how)
        for i, text in zip(group, found, strict=True):
            outputs[i] = text
        name = os.path.basename(part["path"])
        errors += [f"{name}:{part['first'] + group[place] + 1}: {why}" for place, why in refused]
    write(part, outputs, errors)
    return len(places) - len(errors), len(errors)


def join(parts, output):
    """The parts as files of the output folder, when all are done: NAME.txt, and errors.txt of all."""
    files, errors = {}, []
    for part in parts:
        files.setdefault(os.path.basename(part["path"]), []).append(part["target"])
    for name, targets in files.items():
        partial = pathlib.Path(output) / f".{name}.partial"
        with open(partial, "wb") as file:
            for target in targets:
                with open(target, "rb") as one:
                    shutil.copyfileobj(one, file)
                with open(f"{target}.errors", "rb") as one:
                    errors.append(one.read())
        os.replace(partial, pathlib.Path(output) / name)
    (pathlib.Path(output) / "errors.txt").write_bytes(b"".join(errors))
    shutil.rmtree(pathlib.Path(output) / ".parts")
