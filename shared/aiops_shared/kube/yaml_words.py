"""How one value is said in YAML, and when two values are the same.

Called by `splicing.py` for the places that it changes, and by `patching.py` to compare what came out.
"""

import json
from typing import Any

import yaml


def block(value: Any, columns: int, newline: str, *, indented: bool) -> str:
    """A mapping or list as block YAML at a column; `indented`: lists stand two columns in their key."""
    text: str = yaml.dump(
        value,
        Dumper=_Indented if indented else _Plain,
        width=1_000_000,
        sort_keys=False,
        allow_unicode=False,
        default_flow_style=False,
    )
    pad = " " * columns
    return "".join(f"{pad}{line}{newline}" for line in text.rstrip("\n").split("\n"))


class _Plain(yaml.SafeDumper):
    """Never writes anchors; lists stand in their key's column."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


class _Indented(_Plain):
    """Lists stand two columns in."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def flow(value: Any, *, quoted: str = "") -> str:
    """A value on one line."""
    if quoted and isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    said: str = yaml.safe_dump(
        value, default_flow_style=True, width=1_000_000, allow_unicode=True, sort_keys=False
    )
    return said.strip().removesuffix("...").strip()


def quote_of(node: yaml.ScalarNode) -> str:
    """The quote that a scalar is to be written with; empty: none."""
    return '"' if node.style in {'"', "'"} else ""


def same_value(one: Any, other: Any) -> bool:
    """Equal as JSON has it: true is not 1, and the order of keys says nothing."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same_value(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same_value, one, other))
    return type(one) is type(other) and bool(one == other)
