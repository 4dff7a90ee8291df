"""Filters of a cost question as people write them: `service=EC2 - Other`, `account!=111122223333`,
`tag:team=web|api`. Called by the tool, before anything is asked.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from aiops_cost.analysis.service_names import full_name
from aiops_cost.models.bills import Terms
from aiops_shared.errors import InvalidInputError
from aiops_shared.kube import names

DIM_OF: Final = {
    "service": "SERVICE",
    "usage_type": "USAGE_TYPE",
    "instance_type": "INSTANCE_TYPE",
    "account": "LINKED_ACCOUNT",
    "region": "REGION",
    "az": "AZ",
    "record_type": "RECORD_TYPE",
    "purchase_type": "PURCHASE_TYPE",
    "operation": "OPERATION",
}
WORD_OF: Final = {dim: word for word, dim in DIM_OF.items()}
TAG_WORD: Final = "tag:"
MOST_FILTERS: Final = 10
MOST_CHARACTERS: Final = 400
# https://docs.aws.amazon.com/tag-editor/latest/userguide/tagging.html: what keys of tags may hold
_TAG_KEY = re.compile(r"[\w .:/=+\-@]{1,128}")
_FILTER = re.compile(r"(?P<what>tag:[^=!]+|[a-z_]+)(?P<sign>!?=)(?P<values>.+)", re.DOTALL)
HINT: Final = "as service=AmazonCloudWatch, account!=111122223333, tag:team=web|api"


def dim_of_tag(key: str) -> str:
    """A tag's key as a dimension. Raises InvalidInputError."""
    if not _TAG_KEY.fullmatch(key):
        raise InvalidInputError("tag", f"{ascii(key)[:60]} is no tag's key", "as team or eks:cluster-name")
    return f"TAG:{key}"


def word_of(dim: str) -> str:
    """A dimension as a question and a table name it."""
    return f"{TAG_WORD}{dim[4:]}" if dim.startswith("TAG:") else WORD_OF.get(dim, dim.lower())


@dataclass(frozen=True, slots=True)
class Filters:
    """What must and what must not hold, and the namespace, which no bill knows."""

    only: Terms
    without: Terms
    namespace: str = ""


def asked_for(texts: Sequence[str]) -> Filters:
    """The filters in a client's words. Raises InvalidInputError."""
    if len(texts) > MOST_FILTERS:
        raise InvalidInputError("filters", f"takes at most {MOST_FILTERS}", HINT)
    only: list[tuple[str, tuple[str, ...]]] = []
    without: list[tuple[str, tuple[str, ...]]] = []
    namespace = ""
    for text in texts:
        what, sign, values = _parts(text)
        if what == "namespace":
            if sign != "=" or len(values) != 1 or namespace:
                raise InvalidInputError("filters", "one namespace= at most", HINT)
            namespace = names.namespace(values[0])
            continue
        dim = _dim(what)
        if dim == "SERVICE":
            values = tuple(full_name(value) for value in values)
        (only if sign == "=" else without).append((dim, values))
    return Filters(tuple(only), tuple(without), namespace)


def _parts(text: str) -> tuple[str, str, tuple[str, ...]]:
    found = _FILTER.fullmatch(text.strip())
    if found is None or len(text) > MOST_CHARACTERS or not text.isprintable():
        raise InvalidInputError("filters", f"{ascii(text)[:60]} is none", HINT)
    values = tuple(value.strip() for value in found["values"].split("|") if value.strip())
    if not values:
        raise InvalidInputError("filters", f"{ascii(text)[:60]} has no value", HINT)
    return found["what"], found["sign"], values


def _dim(word: str) -> str:
    if word.startswith(TAG_WORD):
        return dim_of_tag(word[len(TAG_WORD) :])
    if word not in DIM_OF:
        raise InvalidInputError(
            "filters", f"{word[:40]} cannot be filtered by", f"{', '.join(DIM_OF)}, tag:KEY"
        )
    return DIM_OF[word]
