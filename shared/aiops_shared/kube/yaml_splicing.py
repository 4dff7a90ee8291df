"""Writes changed values into a YAML text so that every line that did not change stays byte for byte.

Called by the scan's patches and by collector configurations. A round trip through a YAML writer, ruamel's
too, moves indentation, quotes and long lines that nobody touched; so the difference of two objects is written
at the places that the parser's nodes name. The caller parses the result again and compares: what this module
cannot write (`CannotSpliceError`), or wrote wrongly, is written anew as a whole, which is said.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from aiops_shared.kube.manifests import MERGE, Obj
from aiops_shared.kube.yaml_words import block, flow, quote_of, same_value

_ALIAS = re.compile(r"['\"]?[ \t]*:[ \t]+\*[^\s,\[\]{}]+")
_LIST = re.compile(r"^( *)[^\s#-][^\n]*:[ \t]*(?:#[^\n]*)?\r?\n( *)- ", re.MULTILINE)


class CannotSpliceError(Exception):
    """The change cannot be written in place: shared anchors that part, or a form not met before."""


@dataclass(frozen=True, slots=True)
class _Edit:
    start: int
    end: int
    text: str


@dataclass
class _Splice:
    """The edits of one document, collected."""

    text: str
    newline: str
    edits: list[_Edit] = field(default_factory=list)

    def value(self, node: yaml.Node, before: Any, after: Any) -> None:
        """Write what differs at one node."""
        if same_value(before, after):
            return
        if isinstance(node, yaml.MappingNode) and isinstance(before, dict) and isinstance(after, dict):
            self._mapping(node, before, after)
        elif (
            isinstance(node, yaml.SequenceNode)
            and isinstance(before, list)
            and isinstance(after, list)
            and before
            and len(after) >= len(before)
        ):
            self._sequence(node, before, after)
        elif isinstance(node, yaml.ScalarNode) and not isinstance(after, dict | list):
            self._replace(node, flow(after, quoted=quote_of(node)))
        else:
            raise CannotSpliceError

    def _replace(self, node: yaml.Node, new: str) -> None:
        if isinstance(node, yaml.ScalarNode) and node.style in {"|", ">"}:
            raise CannotSpliceError
        blank = node.start_mark.index == node.end_mark.index
        self.edits.append(_Edit(node.start_mark.index, node.end_mark.index, f" {new}" if blank else new))

    def _mapping(self, node: yaml.MappingNode, before: Obj, after: Obj) -> None:
        own = {str(key.value): (key, value) for key, value in node.value if key.tag != MERGE}
        if any(key not in own for key in before if key not in after):
            raise CannotSpliceError  # a merged key cannot be taken away in place
        gone = [key for key in own if key not in after]
        for key, (_, child) in own.items():
            if key in after and not self._fits(child, before[key], after[key]):
                gone.append(key)
            elif key in after:
                self.value(child, before[key], after[key])
        added = [key for key in after if key not in own and not same_value(before.get(key), after[key])]
        self._restructure(node, own, after, gone, added)

    @staticmethod
    def _fits(child: yaml.Node, before: Any, after: Any) -> bool:
        """Whether a changed value can be written where it stands; else its key is written anew."""
        if same_value(before, after) or (isinstance(before, dict) and isinstance(after, dict) and before):
            return True
        if isinstance(before, list) and isinstance(after, list):
            return bool(before) and len(after) >= len(before)
        if isinstance(after, dict | list):
            return False
        return isinstance(child, yaml.ScalarNode) and child.style not in {"|", ">"}

    def _restructure(
        self,
        node: yaml.MappingNode,
        own: dict[str, tuple[yaml.Node, yaml.Node]],
        after: Obj,
        gone: list[str],
        added: list[str],
    ) -> None:
        if not gone and not added:
            return
        if not own or all(key in gone and key not in after for key in own):
            self._whole(node, after)
            return
        if node.flow_style:
            _FlowPairs(self, node, own).write(after, gone, added)
        else:
            _BlockPairs(self, node, own).write(after, gone, added)

    def _whole(self, node: yaml.MappingNode, after: Obj) -> None:
        """A mapping of which nothing stays."""
        if any(key.tag == MERGE for key, _ in node.value):
            raise CannotSpliceError
        start = node.start_mark.index if node.flow_style else node.value[0][0].start_mark.index
        if node.flow_style or not after:
            end = node.end_mark.index if node.flow_style else self.end(node)
            self.edits.append(_Edit(start, end, flow(after)))
            return
        column = start - (self.text.rfind("\n", 0, start) + 1)
        text = self.block(after, column)[column:]
        end = self.end(node)
        ended = self.text[end - 1 : end] == "\n"
        self.edits.append(_Edit(start, end, text if ended else text.removesuffix(self.newline)))

    def _sequence(self, node: yaml.SequenceNode, before: list[Any], after: list[Any]) -> None:
        for child, old, new in zip(node.value, before, after, strict=False):
            if not self._fits(child, old, new):
                raise CannotSpliceError
            self.value(child, old, new)
        more = after[len(before) :]
        if not more:
            return
        if node.flow_style:
            end = node.value[-1].end_mark.index
            self.edits.append(_Edit(end, end, "".join(f", {flow(item)}" for item in more)))
            return
        dash = self._dash(node)
        lines = "".join(self.block([item], dash) for item in more)
        self.insert_line(self.end(node.value[-1]), lines)

    def block(self, value: Any, columns: int) -> str:
        """A mapping or list as block YAML at a column, each line ended, lists as the text writes them."""
        first = _LIST.search(self.text)
        indented = first is not None and len(first[2]) > len(first[1])
        return block(value, columns, self.newline, indented=indented)

    def _dash(self, node: yaml.SequenceNode) -> int:
        """The column of the sequence's dashes: a mapping's key may start on the dash's line."""
        first: yaml.Node = node.value[0]
        start = self.text.rfind("\n", 0, first.start_mark.index) + 1
        dash = self.text.rfind("-", start, first.start_mark.index)
        if dash < 0 or self.text[start:dash].strip(" "):
            raise CannotSpliceError  # `- - x`, or the value stands on a line of its own
        return dash - start

    def end(self, node: yaml.Node) -> int:
        """Where the last word of a node ends: the parser ends a block collection at the next token.

        An alias is the anchor's own node, which ends where the anchor stands: its text is looked for.
        """
        while isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
            last = node.value[-1]
            if isinstance(node, yaml.MappingNode):
                name, node = last
                if node.start_mark.index < name.end_mark.index:
                    return self._alias_end(name)
            elif last.start_mark.index < node.start_mark.index:
                raise CannotSpliceError
            else:
                node = last
        return int(node.end_mark.index)

    def pair_end(self, name: yaml.Node, value: yaml.Node) -> int:
        """Where the value of a key ends."""
        return self._alias_end(name) if value.start_mark.index < name.end_mark.index else self.end(value)

    def _alias_end(self, name: yaml.Node) -> int:
        found = _ALIAS.match(self.text, name.end_mark.index)
        if found is None:
            raise CannotSpliceError
        return found.end()

    def insert_line(self, end: int, lines: str) -> None:
        """Lines after the line that holds `end`."""
        if self.text[end - 1 : end] == "\n":
            self.edits.append(_Edit(end, end, lines))
            return
        line_end = self.text.find("\n", end)
        if line_end < 0:
            at = len(self.text)
            self.edits.append(_Edit(at, at, self.newline + lines.removesuffix(self.newline)))
        else:
            self.edits.append(_Edit(line_end + 1, line_end + 1, lines))

    def done(self) -> str:
        """The text with every edit. Raises CannotSpliceError when two of them meet."""
        parts: list[str] = []
        place = 0
        for edit in sorted(self.edits, key=lambda one: (one.start, one.end)):
            if edit.start < place:
                raise CannotSpliceError
            parts += [self.text[place : edit.start], edit.text]
            place = edit.end
        return "".join([*parts, self.text[place:]])


