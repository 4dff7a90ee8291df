"""Writes repaired objects back into the text they came from, and proves that it reads back so.

Called by `reporting.py`. Only documents that changed are written; their untouched lines stay byte for byte,
comments and order with them (`splicing.py`). Secret values are masked before anything is written: the text
goes to a model. A document that cannot be written in place is written anew, and that is said.
"""

from dataclasses import dataclass
from typing import Any

import yaml

from aiops_eks.diagnosis.scanning.placing import Document, Sheet
from aiops_eks.diagnosis.scanning.scan import copied
from aiops_eks.diagnosis.scanning.subjects import Obj
from aiops_shared.errors import InvalidInputError
from aiops_shared.guardrails.redacting import redact_tree
from aiops_shared.kube.manifests import dump_manifests, load_manifests
from aiops_shared.kube.yaml_splicing import CannotSpliceError, spliced
from aiops_shared.kube.yaml_words import same_value

MOST_CHARS = 24_000
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Patch:
    """The changed documents as text, and what a person must know about it."""

    text: str = ""
    notes: tuple[str, ...] = ()


def patched(sheet: Sheet, repaired: list[Obj]) -> Patch:
    """The changed documents, as many as fit the answer."""
    changed = [(document, after) for document, after in _after(sheet, repaired) if after is not None]
    if not changed:
        return Patch("", ("nothing could be repaired without knowing more",))
    parts: list[str] = []
    anew: list[int] = []
    masked: list[int] = []
    size = 0
    for document, after in changed:
        shown = redact_tree(after)
        text, in_place = written(sheet, document, shown)
        size += len(text)
        if parts and size > MOST_CHARS:
            break
        parts.append(text)
        if not in_place:
            anew.append(document.number)
        if not same_value(shown, after):
            masked.append(document.number)
    return Patch(_joined(parts), tuple(_notes(sheet, len(changed), len(parts), anew, masked)))


def _joined(parts: list[str]) -> str:
    newline = "\r\n" if any("\r\n" in part for part in parts) else "\n"
    ended = [
        part if part.endswith("\n") or place == len(parts) else part + newline
        for place, part in enumerate(parts, 1)
    ]
    return f"---{newline}".join(ended)


def _notes(sheet: Sheet, changed: int, shown: int, anew: list[int], masked: list[int]) -> list[str]:
    notes = []
    if shown < changed:
        notes.append(f"{changed - shown} repaired documents do not fit the answer: scan them apart")
    if changed < len(sheet.documents):
        notes.append(f"patched leaves out {len(sheet.documents) - changed} documents that did not change")
    if anew:
        notes.append(f"documents {_listed(anew)} were written anew: their comments are not kept")
    if masked:
        notes.append(
            f"secret values of documents {_listed(masked)} are masked in patched: do not apply it before "
            "they are moved to a Secret or put back"
        )
    return notes


def _listed(numbers: list[int]) -> str:
    more = f" and {len(numbers) - 5} more" if len(numbers) > 5 else ""
    return ", ".join(map(str, numbers[:5])) + more


def _after(sheet: Sheet, repaired: list[Obj]) -> list[tuple[Document, Obj | None]]:
    """Each document as it is to be; None where nothing changed."""
    found: dict[int, Obj | None] = {document.number: None for document in sheet.documents}
    for place, after in zip(sheet.placed, repaired, strict=True):
        if same_value(place.obj, after):
            continue
        if not place.prefix:
            found[place.document.number] = after
            continue
        whole = found[place.document.number]
        if whole is None:
            whole = found[place.document.number] = copied(place.document.obj)
        whole["items"][int(place.prefix[len("items[") : -1])] = after
    return [(document, found[document.number]) for document in sheet.documents]


def written(sheet: Sheet, document: Document, after: Obj) -> tuple[str, bool]:
    """The document's text with `after` in it, and whether its other lines stayed as they were."""
    chunk = sheet.chunk(document)
    try:
        node = yaml.compose(chunk, Loader=_LOADER)
        text = spliced(chunk, node, document.obj, after) if node is not None else ""
        if _reads_as(text, after):
            return text, True
    except (CannotSpliceError, yaml.YAMLError):
        pass  # written anew below
    return dump_manifests([after]), False


def _reads_as(text: str, wanted: Obj) -> bool:
    try:
        found = load_manifests(text)
    except InvalidInputError:
        return False
    return len(found) == 1 and same_value(found[0], wanted)
