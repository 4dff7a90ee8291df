"""Over stdio every line gets an answer, also one that is no message (BI-128): no client waits for ever."""

import json
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mcp_types import jsonrpc_message_adapter
from pydantic import ValidationError

from aiops_shared.app.unreadable import refusal_of
from fuzz.tools.talking import open_talk
from tests.e2e.processes import environment
from tests.lab_fixture import running_lab

GOOD = '{"jsonrpc": "2.0", "id": 7, "method": "tools/list", "params": {}}'
DEEP = '{"a":' * 300 + "1" + "}" * 300


def refused(line: str) -> Any:
    """What a line is answered with that the SDK's parser refuses."""
    with pytest.raises(ValidationError) as found:
        jsonrpc_message_adapter.validate_json(line, by_name=False)
    answer = refusal_of(found.value)
    return answer and (answer.id, answer.error.code)


@pytest.mark.row("BI-128")
@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("{", (None, -32700)),
        (GOOD[:-1], (None, -32700)),
        (GOOD.replace("{}", '{"a": "\\ud800"}'), (7, -32700)),
        (GOOD.replace("{}", DEEP), (7, -32700)),
        (GOOD.replace("{}", '{"a": "\\ud800"}').replace("7", '"seven"'), ("seven", -32700)),
        (GOOD.replace("{}", '{"a": "\\ud800"}').replace("7", "true"), (None, -32700)),
        (GOOD.replace("{}", '{"a": "\\ud800"}').replace("7", "9" * 30), (None, -32700)),
        (GOOD.replace("{}", '{"a": "\\ud800"}').replace("7", '"\\u001b"'), (None, -32700)),
        ("[" * 100_000, (None, -32700)),
        ("[1]", (None, -32600)),
        ('{"jsonrpc": "2.0", "id": {"a": 1}}', (None, -32600)),
        ("\n", None),
    ],
)
def test_a_line_that_is_no_message_is_refused_with_its_id_where_it_has_one(line: str, answer: Any) -> None:
    assert refused(line) == answer


@given(line=st.text(max_size=60) | st.sampled_from([GOOD, DEEP]).map(lambda text: text[1:]))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_no_line_breaks_the_answer(line: str) -> None:
    try:
        jsonrpc_message_adapter.validate_json(line.encode("utf-8", "replace").decode(), by_name=False)
    except ValidationError as problem:
        answer = refusal_of(problem)
        assert answer is None or json.loads(answer.model_dump_json())["error"]["code"] in {-32700, -32600}


@pytest.mark.slow
@pytest.mark.timeout(120)
@pytest.mark.row("BI-128")
async def test_a_server_process_answers_lines_that_are_none_and_goes_on(tmp_path: Path) -> None:
    async with running_lab("healthy", 3) as lab:
        given_ = environment(lab, tmp_path)
        async with open_talk("eks", given_, tmp_path) as talk:
            with anyio.fail_after(60):
                for arguments in ('{"kind": "\\ud800"}', '{"kind": ' + DEEP + "}"):
                    assert (await talk.call("list_resources", arguments)).code == "rpc -32700"
                broken = await talk.send(b'{"jsonrpc": "2.0", "id": 1, "method')
                assert (broken.code, broken.answer["id"]) == ("rpc -32700", None)
                assert (await talk.send(b" ")).answer == {}
                assert (await talk.call("list_clusters", "{}")).code == ""
