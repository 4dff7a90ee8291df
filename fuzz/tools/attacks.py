"""One wrong call after another, drawn from listed schemas by a seed.

    drawn = Drawing(tools, skeletons, Random("2 eks/stdio"))
    attack = drawn.next(pool)     # the tool, what is wrong with the call, its arguments as JSON text

Called by `fuzz.tools.playing` and by `tests/fuzz`. Arguments are text, not a dict: a key may stand twice.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from fuzz.tools import hostile
from fuzz.tools.skeletons import DEAR, NOBODY, Obj, by_schema

FORGED: Final[Mapping[str, tuple[str, ...]]] = {
    "plan_id": ("pln_" + "x" * 20, "pln_" + "x" * 19, "act_" + "x" * 20),
    "action_id": ("act_" + "x" * 20, "act_", "pln_" + "x" * 20),
    "run_id": ("run_" + "a" * 20, "inc_" + "a" * 20, "run_../../../../etc/pass"),
    "incident_id": ("inc_" + "a" * 20, "inc_" + "a" * 21),
    "next_cursor": ("A" * 16, "bm90IG91cnMuOTk5", "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MX0", "=", "A" * 400),
    "confirm": ("yes", "scale deployment/production/x to 5", "execute_plan"),
}


@dataclass
class Pool:
    """What answers gave that calls may name: ids, cursors, sentences; the newest of each are kept."""

    found: dict[str, list[str]] = field(default_factory=dict)

    def take(self, value: Any) -> None:
        """Look through an answer."""
        if isinstance(value, dict):
            for key, each in value.items():
                if key in FORGED and isinstance(each, str) and each:
                    self.found[key] = [*self.found.get(key, ())[-7:], each]
                self.take(each)
        elif isinstance(value, list):
            for each in value:
                self.take(each)

    def fill(self, value: Any, rng: Random) -> Any:
        """`@plan_id` becomes a real one where there is one, mostly; else a forged one."""
        if isinstance(value, dict):
            pair = self._pair(value)
            return pair or {key: self.fill(each, rng) for key, each in value.items()}
        if isinstance(value, list):
            return [self.fill(each, rng) for each in value]
        if not (isinstance(value, str) and value.startswith("@") and value[1:] in FORGED):
            return value
        real = self.found.get(value[1:])
        return rng.choice(real) if real and rng.random() < 0.7 else rng.choice(FORGED[value[1:]])

    def _pair(self, value: Obj) -> Obj | None:
        """The newest plan with its own sentence: what an execution needs to go on at all."""
        if value == {"plan_id": "@plan_id", "confirm": "@confirm"} and self.found.get("confirm"):
            return {"plan_id": self.found["plan_id"][-1], "confirm": self.found["confirm"][-1]}
        return None


@dataclass(frozen=True, slots=True)
class Attack:
    """One call. `arguments`: JSON text of an object, or of whatever stands in its place."""

    tool: str
    kind: str
    arguments: str


def own_name(tool: str) -> str:
    """The tool's name on its own server: a gateway's tools have the server's before it."""
    server, _, rest = tool.partition("_")
    return rest if server in {"eks", "observability", "cost", "sop"} else tool


@dataclass
class Drawing:
    """Draws attacks on the listed tools, each tool in its turn."""

    tools: Sequence[Obj]
    skeletons: Mapping[str, Sequence[Obj]]
    rng: Random
    drawn: int = 0

    def next(self, pool: Pool) -> Attack:
        """The next call."""
        tool = self.tools[self.drawn % len(self.tools)]
        self.drawn += 1
        kind = self.rng.choice(KINDS)
        given = pool.fill(self._good(tool), self.rng)
        pairs = MAKERS[kind](self, tool, given)
        return Attack(str(tool["name"]), kind, pairs if isinstance(pairs, str) else written(pairs))

    def _good(self, tool: Obj) -> Obj:
        """Arguments that go past the door; behind it, mostly, only where it is cheap."""
        name, schema = own_name(tool["name"]), tool["inputSchema"]
        known = self.skeletons.get(name)
        given = dict(self.rng.choice(known)) if known and self.rng.random() < 0.6 else self._random(schema)
        if self.rng.random() >= DEAR.get(name, 0.6) and "cluster" in schema.get("properties", {}):
            given["cluster"] = NOBODY
        return given

    def _random(self, schema: Obj) -> Obj:
        needed, made = set(schema.get("required", ())), {}
        for word, one in schema.get("properties", {}).items():
            if word in needed or self.rng.random() < 0.25:
                made[word] = by_schema(one, word, self.rng)
        return made

    def word(self, tool: Obj, *types: str) -> str:
        """One parameter of the tool, of one of these types where it has one; "" without any."""
        every = tool["inputSchema"].get("properties", {})
        fitting = [word for word, one in every.items() if not types or one.get("type", "string") in types]
        return str(self.rng.choice(fitting or list(every) or [""]))

    def schema(self, tool: Obj, word: str) -> Obj:
        """Of one parameter."""
        found: Obj = tool["inputSchema"].get("properties", {}).get(word, {})
        return found


