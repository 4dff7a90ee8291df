"""Tokens of texts, by the o200k vocabulary (the budgets of the specification are counted in it)."""

from functools import cache
from typing import Any


@cache
def _encoding() -> Any:
    import bpe_openai

    return bpe_openai.get_encoding("o200k_base")


def tokens(text: str) -> int:
    """How many tokens a model reads."""
    return len(_encoding().encode(text))
