"""g2p-en 2.1.0: English words to phonemes of the CMU dictionary. A GRU reads the letters and "</s>";
another one, which begins with its state, writes phonemes up to "</s>". Both are PyTorch's, with two biases,
and lie in an .npz file."""

from pathlib import Path

import numpy as np
import package
from program import Program
from published import Published

ENVIRONMENT = "numpy"
END, STEPS = 3, 20


def convert(folder: Path, program: Program) -> Path:
    """The model of the file in the wheel."""
    return program.convert(folder / "g2p_en/checkpoint20.npz", config="g2p_en")


class Package(Published):
    """What it does for words that its dictionaries lack. These, and its tagger, take NLTK's data; they are
    not asked."""

    gives_lengths, steps = True, STEPS

    def __init__(self, folder: Path) -> None:
        for name in ("nltk", "nltk.data", "nltk.corpus", "nltk.tokenize", "inflect"):
            package.stand_in(name)
        package.bare("g2p_en", folder)
        from g2p_en.g2p import G2p

        self.g2p = G2p()

    def words(self) -> list[str]:
        """The headwords of the package's list of homographs."""
        return list(self.g2p.homograph2features)

    def text(self, word: str) -> list[str]:
        return self.g2p.predict(word)

    def network(self, word: str) -> tuple[object, list, np.ndarray]:
        """predict(), and what it does again, as it keeps neither tokens nor logits."""
        g, token, tokens, logits = self.g2p, 2, [], []
        h = g.gru(g.encode(word), len(word) + 1, g.enc_w_ih, g.enc_w_hh, g.enc_b_ih, g.enc_b_hh)[:, -1]
        while token != END and len(tokens) < STEPS:
            h = g.grucell(g.dec_emb[[token]], h, g.dec_w_ih, g.dec_w_hh, g.dec_b_ih, g.dec_b_hh)
            logits.append((h @ g.fc_w.T + g.fc_b)[0])
            token = int(logits[-1].argmax())
            tokens.append(token)
        return g.predict(word), tokens, np.array(logits)

    def ids(self, word: str) -> list[int]:
        return [self.g2p.g2idx.get(letter, 1) for letter in [*word, "</s>"]]

    def spell(self, word: str, tokens: list) -> list[str]:
        return [self.g2p.idx2p[token] for token in tokens if token != END]