_Own = dict[str, tuple[yaml.Node, yaml.Node]]


def _runs(own: _Own, after: Obj, added: list[str]) -> Iterator[tuple[str | None, list[str]]]:
    """New keys in groups, each with the present key that it follows; None: before all."""
    before: str | None = None
    groups: dict[str | None, list[str]] = {}
    for key in after:
        if key in added:
            groups.setdefault(before, []).append(key)
        elif key in own:
            before = key
    yield from groups.items()


@dataclass
class _BlockPairs:
    """Keys of a block mapping, one a line or more."""

    splice: _Splice
    node: yaml.MappingNode
    own: _Own

    def write(self, after: Obj, gone: list[str], added: list[str]) -> None:
        """Remove, rewrite and add keys."""
        runs = dict(_runs(self.own, after, added))
        first = str(self.node.value[0][0].value)
        for key in gone:
            if key in after:
                self._rewrite(key, after[key])
            elif key == first and None in runs:
                self._instead(key, {one: after[one] for one in runs.pop(None)})
            else:
                self._remove(key)
        for previous, keys in runs.items():
            text = self.splice.block({key: after[key] for key in keys}, self._column())
            if previous is None:
                at, pad = self.node.value[0][0].start_mark.index, " " * self._column()
                self.splice.edits.append(_Edit(at, at, text[self._column() :] + pad))
            else:
                self.splice.insert_line(self.splice.pair_end(*self.own[previous]), text)

    def _instead(self, key: str, values: Obj) -> None:
        """New keys in the place of the first one, which may stand on its list's dash."""
        name, value = self.own[key]
        text = self.splice.block(values, self._column())[self._column() :]
        self.splice.edits.append(_Edit(name.start_mark.index, self._line_end(name, value), text))

    def _line_end(self, name: yaml.Node, value: yaml.Node) -> int:
        end = self.splice.pair_end(name, value)
        if self.splice.text[end - 1 : end] == "\n":
            return end
        found = self.splice.text.find("\n", end)
        return len(self.splice.text) if found < 0 else found + 1

    def _column(self) -> int:
        first: yaml.Node = self.node.value[0][0]
        start = self.splice.text.rfind("\n", 0, first.start_mark.index) + 1
        return first.start_mark.index - start

    def _rewrite(self, key: str, value: Any) -> None:
        """The key's value anew, the rest of its last line (a comment) kept."""
        name, old = self.own[key]
        text = self.splice.block({key: value}, self._column())
        end, tail = self.splice.pair_end(name, old), ""
        if self.splice.text[end - 1 : end] == "\n" and end > name.end_mark.index:
            tail = self.splice.newline
        body = text[self._column() :].removesuffix(self.splice.newline)
        rest = self.splice.text[end : max(end, self.splice.text.find("\n", end))]
        if "#" in rest and self.splice.newline in body:
            body = body.replace(self.splice.newline, f"  {rest.strip()}{self.splice.newline}", 1)
            end += len(rest.rstrip("\r"))
        start = name.start_mark.index
        self.splice.edits.append(_Edit(start, max(end, name.end_mark.index + 1), body + tail))

    def _remove(self, key: str) -> None:
        name, value = self.own[key]
        text, start, end = self.splice.text, name.start_mark.index, self._line_end(name, value)
        line = text.rfind("\n", 0, start) + 1
        if not text[line:start].strip(" "):
            self.splice.edits.append(_Edit(line, end, ""))
            return
        following = next(
            (k for k, _ in self.node.value if k.start_mark.index > start), None
        )  # the first key stands on its dash's line: the next one moves up
        if following is None or str(following.value) not in self.own:
            raise CannotSpliceError
        self.splice.edits.append(_Edit(start, following.start_mark.index, ""))


