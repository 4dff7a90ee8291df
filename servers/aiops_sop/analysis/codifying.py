"""A stretch of work as the draft of a SOP (S58): pure, from journalled calls to the file's text.

What was written becomes plan steps; a read that was made again after one becomes its check; reads that led
to the first write become evidence. Names and amounts become parameters, so that nothing of the one incident
stands in the file; free text, secrets and moments do not travel at all. Nothing is added that was not done.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

Args = dict[str, Any]
IDENTITY: Final = (
    "cluster",
    "namespace",
    "kind",
    "name",
    "workload",
    "service",
    "names",
    "nodepool",
    "container",
)
AMOUNTS: Final = (
    "replicas",
    "memory_limit",
    "memory_request",
    "cpu_limit",
    "cpu_request",
    "image",
    "to_revision",
    "version",
)
BODIES: Final = (
    "manifest",
    "configuration",
)  # never copied: the next one has another, and it may hold anything
KEPT: Final = (
    "action",
    "what",
    "mode",
    "include",
    "group",
    "state",
    "since",
    "kind_of",
    "unhealthy_only",
    "severity",
)
LED: Final = 5  # reads before the first write that become evidence
REDACTED: Final = re.compile(r"\[redacted|\*{3,}|REDACTED", re.IGNORECASE)
_RELATIVE = re.compile(r"-?\d{1,6}\s*[smhdw]")
_TYPES: Final[Mapping[type, str]] = {bool: "boolean", int: "integer", float: "number", list: "list"}
# How a repeated read says that it is well now; without one of them it is kept as evidence.
WELL: Final[Mapping[str, str]] = {
    "diagnose": "size(result.?findings.orValue([])) == 0",
    "list_resources": "result.unhealthy == 0",
}


@dataclass(frozen=True, slots=True)
class Done:
    """One journalled call. `executed`: of a plan, whether it was carried out and stayed."""

    server: str
    tool: str
    arguments: Args
    executed: bool = False

    @property
    def plans(self) -> bool:
        """Whether it planned a change."""
        return self.tool.startswith("plan_")

    @property
    def asked(self) -> tuple[str, str]:
        """Equal for the same question."""
        return f"{self.server}.{self.tool}", json.dumps(self.arguments, sort_keys=True, default=str)


@dataclass(slots=True)
class _Params:
    """The parameters of the draft, by their name; a value has one name."""

    values: dict[str, Any] = field(default_factory=dict)
    required: set[str] = field(default_factory=set)

    def named(self, key: str, value: Any, *, required: bool) -> str:
        """The parameter that stands for a value."""
        name = key
        for number in range(2, 50):
            if name not in self.values or self.values[name] == value:
                break
            name = f"{key}_{number}"
        self.values.setdefault(name, value)
        if required:
            self.required.add(name)
        return f"{{{{ params.{name} }}}}"


@dataclass(frozen=True, slots=True)
class Draft:
    """The file's text, and what was left out of it."""

    text: str
    steps: int
    left_out: tuple[str, ...]


def drafted(name: str, title: str, done: Sequence[Done]) -> Draft:
    """The draft. Without a change that stayed it has reads alone."""
    params, left = _Params(), _left_out(done)
    writes = [one for one in done if one.plans and one.executed]
    first = done.index(writes[0]) if writes else len(done)
    reads = list(dict.fromkeys(one.asked for one in done[:first] if _leads(one)))[-LED:]
    led = [next(one for one in done if one.asked == asked) for asked in reads]
    blocks = [_read_step(place, one, params) for place, one in enumerate(led, 1)]
    for place, write in enumerate(writes, len(blocks) + 1):
        after = done[done.index(write) + 1 :]
        blocks.append(_write_step(place, write, _check_of(write, after), params))
    return Draft(_page(name, title, blocks, params, writes), len(blocks), tuple(left))


def _leads(one: Done) -> bool:
    return not one.plans and one.server != "sop" and one.tool not in {"get_action", "list_clusters"}


def _left_out(done: Sequence[Done]) -> Iterator[str]:
    for one in done:
        if one.plans and not one.executed:
            yield f"{one.tool}({one.arguments.get('action', '')}): it was not carried out, or did not stay"
    sent = {key for one in done for key in one.arguments if key in BODIES}
    for key in sorted(sent):
        yield f"{key}: its text is a parameter, whoever starts the procedure gives it"


def _check_of(write: Done, after: Sequence[Done]) -> Done:
    """The read that was made after the change and that can say it is well; else a diagnosis of its target."""
    target: Args = {
        key: write.arguments[key]
        for key in ("cluster", "namespace", "kind", "name")
        if key in write.arguments
    }
    for one in reversed(after):
        about = {key: one.arguments[key] for key in target if key in one.arguments}
        if one.tool in WELL and all(about[key] == target[key] for key in about if key != "kind"):
            return one
    if "names" in write.arguments:
        return Done("eks", "list_resources", {**_cluster(target), "kind": "Node", "unhealthy_only": True})
    return Done("eks", "diagnose", target)


