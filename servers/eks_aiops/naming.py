"""What a tool of a server is called at the gateway, and its texts in those names.

A server's texts (descriptions, hints, prompts, refusals) name tools as the server does: `execute_plan`,
`eks.diagnose`. Behind the gateway a model knows `eks_execute_plan`. Only texts of our own are put into those
names: a summary, a hint, never data of a cluster.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

OWN_TEXTS: Final = frozenset({"summary", "hint", "next_step", "next_steps", "warnings"})
_TABLE: Final = {"columns", "rows"}


def at_gateway(server: str, tool: str) -> str:
    """The name of a server's tool."""
    return f"{server}_{tool}"


class Names:
    """Every name of every server. `tools`: by server."""

    def __init__(self, tools: Mapping[str, frozenset[str]]) -> None:
        self._owner = {tool: server for server, names in tools.items() for tool in names}
        servers = "|".join(sorted(tools))
        words = "|".join(sorted(self._owner, key=len, reverse=True))
        phrases = "|".join(sorted((name for name in self._owner if "_" in name), key=len, reverse=True))
        # eks.diagnose · execute_plan · diagnose( · `diagnose`; a word that a longer name contains is left
        self._found = re.compile(
            rf"(?<![\w./-])(?:(?:{servers})\.(?P<dotted>{words})(?![\w-])"
            rf"|(?P<phrase>{phrases})(?![\w./-]|\.\w)"
            rf"|(?P<call>{words})(?=\()"
            rf"|(?<=`)(?P<quoted>{words})(?=`))"
        )

    def split(self, name: str) -> tuple[str, str]:
        """The server and its own name of a tool, ("", "") for a name without one of our prefixes."""
        for server in set(self._owner.values()):
            if name.startswith(f"{server}_"):
                return server, name[len(server) + 1 :]
        return "", ""

    def meant(self, name: str) -> str:
        """What somebody may mean by a name that is nobody's here; "" for a stranger."""
        own = name.rpartition(".")[2]
        return at_gateway(self._owner[own], own) if own in self._owner else ""

    def in_text(self, text: str) -> str:
        """A text of ours with the gateway's names."""

        def named(match: re.Match[str]) -> str:
            tool = next(found for found in match.groupdict().values() if found)
            return at_gateway(self._owner[tool], tool)

        return self._found.sub(named, text)

    def in_answer(self, answer: Mapping[str, Any]) -> dict[str, Any]:
        """An answer whose own texts have them; what it lists as `untrusted` stays as it is."""
        untrusted = {str(path).rpartition(".")[2] for path in answer.get("untrusted") or ()}
        texts = OWN_TEXTS - untrusted
        return {
            field: value if field in untrusted else self._field(field, value, texts)
            for field, value in answer.items()
        }

    def _field(self, field: str, value: Any, texts: frozenset[str]) -> Any:
        if field in texts:
            return self._text(value)
        if isinstance(value, dict):
            return self._table(value, texts) if set(value) == _TABLE else self._fields(value, texts)
        if isinstance(value, list):
            return [self._fields(one, texts) if isinstance(one, dict) else one for one in value]
        return value

    def _fields(self, value: Mapping[str, Any], texts: frozenset[str]) -> dict[str, Any]:
        return {field: self._field(field, one, texts) for field, one in value.items()}

    def _table(self, table: Mapping[str, Any], texts: frozenset[str]) -> dict[str, Any]:
        columns = table["columns"]
        rows = [
            [self._text(cell) if column in texts else cell for column, cell in zip(columns, row, strict=True)]
            for row in table["rows"]
        ]
        return {"columns": columns, "rows": rows}

    def _text(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.in_text(value)
        return [self._text(one) for one in value] if isinstance(value, list) else value
