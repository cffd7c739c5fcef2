"""save_attention(model, path, ...): writes a Keras model with a hand-written attention layer as cuseq's.

The function is that of docs/from-keras.md, "From a hand-written attention layer", where it is described and can be
copied into a notebook; it is read from there, so that there is one of it.
"""

import ast
import pathlib

PAGE = pathlib.Path(__file__).resolve().parent.parent.parent / "docs" / "from-keras.md"
SECTION = "From a hand-written attention layer"


def blocks(page=PAGE, section=SECTION):
    """The indented blocks of a section of a page, as texts."""
    text = page.read_text(encoding="utf-8").split(f"\n## {section}\n")[1].split("\n## ")[0]
    found, block = [], []
    for line in text.splitlines() + ["end"]:
        if line.startswith("    ") or (block and not line):
            block.append(line[4:])
        elif block:
            found.append("\n".join(block).rstrip() + "\n")
            block = []
    return found


def definition():
    """What the page's block with the function has, but for the call at its end."""
    (block,) = [block for block in blocks() if "def save_attention" in block]
    tree = ast.parse(block, str(PAGE))
    tree.body = [node for node in tree.body if not isinstance(node, ast.Expr)]
    return compile(tree, str(PAGE), "exec")


exec(definition())
