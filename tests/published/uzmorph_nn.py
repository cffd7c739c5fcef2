"""uzmorph-nn 0.1.0: Uzbek words to stem, part of speech and features. Two bidirectional LSTM layers read
the letters, padded to 30 with what they read like a letter, and a tag is chosen for each. A state_dict of
PyTorch in a zip."""

from pathlib import Path

import numpy as np
import package
from program import Program
from published import Published

ENVIRONMENT = "torch"
STEMS = (
    "kitob maktab uy bola daraxt gul do'st ona ota shahar qishloq ko'cha non suv olma "
    "yo'l tog' daryo qalam daftar o'qituvchi talaba mashina bozor qush"
)
ENDINGS = ["", "lar", "im", "ing", "i", "imiz", "lari", "ni", "ga", "da", "dan", "ning", "larimizdan", "chi"]


def convert(folder: Path, program: Program) -> Path:
    """The model of the file in the wheel."""
    return program.convert(folder / "uzmorph_nn/data/morph_bilstm.pth", config="uzmorph_nn")


class Package(Published):
    """uzmorph_nn, the class."""

    def __init__(self, folder: Path) -> None:
        package.stand_in("pkg_resources", resource_filename=lambda name, path: str(folder / name / path))
        package.bare("uzmorph_nn", folder)
        from uzmorph_nn.uzmorph_nn import MorphResult, uzmorph_nn

        self.analyzer, self.result = uzmorph_nn(), MorphResult

    def words(self) -> list[str]:
        return [stem + ending for stem in STEMS.split() for ending in ENDINGS]

    def text(self, word: str) -> str:
        return str(self.analyzer.analyze(word))

    def network(self, word: str) -> tuple[object, list, np.ndarray]:
        with package.recorded(self.analyzer, "model") as results:
            text = self.text(word)
        logits = results[0][0, : len(word)].numpy()
        return text, logits.argmax(1).tolist(), logits

    def ids(self, word: str) -> list[int]:
        known, longest = self.analyzer.char_to_idx, self.analyzer.max_len
        ids = [known.get(letter, known["UNK"]) for letter in word[:longest]]
        return ids + [known["PAD"]] * (longest - len(ids))

    def places(self, word: str) -> list[int]:
        return list(range(len(word)))

    def spell(self, word: str, tokens: list) -> str:
        """The letters of the root; part of speech and features as the last tags that begin a suffix say them,
        B-SUFF-NOUN-plural=1|cases=Dative."""
        tags = [self.analyzer.idx_to_tag[token] for token in tokens]
        stem = "".join(letter for letter, tag in zip(word, tags) if "ROOT" in tag)
        part, features = "UNKNOWN", []
        for suffix in (tag.split("-") for tag in tags if "B-SUFF" in tag and "ROOT" not in tag):
            part = suffix[2] if len(suffix) > 2 else part
            features = suffix[3].split("|") if len(suffix) > 3 else features
        return str(self.result(word, stem, part, features))
