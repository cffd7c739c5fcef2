"""check_keys.py PYTHON...: compares the table of host/convert/keras/identity_keys.c, by which a class is
told to be Keras' own, with what the Keras of each of these interpreters writes. PYTHON:tensorflow asks
for TensorFlow's Keras, where both are installed. Exit status 1 where the table has a key that Keras
never writes, or lacks one.

A key with `?` in the table may be missing, so it is a difference only where no configuration has it;
that is said, and counts as none, for the cases that are asked for are not all there are.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
TABLE = HERE.parent.parent.parent / "host/convert/keras/identity_keys.c"


def literals(text, macros):
    """The text of adjacent string literals and of the macros among them."""
    parts = re.findall(r'"([^"]*)"|\b([A-Z]+)\b', text)
    return "".join(macros[name] if name else string for string, name in parts)


def table():
    """{"layers": {class: words}, "operations": ..., "versions": {class: [ranges]}}, from the C file."""
    source = re.sub(r"/\*.*?\*/", "", TABLE.read_text(), flags=re.S)
    macros = {}
    for name, body in re.findall(r"#define (\w+)\s((?:.*\\\n)*.*)\n", source):
        macros[name] = literals(body.replace("\\\n", " "), macros)
    found = {}
    for kind in ("layers", "operations", "versions"):
        body = re.search(rf"identity_keys {kind}\[\] = \{{(.*?)\n\}};", source, re.S)[1]
        rows = re.findall(r'\{"(\w+)",\s*(.*?)\},?\s*(?=\{"|$)', body, re.S)
        found[kind] = {name: literals(words, macros).split() for name, words in rows}
        assert len(found[kind]) == body.count('{"'), kind
    return found


def line_of(version, tensorflow):
    """The line of versions, as the table's ranges name it, and the minor version."""
    major, minor = (int(part) for part in re.match(r"(\d+)\.(\d+)", version).groups())
    if major > 2:
        return "n", minor
    return "t" if tensorflow or minor > 3 else "s", minor


def applies(ranges, line, minor):
    """Whether "s0-2,t3-,n" covers a version."""
    for one in ranges.split(","):
        low, dash, high = one[1:].partition("-")
        ends = (int(low or 0), int(high) if high else 10**6) if dash else (int(low or 0), int(low or 10**6))
        if one[0] == line and ends[0] <= minor <= ends[1]:
            return True
    return False


def expected(words, line, minor):
    """(keys that are always written, keys that may be) of this version."""
    always, sometimes = set(), set()
    for word in words:
        key, _, ranges = word.partition("@")
        if not ranges or applies(ranges, line, minor):
            (sometimes if key.endswith("?") else always).add(key.rstrip("?"))
    return always, sometimes - always


def ask(python, tensorflow):
    """What that interpreter's Keras writes."""
    words = [python, "-B", str(HERE / "ask_keys.py"), *(["tensorflow"] if tensorflow else [])]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{python}: {done.stderr.strip()[-400:]}")
    return json.loads(done.stdout.splitlines()[-1])


def differences(name, words, written, line, minor):
    """Texts for what differs of one class; the flag: whether it is more than a key that never came."""
    always, sometimes = expected(words, line, minor)
    for key in sorted(set().union(*written) - always - sometimes):
        yield f"{name}: Keras writes {key}, which the table has not", True
    for key in sorted(always - set.intersection(*map(set, written))):
        yield f"{name}: the table has {key}, which Keras does not always write", True
    for key in sorted(sometimes - set().union(*written)):
        yield f"{name}: {key} did not come", False


def main(words):
    known, wrong = table(), 0
    for word in words:
        python, _, flag = word.partition(":")
        got = ask(python, flag == "tensorflow")
        tensorflow = flag == "tensorflow" or got["tensorflow"]
        line, minor = line_of(got["version"], tensorflow)
        print(f"{'TensorFlow, ' if tensorflow else ''}Keras {got['version']}")
        for kind in ("layers", "operations"):
            for name, written in sorted(got[kind].items()):
                if name not in known[kind]:
                    continue
                for text, counts in differences(name, known[kind][name], written, line, minor):
                    print(f"  {text}{'' if counts else ' (never seen)'}")
                    wrong += counts
            print(f"  {len(got[kind])} {kind}")
        for name in sorted(
            set(known["layers"]) - {"TFOpLambda", "SlicingOpLambda"}
        ):  # which is no name in keras.layers
            there = name not in known["versions"] or applies(known["versions"][name][0], line, minor)
            if there != (name in got["layers"]):
                print(f"  {name}: {'not there' if there else 'there'}, against the table")
                wrong += 1
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
