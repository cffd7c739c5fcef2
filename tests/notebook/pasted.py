"""Pastes what there is to paste behind a notebook's model, as a notebook would run it: the blocks of docs/from-keras.md,
"From a hand-written attention layer", one after the other, or with the argument "readme" that of examples/notebook's
README.md, in a folder that has examples. Writes into the current folder; cuseq is on PATH."""

import importlib.util
import pathlib
import sys

EXAMPLE = pathlib.Path(__file__).resolve().parent.parent.parent / "examples" / "notebook"
sys.path.insert(0, str(EXAMPLE))

import notebook
import save_attention


def paste(block, scope):
    """Runs a block; a line that begins with ! is the shell's. What shows a picture needs IPython."""
    shows = importlib.util.find_spec("IPython") is not None
    lines = []
    for line in block.splitlines():
        if line.startswith("!"):
            line = f"__import__('subprocess').run({line[1:]!r}, shell=True, check=True)"
        elif ("IPython" in line or line.startswith("SVG")) and not shows:
            line = ""
        lines.append(line)
    exec("\n".join(lines), scope)


def page():
    """The function, and what comes behind it."""
    sketch, function, lines = save_attention.blocks()
    assert "class ManualAttention" in sketch and "def save_attention" in function
    return function, lines


def readme():
    block = save_attention.blocks(EXAMPLE / "README.md", "In a notebook of one's own")[-1]
    assert len(block.splitlines()) <= 12, block
    return (block,)


def main():
    model, _, _ = notebook.one_look(dense=False)
    scope = {"model": model, "x": notebook.dates()}
    for block in readme() if "readme" in sys.argv else page():
        paste(block, scope)


if __name__ == "__main__":
    main()
