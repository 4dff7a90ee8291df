"""Loads manifests that somebody sent: YAML without its dangerous half, within limits (threat T14, BI-051).

Called by `scan_manifest` and `plan_manifest` before any request. Refused with InvalidInputError and the
line: tags (nothing is ever constructed but plain data), duplicate keys (which half would a reader believe?),
aliases that expand, depth, size, and what is no mapping. Read as Kubernetes does: times stay text, keys are
strings, `<<` merges.
"""

import math
from collections.abc import Iterator
from typing import Any, NoReturn

import yaml

from aiops_shared.errors import InvalidInputError

Obj = dict[str, Any]

MAX_BYTES = 1024 * 1024
MAX_DOCUMENTS = 500
MAX_DEPTH = 64
MAX_NODES = 100_000  # after aliases are followed: a bomb is refused long before it is built
MERGE = "tag:yaml.org,2002:merge"
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_LINE_BREAKS = frozenset("\x85\u2028\u2029")  # the dumper writes them bare, readers fold them
_TEXT = frozenset({"str", "timestamp", "binary", "value"})
_NUMBERS = frozenset({"int", "float"})
_CONSTRUCTOR = yaml.SafeLoader("")


def load_manifests(text: str, *, most: int = MAX_DOCUMENTS) -> list[Obj]:
    """The objects of a YAML text, in order. Raises InvalidInputError, with the line, for anything unsafe."""
    documents, more = load_some(text, most=most)
    if more:
        _refuse(f"holds {most + more} documents", None, f"at most {most} at a time: split it")
    if not documents:
        _refuse("holds no object", None, "give one YAML mapping or more, with kind and metadata.name")
    return documents


def load_some(text: str, *, most: int = MAX_DOCUMENTS) -> tuple[list[Obj], int]:
    """At most `most` objects, and how many documents were left out. Raises as `load_manifests`."""
    pairs, more = load_with_nodes(text, most=most)
    return [document for _, document in pairs], more


def load_with_nodes(text: str, *, most: int = MAX_DOCUMENTS) -> tuple[list[tuple[yaml.Node, Obj]], int]:
    """As `load_some`, each object with the node that says where it stands in the text."""
    size = len(text.encode("utf-8", "replace"))
    if size > MAX_BYTES:
        _refuse(f"is {size} bytes long", None, f"at most {MAX_BYTES} bytes: split it")
    try:
        _check_events(text)
        budget = _Budget()
        nodes = [node for node in yaml.compose_all(text, Loader=_LOADER) if not _is_empty(node)]
        return [(node, _document(node, budget)) for node in nodes[:most]], max(0, len(nodes) - most)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        _refuse(
            f"does not parse: {_words(error.problem or error.context or 'broken YAML')}",
            mark,
            "correct that line",
        )
    except (yaml.YAMLError, UnicodeError, ValueError):
        _refuse("does not parse: it holds characters that YAML forbids", None, "send plain UTF-8 text")


def dump_manifests(documents: list[Obj]) -> str:
    """Objects as YAML, in their own order."""
    text = _dumped(documents, unicode=True)
    return text if _LINE_BREAKS.isdisjoint(text) else _dumped(documents, unicode=False)


def _dumped(documents: list[Obj], *, unicode: bool) -> str:
    return yaml.dump_all(documents, Dumper=_Plain, sort_keys=False, allow_unicode=unicode, width=110)


class _Plain(yaml.SafeDumper):
    """Never writes anchors: every reader sees each value where it stands."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _refuse(reason: str, mark: Any, hint: str) -> NoReturn:
    where = f"manifest, line {mark.line + 1}" if mark is not None else "manifest"
    raise InvalidInputError(where, reason, hint)


def _words(problem: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in problem)[:160]


def _check_events(text: str) -> None:
    """A pass without building anything: tags and depth (the composer recurses, this does not)."""
    depth = nodes = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if isinstance(event, yaml.NodeEvent):
            nodes += 1
            tag = getattr(event, "tag", None)
            if tag not in {None, "!"}:
                _refuse(
                    f"carries the tag {_words(str(tag))[:60]}",
                    event.start_mark,
                    "tags are not read: remove it",
                )
        if depth > MAX_DEPTH:
            _refuse(f"is nested deeper than {MAX_DEPTH} levels", event.start_mark, "no Kubernetes object is")
        if nodes > MAX_NODES:
            _refuse(f"holds more than {MAX_NODES} values", event.start_mark, "split it")


class _Budget:
    """How many values may still be built, aliases followed."""

    def __init__(self) -> None:
        self.left = MAX_NODES

    def spend(self, node: yaml.Node, depth: int) -> None:
        self.left -= 1
        if self.left < 0:
            _refuse(f"expands to more than {MAX_NODES} values", node.start_mark, "write it without aliases")
        if depth > MAX_DEPTH:
            _refuse(f"is nested deeper than {MAX_DEPTH} levels", node.start_mark, "write it without aliases")


def _is_empty(node: yaml.Node | None) -> bool:
    return node is None or (isinstance(node, yaml.ScalarNode) and node.tag.endswith(":null"))


def _document(node: yaml.Node, budget: _Budget) -> Obj:
    if not isinstance(node, yaml.MappingNode):
        _refuse("is no mapping", node.start_mark, "a manifest has apiVersion, kind and metadata")
    return _mapping(node, budget, 0)


def _value(node: yaml.Node, budget: _Budget, depth: int) -> Any:
    budget.spend(node, depth)
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, budget, depth)
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, budget, depth + 1) for item in node.value]
    return _scalar(node)


def _mapping(node: yaml.MappingNode, budget: _Budget, depth: int) -> Obj:
    own: Obj = {}
    merged: Obj = {}
    for key_node, value_node in node.value:
        if key_node.tag == MERGE:
            for source in _sources(value_node, key_node):
                budget.spend(source, depth + 1)  # a mapping may merge itself
                merged = {**_mapping(source, budget, depth + 1), **merged}
            continue
        key = _key(key_node)
        if key in own:
            _refuse(
                f"says {_words(key)[:60]!r} twice in one mapping", key_node.start_mark, "keep one of them"
            )
        own[key] = _value(value_node, budget, depth + 1)
    return {**{key: value for key, value in merged.items() if key not in own}, **own}


def _sources(node: yaml.Node, key: yaml.Node) -> Iterator[yaml.MappingNode]:
    for source in node.value if isinstance(node, yaml.SequenceNode) else [node]:
        if not isinstance(source, yaml.MappingNode):
            _refuse("merges something that is no mapping", key.start_mark, "`<<` takes a mapping")
        yield source


def _key(node: yaml.Node) -> str:
    """Kubernetes' own reader makes strings of numbers and booleans that stand as keys."""
    if not isinstance(node, yaml.ScalarNode):
        _refuse("has a key that is no text", node.start_mark, "keys are strings")
    return str(node.value)


def _scalar(node: yaml.Node) -> Any:
    kind = node.tag.rpartition(":")[2]
    if kind in _TEXT or (kind in _NUMBERS and ":" in node.value):  # 8080:80 is no number in base 60
        return node.value
    found = _CONSTRUCTOR.yaml_constructors[node.tag](_CONSTRUCTOR, node)
    if isinstance(found, float) and not math.isfinite(found):
        _refuse("holds a number that JSON has no word for", node.start_mark, "quote it")
    return found
