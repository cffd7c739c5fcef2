"""Characters to numbers and back, as vocabulary.json says."""

import json
import pathlib

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
VOCABULARY = json.loads((HERE / "vocabulary.json").read_text(encoding="utf-8"))
LENGTH = VOCABULARY["length"]
INPUT = {symbol: index for index, symbol in enumerate(VOCABULARY["input"])}
OUTPUT = VOCABULARY["output"]


def encode(texts):
    """[N, LENGTH] uint8: lower-cased, commas dropped, unknown characters <unk>, padded with <pad>."""
    ids = np.full((len(texts), LENGTH), INPUT["<pad>"], np.uint8)
    dropped = str.maketrans("", "", VOCABULARY["drop"])
    for row, text in enumerate(texts):
        symbols = [INPUT.get(c, INPUT["<unk>"]) for c in text.lower().translate(dropped)]
        if len(symbols) > LENGTH:
            raise ValueError(f"{text!r}: longer than {LENGTH} characters")
        ids[row, : len(symbols)] = symbols
    return ids


def encode_dates(dates):
    """[N, 10] int32."""
    index = {symbol: i for i, symbol in enumerate(OUTPUT)}
    return np.array([[index[c] for c in date] for date in dates], np.int32)


def decode(tokens):
    return ["".join(OUTPUT[token] for token in row) for row in tokens]


def one_hot(ids):
    """[N, LENGTH] -> [N, LENGTH, 37] float32."""
    return np.eye(len(INPUT), dtype=np.float32)[ids]
