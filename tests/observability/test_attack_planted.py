"""Everything that can be read while secrets and orders stand everywhere: none gets out, none is obeyed.

One walk of all tools by a client of the real process, over a world with planted texts. Held are threats T6
(no secret in an answer, an error, the audit, the journal, the database's bytes or on stderr), T7 (orders are
data, in fields that say so, without control characters) and T2 (nothing is written anywhere).
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastmcp import Client
from fastmcp.client.transports import StdioTransport

from aiops_lab.run import Lab
from aiops_lab.scenarios.canaries import CANARIES, found_in
from aiops_lab.scenarios.drill import leaky_name
from aiops_lab.scenarios.names import cast
from aiops_shared.guardrails.redacting import escape_untrusted
from fuzz.tools.judging import strings
from tests.e2e.processes import environment
from tests.e2e.stage import Answer, Obj, asked
from tests.lab_fixture import running_lab
from tests.observability.every_call import COLLECTOR, HOME, calls
from tests.observability.planting import LEAKS, ORDER, ORDERS, SERVICE, WORKLOAD, Plant

TOOLS = 10
READS = re.compile(
    r"(Describe|Get|List|BatchGet|StartQuery|StopQuery|FilterLogEvents|LookupEvents)[A-Za-z]*$"
)
FINE = {"", "not_found", "invalid_input", "query_invalid", "insufficient_data", "not_configured"}
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def collector() -> str:
    """A collector's file with the secrets and orders in its settings and in its comments."""
    bearer = LEAKS[6].removeprefix("authorization: ")
    key = LEAKS[1].partition("DB_PASSWORD=")[2].partition(" ")[0]
    wanted = f"    headers: {{api-key: {key}, authorization: '{bearer}'}}\n"
    said = "".join(f"# {line}\n" for text in (*LEAKS, ORDERS[0]) for line in text.splitlines())
    return said + COLLECTOR.replace(".example.com\n", f".example.com\n{wanted}")


async def walked(lab: Lab, folder: Path) -> list[tuple[str, Obj, Answer]]:
    """Every call and its answer."""
    given = environment(lab, folder, "aiops-observer", AIOPS_LOG_LEVEL="debug")
    arguments = ["-m", "eks_aiops", "observability"]
    log_file = folder / "server.log"
    transport = StdioTransport(
        sys.executable, arguments, env=given, cwd=str(folder), keep_alive=False, log_file=log_file
    )
    pods = f"{HOME}/deployment/{leaky_name(cast(lab.seed))}"
    async with Client(transport) as client:
        return [
            (tool, arguments, await asked(client, tool, arguments))
            for tool, arguments in calls(WORKLOAD, SERVICE, collector=collector(), pods=pods)
        ]


@pytest.mark.threat("T2")
@pytest.mark.threat("T6")
@pytest.mark.threat("T7")
@pytest.mark.row("BI-030")
@pytest.mark.row("BI-032")
async def test_planted_secrets_stay_inside_and_planted_orders_stay_data(tmp_path: Path) -> None:
    assert len(LEAKS) == len(CANARIES) == 12
    async with running_lab("guardrail-drill", 5) as lab:
        lab.clock.advance(120)
        Plant(lab).everywhere([*LEAKS, *ORDERS])
        answers = await walked(lab, tmp_path)
        written, aws = lab.requests.writes(), lab.aws_requests()
        posted = {one[1] for one in lab.observatory.log.asked}
    assert len({tool for tool, _, _ in answers}) == TOOLS
    assert {answer.code for _, _, answer in answers} <= FINE
    assert sum(not answer.error for _, _, answer in answers) > 60
    # T2: the simulator's own logs
    assert written == []
    assert [one.operation for one in aws if not READS.match(one.operation)] == []
    assert posted <= {"GET", "POST"}
    # T6
    leaks = [(tool, said, found_in(answer.text)) for tool, said, answer in answers if found_in(answer.text)]
    assert leaks == []
    kept = {each.name: each.read_bytes().decode("utf-8", "replace") for each in files(tmp_path)}
    assert {"state.db", "server.log"} <= set(kept)
    assert {name: found_in(text) for name, text in kept.items() if found_in(text)} == {}
    # T7
    assert sum(ORDER in answer.text for _, _, answer in answers) > 30, "the orders are read at all"
    assert [each for one in answers for each in out_of_place(*one)] == []


def files(folder: Path) -> Iterator[Path]:
    """All that the process left behind."""
    return (each for each in folder.rglob("*") if each.is_file())


def out_of_place(tool: str, arguments: Obj, answer: Answer) -> Iterator[str]:
    """Orders outside of what the answer calls untrusted, and characters that hide or command."""
    said = f"{tool} {json.dumps({key: each for key, each in arguments.items() if key != 'current'})}"
    if ORDER in answer.error:
        yield f"{said}: error {answer.error[:300]}"
    for text in strings(answer.data):
        if escape_untrusted(text) != text:
            yield f"{said}: raw characters in {text[:200]!r}"
    marked = set(answer.data.get("untrusted", ()))
    for name, value in answer.data.items():
        if name not in marked and any(ORDER in text for text in strings(value)):
            yield f"{said}: {name} {json.dumps(value)[:300]}"
