"""What each NAME.py has one of: a package's own answers, and what stands between its words and its
network's numbers."""

import cuseq
import numpy as np


class Published:
    """A package, imported and loaded."""

    gives_lengths = False  # whether the network is told how long a word is; otherwise it reads its padding
    steps = 0  # of the decoder; 0: the network answers at every position
    exact = False  # its numbers are computed in float64, and held against the reference's
    searches = False  # by a search of its own, in answer(); otherwise each token is the most probable one

    def words(self) -> list[str]:
        """What it is asked."""
        raise NotImplementedError

    def text(self, word: str) -> object:
        """What the package itself answers, by its own call."""
        raise NotImplementedError

    def network(self, word: str) -> tuple[object, list, np.ndarray]:
        """The same again, the tokens that the package's own network chooses, and the numbers [tokens,V]
        that it chooses by."""
        raise NotImplementedError

    def ids(self, word: str) -> list[int]:
        """What the network reads."""
        raise NotImplementedError

    def places(self, word: str) -> list[int]:
        """Of a network that answers at every position: the positions that count."""
        raise NotImplementedError

    def spell(self, word: str, tokens: list) -> object:
        """Tokens as the package writes them: like text()."""
        raise NotImplementedError

    def session(self, model: cuseq.Model, longest: int) -> object:
        """What answer() asks: one row at a time, of so many positions at most, by one thread of the CPU."""
        return model.session(max_time=longest, max_steps=self.steps, device="cpu", threads=1)

    def answer(self, session: object, word: str) -> list:
        """The tokens that cuseq chooses."""
        found = session.run(np.array([self.ids(word)], np.int32), None, 0, ["tokens", "output_lengths"])
        return found["tokens"][0, self.counted(word, found["output_lengths"][0])].tolist()

    def counted(self, word: str, length: int) -> object:
        """Which of a row's steps or positions count."""
        return slice(0, length) if self.steps else self.places(word)
