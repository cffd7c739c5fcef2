"""The words that a package is asked for."""

from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "words"


def listed(name: str) -> list[str]:
    """The words of words/NAME.txt, each once."""
    return list(dict.fromkeys((FOLDER / f"{name}.txt").read_text(encoding="utf-8").split()))