def _cluster(target: Args) -> Args:
    return {key: target[key] for key in ("cluster",) if key in target}


def _arguments(one: Done, params: _Params) -> Args:
    """What a step asks: names and amounts as parameters; no prose, no moments, no secrets."""
    found: Args = {}
    for key, value in one.arguments.items():
        if value in (None, "", []) or REDACTED.search(str(value)):
            continue
        if key in IDENTITY and not _constant(one, key):
            found[key] = params.named(key, value, required=key != "cluster")
        elif key in BODIES:
            found[key] = params.named(key, None, required=True)
        elif key in AMOUNTS:
            found[key] = params.named(key, value, required=False)
        elif key in KEPT and not (key == "since" and not _RELATIVE.fullmatch(str(value))):
            found[key] = value
    return found


def _constant(one: Done, key: str) -> bool:
    """The kind of a list is part of the question."""
    return key == "kind" and one.tool == "list_resources"


def _read_step(place: int, one: Done, params: _Params) -> str:
    id_ = f"{one.tool}_{place}"
    block = [f"id: {id_}", f"call: {one.server}.{one.tool}", f"with: {_flow(_arguments(one, params))}"]
    block += ['evidence: ["result.summary"]', "on_fail: escalate"]
    what = f"Ask `{one.server}.{one.tool}` as it was asked when the change was decided."
    duty = f"You MUST read `{one.tool}` before anything is changed because the change stood on it"
    return _step(place, f"Read {_words(one.tool)}", what, duty, block)


def _write_step(place: int, one: Done, check: Done, params: _Params) -> str:
    action = str(one.arguments.get("action", one.tool.removeprefix("plan_")))
    block = [
        f"id: {_id(action)}_{place}",
        f"plan: {one.server}.{one.tool}",
        f"with: {_flow(_arguments(one, params))}",
    ]
    block += [
        "verify:",
        f"  call: {check.server}.{check.tool}",
        f"  with: {_flow(_arguments(check, params))}",
    ]
    block += [f'  until: "{WELL[check.tool]}"', "  within: 10m", "  every: 30s"]
    block += ["undo: default", "timeout: 20m", "on_fail: undo"]
    what = f"Plan `{action}` with `{one.server}.{one.tool}`, execute it, and look until it is well."
    duty = f"You MUST verify with `{check.tool}` because the person who did it first looked there"
    return _step(place, f"Do: {_words(action)}", what, duty, block)


def _step(place: int, title: str, prose: str, duty: str, block: Sequence[str]) -> str:
    body = "\n".join(block)
    return f"### {place}. {title}\n{prose}\n\n**Constraints:**\n- {duty}\n\n```yaml step\n{body}\n```\n"


def _id(text: str) -> str:
    return re.sub(r"[^a-z0-9_]", "_", text.lower())[:40]


def _words(text: str) -> str:
    return text.replace("_", " ")


def _flow(tree: Args) -> str:
    """YAML in one line; JSON is YAML."""
    return json.dumps(tree, ensure_ascii=False)


def _page(name: str, title: str, blocks: Sequence[str], params: _Params, writes: Sequence[Done]) -> str:
    risk = "medium" if writes else "low"
    target = " + '/' + ".join(
        f"string(params.{key})" for key in ("namespace", "name", "names") if key in params.required
    )
    front = [f"id: {name}", "version: 1", f"risk: {risk}", f'target: "{target or repr(name)}"', "params:"]
    front += [f"  {key}: {_param(key, value, params)}" for key, value in params.values.items()]
    if not params.values:
        front[-1] = "params: {}"
    lines = [_line(key, params) for key in params.values] or ["None."]
    steps = "\n".join(blocks)
    return (
        f"---\n{chr(10).join(front)}\n---\n# {title}\n\n## Overview\n"
        "A draft of work that was done once. Read every step, say why, and prove it in the lab before it is"
        " trusted.\n\n"
        f"## Parameters\n{chr(10).join(lines)}\n\n## Steps\n\n{steps}\n"
        "## Examples\n- None yet: write down the first run.\n\n"
        "## Troubleshooting\n- Nothing is known yet.\n"
    )


def _param(key: str, value: Any, params: _Params) -> str:
    form: Args = {"type": _TYPES.get(type(value), "string")}
    return json.dumps(form if key in params.required else {**form, "required": False})


def _line(key: str, params: _Params) -> str:
    said = "required" if key in params.required else "optional"
    return f"- **{key}** ({said}): {_words(key)}"
