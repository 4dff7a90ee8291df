"""A small part of `make fuzz` in every test run: two servers, both transports, some two hundred calls.

What must hold of each answer is judged by `fuzz.tools.judging`; effects are counted by the lab's own logs.
"""

import json
from pathlib import Path
from random import Random

import pytest

from fuzz.canaries.finding import leaks_in
from fuzz.tools.attacks import MAKERS, Attack, Drawing, Pool
from fuzz.tools.ground import ground, lane_named
from fuzz.tools.judging import Judge
from fuzz.tools.playing import Player, Tally, packed, unpacked
from fuzz.tools.skeletons import every
from fuzz.tools.talking import Heard
from tests.contracts.snapshots import listed

SEED = 11
CALLS = {"observability/http/write": 40, "eks/stdio/write": 60}


@pytest.mark.slow
@pytest.mark.timeout(280)
@pytest.mark.threat("T1")
@pytest.mark.threat("T2")
@pytest.mark.threat("T6")
@pytest.mark.row("BI-118")
@pytest.mark.row("BI-128")
async def test_no_call_drawn_from_the_schemas_breaks_leaks_or_writes_anything(tmp_path: Path) -> None:
    found, calls = [], 0
    async with ground(tmp_path) as place:
        for name, count in CALLS.items():
            lane = lane_named(name)
            tally = Tally(lane)
            async with place.opened(lane) as talk:
                player = Player(place, lane, talk, tally, Judge(home=str(tmp_path)))
                drawing = Drawing(await player.listed(), every(place.lab), Random(SEED))
                if lane.http:
                    await player.damaged()
                for _ in range(count):
                    await player.play(drawing.next(player.pool))
            found += [one.line() for one in tally.findings]
            calls += tally.calls
        left = [body.decode("utf-8", "replace") for _, body in place.spans]
    assert found == [], "\n".join(found)
    assert calls >= 200
    assert leaks_in("".join(left)) == []


async def test_every_parameter_of_every_tool_is_attacked_in_every_way() -> None:
    """From the listed schemas alone: a new parameter needs no line anywhere."""
    drawn: dict[str, set[str]] = {}
    for server, tools in (await listed()).items():
        drawing, pool = Drawing(tools, {}, Random(1)), Pool()
        for _ in range(len(tools) * 400):
            attack = drawing.next(pool)
            drawn.setdefault(attack.kind, set()).add(f"{server}.{attack.tool}")
            words = drawn.setdefault(f"{server}.{attack.tool}", set())
            words |= {word for word in _words(tools, attack.tool) if f'"{word}":' in attack.arguments}
        for tool in tools:
            assert drawn[f"{server}.{tool['name']}"] >= set(_words(tools, tool["name"])), tool["name"]
    assert set(MAKERS) <= set(drawn)


def _words(tools: list[dict[str, object]], name: str) -> list[str]:
    schema = next(tool["inputSchema"] for tool in tools if tool["name"] == name)
    assert isinstance(schema, dict)
    return list(schema.get("properties", {}))


def test_the_same_seed_draws_the_same_calls_and_a_packed_call_is_the_same_call() -> None:
    tools = [{"name": "look", "inputSchema": {"properties": {"a": {"type": "string"}}, "required": ["a"]}}]
    first, second = (
        [Drawing(tools, {}, Random(5)).next(Pool()) for _ in range(3)],
        [Drawing(tools, {}, Random(5)).next(Pool()) for _ in range(3)],
    )
    assert first == second
    long = Attack("look", "bomb", json.dumps({"a": "[" * 200_000}))
    assert unpacked(packed(long)) == long
    assert len(packed(long)) < 1_000


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        ({"result": {"isError": True, "content": [{"text": "[internal] x: y"}]}}, "code 'internal'"),
        ({"result": {"isError": True, "content": [{"text": "no code at all"}]}}, "code 'no code'"),
        ({"result": {"isError": True, "content": [{"text": "[invalid_input] KeyError: 1"}]}}, "our inside"),
        ({"result": {"content": [{"text": "a\u202eb"}]}}, "raw characters"),
        ({"error": {"code": -32603, "message": "boom"}}, "JSON-RPC error -32603"),
        ({}, "neither result nor error"),
    ],
)
def test_the_judge_sees_what_must_not_be(answer: dict[str, object], fault: str) -> None:
    heard = Heard(answer, 0, 0.1, json.dumps(answer))
    assert any(fault in one for one in Judge(home="/somewhere").faults(heard))
    fine = {"result": {"isError": True, "content": [{"text": "[invalid_input] a: b; c"}]}}
    assert list(Judge(home="/somewhere").faults(Heard(fine, 0, 0.1, json.dumps(fine)))) == []


def test_a_secret_is_found_in_every_form_in_which_it_leaves() -> None:
    from base64 import b64encode
    from urllib.parse import quote

    from aiops_lab.scenarios.canaries import CANARIES

    for where, core in CANARIES.items():
        escaped = "".join(f"\\u{ord(char):04x}" for char in core)
        percent = "".join(f"%{ord(char):02X}" for char in core)
        for form in (
            core,
            quote(core),
            escaped,
            percent,
            b64encode(core.encode()).decode(),
            core.encode().hex(),
        ):
            assert where in leaks_in(f"x {form} y"), (where, form)
    assert leaks_in("nothing here") == []
