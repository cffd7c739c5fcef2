"""Runs cuseq convert, as anybody would."""

import subprocess
from pathlib import Path

CONFIGS = Path(__file__).resolve().parent / "configs"


class Program:
    """build/cuseq, and a folder for what it makes."""

    def __init__(self, path: Path, work: Path) -> None:
        self.path, self.work = path, work

    def convert(self, *weights: Path, config: str | None = None, options: tuple = ()) -> Path:
        """cuseq convert WEIGHTS model.safetensors --config configs/CONFIG.json: the model's file. Ends with
        what cuseq said where it refuses."""
        model = self.work / "model.safetensors"
        described = ["--config", CONFIGS / f"{config}.json"] if config else []
        words = [self.path, "convert", *weights, model, *described, *options]
        done = subprocess.run(
            [str(word) for word in words],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        if done.returncode != 0:
            raise SystemExit(done.stderr.strip() or f"cuseq convert ended with {done.returncode}")
        return model
