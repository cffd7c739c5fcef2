"""Executes examples/notebook/attention.ipynb from its first cell to its last, in a kernel of this interpreter: execute.py [--write].

Every cell must run; those that compare assert what they compare. The committed outputs must be of the same cells: as many of
the same kinds, and equal texts where no number, name of a class or time is in them. --write puts what came out in the file.
Says what is missing and exits with 77 where nbclient, ipykernel, TensorFlow, matplotlib or cuseq is."""

import importlib.util
import pathlib
import re
import sys

NOTEBOOK = pathlib.Path(__file__).resolve().parents[2] / "examples" / "notebook" / "attention.ipynb"
NEEDED = ("nbclient", "nbformat", "ipykernel", "tensorflow", "matplotlib", "cuseq")


def shown(cell):
    """What a cell shows, apart from what differs from machine to machine: its outputs' kinds, and words without numbers."""
    found = []
    for output in cell["outputs"]:
        if output["output_type"] == "stream":
            if output["name"] == "stdout":
                found.append(("text", re.sub(r"[-\d.e]+", "#", output["text"]).split()))
        elif "image/png" in output["data"]:
            found.append(("picture", []))
        else:
            found.append(("text", re.sub(r"[-\d.e]+", "#", output["data"]["text/plain"]).split()))
    return found


def executed(notebook):
    from nbclient import NotebookClient

    client = NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(NOTEBOOK.parent)}}
    )
    client.execute()
    for cell in notebook.cells:
        cell.metadata = {}  # when it ran
        if cell.cell_type == "code":  # warnings of frameworks
            cell.outputs = [o for o in cell.outputs if o.output_type != "stream" or o.name == "stdout"]
    return notebook


def main():
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        print(f"[SKIP] attention.ipynb: {sys.executable} has no {', '.join(missing)}")
        return 77
    import nbformat

    committed = nbformat.read(NOTEBOOK, as_version=4)
    found = executed(nbformat.read(NOTEBOOK, as_version=4))
    if "--write" in sys.argv[1:]:
        found.metadata = committed.metadata
        nbformat.write(found, NOTEBOOK)
        return 0
    wrong = [
        f"cell {i}: it shows something else than what is committed\n  {shown(now)}\n  {shown(then)}"
        for i, (now, then) in enumerate(zip(found.cells, committed.cells, strict=True))
        if now.cell_type == "code" and shown(now) != shown(then)
    ]
    print("\n".join(wrong) or f"{len(found.cells)} cells of attention.ipynb ran, and show what is committed")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
