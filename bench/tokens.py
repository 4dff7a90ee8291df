"""Tokens of texts, by the o200k vocabulary (the budgets of the specification are counted in it)."""

import warnings
from functools import cache
from typing import Any

PIECE_CHARS = 100_000  # the encoder refuses texts of a megabyte


@cache
def _encoding() -> Any:
    with warnings.catch_warnings():  # it reads its own data through a deprecated function
        warnings.simplefilter("ignore", DeprecationWarning)
        import bpe_openai

    return bpe_openai.get_encoding("o200k_base")


def tokens(text: str) -> int:
    """How many tokens a model reads; long texts are counted in pieces, one token a piece too many at most."""
    starts = range(0, len(text), PIECE_CHARS)
    return sum(len(_encoding().encode(text[start : start + PIECE_CHARS])) for start in starts)
