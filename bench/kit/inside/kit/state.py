"""What a run has found so far, in its folder of results; each file appears whole or not at all."""

import json
import os

from kit import process


def write(path, text):
    """The file, beside its place and then in it."""
    part = f"{path}.{os.getpid()}"
    try:
        with open(part, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(part, path)
    except OSError as error:
        if os.path.exists(part):
            os.remove(part)
        if process.full(error):
            raise process.Full(f"{path}: the disk is full") from None
        raise


def write_json(path, data):
    write(path, json.dumps(data, indent=1) + "\n")


def read_json(path):
    """What is in the file; None where it is not there or no JSON."""
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return None


def make_folder(path):
    """An empty folder; one of an earlier run gets the next free number."""
    if os.path.isdir(path) and os.listdir(path):
        number = 1
        while os.path.exists(f"{path}.{number}"):
            number += 1
        os.rename(path, f"{path}.{number}")
    os.makedirs(path, exist_ok=True)


class Step:
    """A step of the run: its status is done, part, failed or missing; a line says what came of it."""

    def __init__(self, name, status, line, seconds=0.0, **more):
        self.name = name
        self.status = status
        self.line = line
        self.seconds = seconds
        self.more = more

    def as_json(self):
        return {"step": self.name, "status": self.status, "line": self.line, "seconds": round(self.seconds, 1),
                **self.more}
