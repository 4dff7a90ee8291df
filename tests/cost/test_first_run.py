"""Nothing is there: no network, credentials, cluster or state. The server over stdio says what it lacks.

Done-when 4 of issue 6: five tools are listed; each call names exactly what is missing and how to give it, and
what can still be answered is.
"""

import sys
from pathlib import Path

import pytest
from fastmcp import Client
from fastmcp.client.transports import StdioTransport

from aiops_shared.settings import inherited
from tests.e2e.stage import Answer, Obj, asked

CREDENTIALS = "credentials"
CALLS: tuple[tuple[str, Obj, tuple[str, ...]], ...] = (
    ("get_costs", {}, (CREDENTIALS,)),
    ("get_costs", {"group_by": "workload"}, ("KUBECONFIG", CREDENTIALS)),
    ("explain_cost_change", {}, (CREDENTIALS,)),
    ("recommend_savings", {}, ("KUBECONFIG", CREDENTIALS)),
    ("list_prices", {"what": "m5.large"}, ("AWS_REGION",)),
    ("estimate_cost", {"instances": "1 m5.large"}, ("AWS_REGION",)),
    ("estimate_cost", {"plan_id": "nobody-made-it"}, ("plan",)),
)


@pytest.mark.timeout(60)
async def test_on_an_empty_machine_every_tool_says_what_is_missing_and_how_to_give_it(tmp_path: Path) -> None:
    given = {
        **inherited("PATH", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV"),
        "HOME": str(tmp_path),
        "AIOPS_STATE_DIR": str(tmp_path / "state"),
        "AWS_EC2_METADATA_DISABLED": "true",
        # Nowhere to go: a proxy that refuses stands for a machine without a network.
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "HTTP_PROXY": "http://127.0.0.1:9",
    }
    transport = StdioTransport(
        sys.executable,
        ["-m", "eks_aiops", "cost"],
        env=given,
        cwd=str(tmp_path),
        keep_alive=False,
        log_file=tmp_path / "server.log",
    )
    async with Client(transport) as client:
        tools = {tool.name for tool in await client.list_tools()}
        answers = [
            (tool, arguments, words, await asked(client, tool, arguments)) for tool, arguments, words in CALLS
        ]
        kinds = await asked(client, "list_prices", {"what": "kinds"})
        page = await client.list_resources()
    assert tools == {tool for tool, _, _ in CALLS}
    wrong = [
        f"{tool} {said}: {answer.text[:700]}"
        for tool, said, words, answer in answers
        if not clear(answer, words)
    ]
    assert not wrong, "\n".join(wrong)
    assert not kinds.error
    assert "gp3" in kinds.text
    assert page
    assert "Traceback" not in (tmp_path / "server.log").read_text()


def clear(answer: Answer, words: tuple[str, ...]) -> bool:
    """An error with a code of its own that names what is missing."""
    said = answer.text.lower()
    return answer.code in CODES and all(word.lower() in said for word in words)


CODES = {"not_configured", "cluster_not_found", "plan_not_found", "unreachable", "not_found"}