@dataclass
class _FlowPairs:
    """Keys of a flow mapping: `{a: 1, b: 2}`, JSON too."""

    splice: _Splice
    node: yaml.MappingNode
    own: _Own

    def write(self, after: Obj, gone: list[str], added: list[str]) -> None:
        """Remove, rewrite and add keys."""
        for key in gone:
            if key in after:
                name, old = self.own[key]
                start, end = name.end_mark.index, old.end_mark.index
                colon = self.splice.text.find(":", start)
                if colon < 0:
                    raise CannotSpliceError
                self.splice.edits.append(_Edit(colon + 1, max(end, colon + 1), f" {self._said(after[key])}"))
            else:
                self._remove(key)
        for previous, keys in _runs(self.own, after, added):
            pairs = [f"{self._name(key)}: {self._said(after[key])}" for key in keys]
            if previous is None:
                first = self.node.value[0][0].start_mark.index
                self.splice.edits.append(_Edit(first, first, "".join(f"{pair}, " for pair in pairs)))
            elif previous in gone and previous not in after:
                raise CannotSpliceError
            else:
                end = self.own[previous][1].end_mark.index
                self.splice.edits.append(_Edit(end, end, "".join(f", {pair}" for pair in pairs)))

    @property
    def _json(self) -> bool:
        first: Any = self.node.value[0][0]
        return bool(first.style == '"')

    def _name(self, key: str) -> str:
        return json.dumps(key, ensure_ascii=False) if self._json else flow(key)

    def _said(self, value: Any) -> str:
        return json.dumps(value, ensure_ascii=False) if self._json else flow(value)

    def _remove(self, key: str) -> None:
        names = [str(name.value) for name, _ in self.node.value]
        place = names.index(key)
        name, value = self.node.value[place]
        if place + 1 < len(names):
            start, end = name.start_mark.index, self.node.value[place + 1][0].start_mark.index
        else:
            start, end = self.node.value[place - 1][1].end_mark.index, value.end_mark.index
        self.splice.edits.append(_Edit(start, end, ""))


def spliced(text: str, node: yaml.Node, before: Obj, after: Obj) -> str:
    """`text` with `after` in place of `before`. Raises CannotSpliceError; the result is still to be checked.

    Values that an anchor shares are written once when all its users want the same, else refused.
    """
    if "*" in text:
        _agree(node, after, {})
    splice = _Splice(text, "\r\n" if "\r\n" in text else "\n")
    splice.value(node, before, after)
    splice.edits = list(dict.fromkeys(splice.edits))  # an anchor's users ask for the same edit
    return splice.done()


def _agree(node: yaml.Node, after: Any, seen: dict[int, Any]) -> None:
    """Raise CannotSpliceError when two users of one anchor want different values."""
    if id(node) in seen:
        if not same_value(seen[id(node)], after):
            raise CannotSpliceError
        return
    seen[id(node)] = after
    if isinstance(node, yaml.MappingNode) and isinstance(after, dict):
        for key, child in node.value:
            if key.tag != MERGE and str(key.value) in after:
                _agree(child, after[str(key.value)], seen)
    elif isinstance(node, yaml.SequenceNode) and isinstance(after, list):
        for child, item in zip(node.value, after, strict=False):
            _agree(child, item, seen)