def written(given: Mapping[str, Any]) -> str:
    """JSON text; NaN and halves of pairs as Python writes them."""
    return json.dumps(given)


def _good(drawing: Drawing, tool: Obj, given: Obj) -> Obj:
    return given


def _text(drawing: Drawing, tool: Obj, given: Obj) -> Obj:
    return {**given, drawing.word(tool, "string"): hostile.text(drawing.rng)}


def _mutated(drawing: Drawing, tool: Obj, given: Obj) -> Obj:
    texts = [word for word, value in given.items() if isinstance(value, str)]
    if not texts:
        return _text(drawing, tool, given)
    word = drawing.rng.choice(texts)
    return {**given, word: hostile.mutated(given[word], drawing.rng)}


def _time(drawing: Drawing, tool: Obj, given: Obj) -> Obj:
    words = {"since", "until", "at", "a", "b", "period", "baseline", "window", "history", "step"}
    timed = sorted(words & set(tool["inputSchema"].get("properties", {})))
    word = drawing.rng.choice(timed) if timed else drawing.word(tool, "string")
    return {**given, word: drawing.rng.choice(hostile.TIMES)}


def _type(drawing: Drawing, tool: Obj, given: Obj) -> Obj:
    word = drawing.word(tool)
    kind = drawing.schema(tool, word).get("type", "string")
    return {**given, word: hostile.of_no_type(kind, drawing.rng)}


def _number(drawing: Drawing, tool: Obj, given: Obj) -> Obj:
    word = drawing.word(tool, "integer", "number")
    return {**given, word: drawing.rng.choice([*hostile.numbers(drawing.schema(tool, word))])}


def _list(drawing: Drawing, tool: Obj, given: Obj) -> Obj:
    word = drawing.word(tool, "array", "object")
    one = hostile.text(drawing.rng)
    shapes = (
        [one],
        [one, one],
        json.dumps([one]),
        json.dumps({"reason": one}),
        {one: one},
        {"reason": one, "labels": {one: one}},
        f"[{one}",
        f"{one},{one}",
        '{"a": 1, "a": 2}',
    )
    return {**given, word: drawing.rng.choice(shapes)}


def _set(drawing: Drawing, tool: Obj, given: Obj) -> Obj:
    every = tool["inputSchema"].get("properties", {})
    closed = [word for word, one in every.items() if "enum" in one or "enum" in one.get("items", {})]
    word = drawing.rng.choice(closed) if closed else drawing.word(tool)
    value = drawing.rng.choice(("exec", "", "ALL", "DELETE", 3, None, hostile.text(drawing.rng)))
    return {**given, word: [value] if "items" in every.get(word, {}) else value}


def _bomb(drawing: Drawing, tool: Obj, given: Obj) -> Obj:
    return {**given, drawing.word(tool): hostile.bombs(drawing.rng)}


def _missing(drawing: Drawing, tool: Obj, given: Obj) -> Obj:
    gone = drawing.rng.choice(list(given)) if given else ""
    return {word: value for word, value in given.items() if word != gone}


def _extra(drawing: Drawing, tool: Obj, given: Obj) -> Obj:
    word, value = drawing.rng.choice(hostile.EXTRAS)
    return {**given, word: value}


def _twice(drawing: Drawing, tool: Obj, given: Obj) -> str:
    """A key twice, with another value the second time: the last one counts for Python's parser."""
    word = drawing.rng.choice(list(given)) if given else drawing.word(tool)
    other = json.dumps({word: hostile.text(drawing.rng)})[1:-1]
    inside = written(given)[1:-1]
    return "{" + ", ".join(one for one in (inside, other) if one) + "}"


def _several(drawing: Drawing, tool: Obj, given: Obj) -> Obj:
    for change in drawing.rng.sample((_text, _type, _number, _list, _time, _set), 2):
        given = change(drawing, tool, given)
    return given


def _no_object(drawing: Drawing, tool: Obj, given: Obj) -> str:
    odd: tuple[str, ...] = ("[]", "null", '"x"', "7", "[[]]", written(given) + " ", "{}", '{"": ""}')
    chosen: str = drawing.rng.choice(odd)
    return chosen


MAKERS: Final[Mapping[str, Any]] = {
    "good": _good,
    "hostile text": _text,
    "mutated": _mutated,
    "time": _time,
    "wrong type": _type,
    "number": _number,
    "list": _list,
    "closed set": _set,
    "bomb": _bomb,
    "missing": _missing,
    "extra": _extra,
    "key twice": _twice,
    "several": _several,
    "no object": _no_object,
}
OFTEN: Final = ("hostile text", "hostile text", "mutated", "mutated", "list", "several")
KINDS: Final = (*MAKERS, *OFTEN)
