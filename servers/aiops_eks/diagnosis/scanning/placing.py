"""Where a finding stands in the text that was sent: document, line, JSONPath.

Called by `reporting.py` for what is shown only: finding a line costs a walk along the parser's nodes.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import yaml

from aiops_eks.diagnosis.scanning.subjects import Obj, numbered
from aiops_shared.kube.manifests import dump_manifests, load_with_nodes

_MARKER = re.compile(r"^---(?=[ \t\r\n]|$)[ \t]*(?:#[^\r\n]*)?(?:\r?\n|$)?", re.MULTILINE)
_STEP = re.compile(r"\['([^']*)'\]|\[(\d+)\]|([^.\[\]]+)")


@dataclass(frozen=True)
class Document:
    """One document of a text."""

    number: int
    node: yaml.Node
    obj: Obj


@dataclass(frozen=True)
class Placed:
    """One object, and the way to it within its document."""

    document: Document
    obj: Obj
    prefix: str = ""


@dataclass(frozen=True)
class Sheet:
    """A text, its documents, and the objects in them: a List's items instead of the List."""

    text: str
    documents: tuple[Document, ...]
    omitted: int = 0
    placed: tuple[Placed, ...] = field(default=())

    @property
    def objects(self) -> list[Obj]:
        """The objects, in order."""
        return [one.obj for one in self.placed]

    @cached_property
    def _starts(self) -> list[int]:
        return [0, *(found.end() for found in _MARKER.finditer(self.text))]

    @cached_property
    def _ends(self) -> list[int]:
        return [*(found.start() for found in _MARKER.finditer(self.text)), len(self.text)]

    def chunk(self, document: Document) -> str:
        """The document's text, its comments with it, without the `---` around it."""
        start, end = self.span(document)
        return self.text[start:end]

    def span(self, document: Document) -> tuple[int, int]:
        """Where that text begins and ends."""
        at = document.node.start_mark.index
        for start, end in zip(reversed(self._starts), reversed(self._ends), strict=True):
            if start <= at:
                return start, end
        return 0, len(self.text)

    def line(self, place: Placed, path: str) -> int:
        """The line of a path, or of the nearest thing above it that is there."""
        node, line = place.document.node, place.document.node.start_mark.line
        for step in _steps(f"{place.prefix}.{path}"):
            below = _below(node, step)
            if below is None:
                break
            line, node = below
        return line + 1


def json_path(place: Placed, path: str) -> str:
    """A JSONPath within the document."""
    whole = ".".join(part for part in (place.prefix, path) if part)
    return f"$.{whole}" if whole else "$"


def _steps(path: str) -> Iterator[str | int]:
    for quoted, place, word in _STEP.findall(path):
        yield int(place) if place else quoted or word


def _below(node: yaml.Node, step: str | int) -> tuple[int, yaml.Node] | None:
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        child = node.value[step]
        return child.start_mark.line, child
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == step:
                return key.start_mark.line, value
    return None


def sheet(text: str) -> Sheet:
    """The sheet of a text. Raises InvalidInputError as the loader does."""
    plain = text.removeprefix("\ufeff")
    pairs, omitted = load_with_nodes(plain)
    documents = tuple(Document(place, node, obj) for place, (node, obj) in enumerate(pairs, 1))
    placed = tuple(one for document in documents for one in _objects(document))
    return Sheet(plain, documents, omitted, placed)


def live_sheet(obj: Obj) -> Sheet:
    """The sheet of an object that was read from a cluster."""
    return sheet(dump_manifests([obj]))


def _objects(document: Document) -> Iterator[Placed]:
    obj = document.obj
    if str(obj.get("kind", "")).endswith("List") and isinstance(obj.get("items"), list):
        for place, item in numbered(obj, "items"):
            yield Placed(document, item, f"items[{place}]")
    else:
        yield Placed(document, obj)
