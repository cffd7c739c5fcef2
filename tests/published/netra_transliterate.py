"""netra-transliterate 1.0.1: Khmer words in Latin letters to Khmer. A bidirectional GRU reads the letters,
padded to 25 with what it reads like a letter; a GRU writes, and what it has written asks for a context
(additive, after the cell) that the output reads with it. A whole model of Keras 3 in .keras: the graph that
it was trained with, which is given the text to write."""

from pathlib import Path

import numpy as np
import package
from program import Program
from published import Published
from words import listed

ENVIRONMENT = "keras3"
BEAMS, LONGEST = 3, 32


def convert(folder: Path, program: Program) -> Path:
    """The model of the file in the wheel."""
    weights = folder / "khmer_transliterator/weights/bi_gru_attention_khmer_transliterator.keras"
    return program.convert(weights, options=("--start-token", 79, "--end-token", 80, "--steps", LONGEST - 1))


class Direct:
    """A model of Keras that is called itself. predict() makes a data set of every step, and takes many times
    as long."""

    def __init__(self, model: object) -> None:
        self.model = model

    def predict(self, inputs: object, verbose: int) -> object:
        inputs = [np.asarray(part, np.float32) for part in inputs] if isinstance(inputs, list) else inputs
        return [output.numpy() for output in self.model(inputs, training=False)]


class Encoder:
    """In the place of the package's encoder: cuseq's, whose session keeps what it has encoded."""

    def __init__(self, session: object) -> None:
        self.session = session

    def predict(self, ids: np.ndarray, verbose: int) -> tuple:
        self.session.encode(ids, None, [])
        return None, None


class Decoder(Encoder):
    """In the place of the package's decoder: a step of cuseq's."""

    def predict(self, inputs: list, verbose: int) -> tuple:
        token, state, _ = inputs
        step = self.session.decode(
            1, ["outputs", "final_h"], initial_h=state.astype(np.float32), previous=token[0].astype(np.int32)
        )
        return step["outputs"], step["final_h"]


class Package(Published):
    """Transliterator. Its search is not one of cuseq's: a hypothesis that ends is a result however
    improbable it is, and the search stops with the third of them. So the search is the package's own here,
    over cuseq's steps."""

    steps, searches = LONGEST - 1, True

    def __init__(self, folder: Path) -> None:
        package.stand_in("khmerspell")
        package.bare("khmer_transliterator", folder)
        from khmer_transliterator import _inference

        self.inference, self.own = _inference, _inference.Transliterator()
        self.own._load()

    def words(self) -> list[str]:
        return listed("khmer")

    def text(self, word: str) -> str:
        return self.own.transliterate(word, BEAMS, LONGEST)

    def network(self, word: str) -> tuple[object, list, np.ndarray]:
        """The tokens of what the search has found, and what the decoder gives along them."""
        with (
            package.replaced(self.own, "_encoder", Direct(self.own._encoder)),
            package.replaced(self.own, "_decoder", Direct(self.own._decoder)),
            package.recorded(self.own, "_beam_search") as results,
        ):
            text = self.text(word)
            tokens = max(results[0], key=lambda beam: beam["prob"])["seq"][1:]
            return text, tokens, self.along(word, tokens)

    def along(self, word: str, tokens: list) -> np.ndarray:
        """What the decoder gives along tokens."""
        encoded, state, outputs = self.own._encode(word), np.zeros((1, self.own._gru_units)), []
        for token in [self.own._khm_tokenizer.word_index["\t"], *tokens[:-1]]:
            output, state = self.own._decoder.predict([np.array([[token]]), state, encoded], verbose=0)
            outputs.append(output[0, -1])
        return np.array(outputs)

    def ids(self, word: str) -> list[int]:
        ids = self.own._eng_tokenizer.texts_to_sequences([self.inference.clean_text(word)])[0]
        return ids + [0] * (self.own._max_eng_len - len(ids))

    def spell(self, word: str, tokens: list) -> str:
        return self.own._decode_beam({"seq": tokens})

    def answer(self, session: object, word: str) -> list:
        with (
            package.replaced(self.own, "_encoder", Encoder(session)),
            package.replaced(self.own, "_decoder", Decoder(session)),
        ):
            found = self.own._beam_search(self.own._encode(word), BEAMS, LONGEST)
        return max(found, key=lambda beam: beam["prob"])["seq"][1:]
