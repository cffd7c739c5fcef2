"""refused.py NAME FOLDER CUSEQ: a model of a published package that cuseq cannot express, and what it says
of it. Prints [[what was tried, what cuseq says, what it has to say]] as a line of JSON."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

Tries = list[
    tuple[str, list, str]
]  # what was tried, the words behind `cuseq convert`, a pattern of the answer


def rnnmorph(folder: Path, work: Path) -> Tries:
    """rnnmorph 0.4.1: in front of its LSTM layers a network of its own reads each word's characters. The
    weights lie in one file and the description in another; joined as Keras joins them, they say so."""
    import h5py

    found = []
    for language in ("ru", "en"):
        models = folder / f"rnnmorph-0.4.1/rnnmorph/models/{language}"
        described = (models / "eval_model.json").read_text()
        whole = work / f"{language}.h5"
        with h5py.File(models / "eval_model.h5") as weights, h5py.File(whole, "w") as file:
            file.attrs["model_config"] = described
            file.attrs["keras_version"] = json.loads(described)["keras_version"]
            file.attrs["backend"] = weights.attrs["backend"]
            weights.copy("/", file, name="model_weights")
        found.append((f"{language}, weights alone", [models / "eval_model.h5"], "weights only"))
        found.append(
            (f"{language}, with its description", [whole], r"layer 'time_distributed_1' \(TimeDistributed\)")
        )
    return found


def main(words: list[str]) -> int:
    """The whole; the exit status."""
    name, folder, cuseq = words[0], Path(words[1]), words[2]
    with tempfile.TemporaryDirectory() as work:
        found = []
        for what, given, wanted in {"rnnmorph": rnnmorph}[name](folder, Path(work)):
            command = [
                cuseq,
                "convert",
                str(given[0]),
                str(Path(work) / "model.safetensors"),
                *map(str, given[1:]),
            ]
            done = subprocess.run(
                command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
            )
            said = (
                done.stderr.strip()
                if done.returncode == 2
                else f"exit status {done.returncode}: {done.stderr.strip()}"
            )
            found.append([what, said, wanted])
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
