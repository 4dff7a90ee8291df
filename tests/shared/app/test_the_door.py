"""The one door, seen from a client: errors with codes, nothing leaks, names refused, budgets kept."""

import json
import logging
from typing import Annotated, Literal

import anyio
import pytest
from fastmcp import Client
from fastmcp.client.transports import FastMCPTransport
from fastmcp.tools import Tool
from fastmcp.tools.base import ToolResult
from fastmcp.tools.function_tool import FunctionTool
from mcp.shared.exceptions import MCPError
from pydantic import Field

from aiops_shared.app import build
from aiops_shared.app.boundary import CALL_DEADLINE_S
from aiops_shared.errors import AiopsError, AuditDownError, NotConfiguredError, NotFoundError
from aiops_shared.params import READS, WRITES
from aiops_shared.results import Answer, Table
from aiops_shared.settings import Settings

CANARY = "AKIA" + "Q3EXAMPLECANARY7"


class Told(Answer):
    """What the test tools return."""

    text: str = ""
    rows: Table = Table(columns=(), rows=())


class Many(Answer):
    """A long list with a cursor."""

    rows: tuple[str, ...]


async def echo(text: Annotated[str, Field(max_length=5000)], count: Annotated[int, Field(ge=1)] = 1) -> Told:
    """Say it back."""
    return Told(summary="said", text=text * count)


async def missing(name: str) -> Told:
    """Never finds it."""
    raise NotFoundError(f"pod {name}", "is not there", "nearest: api-1")


async def broken() -> Told:
    """Has a bug whose text holds a secret."""
    raise KeyError(CANARY)


async def long_list(rows: int, detail: Literal["summary", "full"] = "summary") -> Many:
    """A list that does not fit."""
    return Many(
        summary="many",
        rows=tuple(f"row number {index} of a long list" for index in range(rows)),
        next_cursor="c",
    )


async def destroy() -> Told:
    """Would change something."""
    return Told(summary="changed")


async def slow() -> Told:
    """Takes longer than a client waits."""
    await anyio.sleep(10 * CALL_DEADLINE_S)
    return Told(summary="late")


class Calls:
    """Remembers what the door reported."""

    def __init__(self) -> None:
        self.refusals: list[tuple[str, str]] = []
        self.ran: list[str] = []

    async def refused(self, tool: str, arguments: dict[str, object], error: AiopsError) -> None:
        """A refusal by configuration."""
        self.refusals.append((tool, error.code))

    async def called(self, tool: str, arguments: dict[str, object], result: ToolResult) -> None:
        """A call that ran."""
        self.ran.append(tool)


def tools() -> list[FunctionTool]:
    reads = [Tool.from_function(fn, annotations=READS) for fn in (echo, missing, broken, long_list, slow)]
    return [*reads, Tool.from_function(destroy, annotations=WRITES, tags={"write"})]


def connect(calls: Calls | None = None, **settings: object) -> Client[FastMCPTransport]:
    server = build("test", tools(), settings=Settings.model_validate(settings), instructions="x", calls=calls)
    return Client(server)


async def text_of(client: Client[FastMCPTransport], tool: str, **arguments: object) -> str:
    result = await client.call_tool(tool, arguments, raise_on_error=False)
    return "".join(getattr(block, "text", "") for block in result.content)


async def test_an_error_reaches_the_client_with_its_code_reason_and_next_step() -> None:
    async with connect() as client:
        assert (
            await text_of(client, "missing", name="api")
            == "[not_found] pod api: is not there; nearest: api-1"
        )


@pytest.mark.threat("T6")
async def test_the_text_of_a_bug_stays_here_and_the_log_has_it_redacted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.ERROR, "aiops.app"):
        async with connect() as client:
            text = await text_of(client, "broken")
    assert text.startswith("[internal] broken: ")
    assert CANARY not in text
    assert any("bug" in record.getMessage() for record in caplog.records)


async def test_a_wrong_argument_is_refused_without_repeating_its_value() -> None:
    async with connect() as client:
        text = await text_of(client, "echo", text="x", count=-17)
        assert text.startswith("[invalid_input] echo: count: ")
        assert "-17" not in text
        assert "pydantic" not in text
        assert (await text_of(client, "echo", text="x", other=CANARY)).startswith(
            "[invalid_input] echo: other: "
        )


async def test_an_argument_that_nobody_knows_is_named_in_short_and_redacted_before_it_is_cut() -> None:
    async with connect() as client:
        text = await text_of(client, "echo", **{"text": "x", "k" * 10_000: 1})
        assert text.startswith(f"[invalid_input] echo: {'k' * 79}…: ")
        assert len(text) < 300
        assert CANARY[:12] not in await text_of(client, "echo", **{"text": "x", f"{'k ' * 34}{CANARY}": 1})


@pytest.mark.threat("T2")
async def test_a_write_tool_is_neither_listed_nor_callable_when_writes_are_off() -> None:
    calls = Calls()
    async with connect(calls) as client:
        assert "destroy" not in {tool.name for tool in await client.list_tools()}
        assert (await text_of(client, "destroy")).startswith("[read_only] destroy: ")
    assert calls.refusals == [("destroy", "read_only")]
    assert calls.ran == []


@pytest.mark.threat("T2")
async def test_what_is_listed_is_exactly_what_can_be_called() -> None:
    for write in (False, True):
        async with connect(write=write) as client:
            listed = {tool.name for tool in await client.list_tools()}
            for tool in tools():
                if tool.name == "slow":
                    continue
                text = await text_of(client, tool.name)
                assert text.startswith("[read_only]") is (tool.name not in listed)


class Broken(Calls):
    """A journal with a bug, and an audit that cannot be written."""

    async def refused(self, tool: str, arguments: dict[str, object], error: AiopsError) -> None:
        """The audit is down."""
        raise AuditDownError("audit", "the disk is full", "make room")

    async def called(self, tool: str, arguments: dict[str, object], result: ToolResult) -> None:
        """A bug outside of the tool."""
        raise KeyError(CANARY)


@pytest.mark.threat("T6")
async def test_what_fails_outside_of_a_tool_is_masked_too() -> None:
    async with connect(Broken()) as client:
        assert (await text_of(client, "destroy")).startswith("[audit_down] audit: ")
        text = await text_of(client, "echo", text="x")
    assert text.startswith("[internal] echo: ")
    assert CANARY not in text


async def test_an_unknown_tool_is_a_protocol_error() -> None:
    async with connect() as client:
        with pytest.raises(MCPError, match="Unknown tool"):
            await client.call_tool("delete_everything", {})


async def test_a_misspelt_name_in_the_allow_list_stops_the_server() -> None:
    with pytest.raises(NotConfiguredError, match="no such tool: ecko"):
        connect(tools=["ecko"])


async def test_a_tool_outside_the_allow_list_is_refused_by_name() -> None:
    calls = Calls()
    async with connect(calls, tools=["echo"]) as client:
        assert [tool.name for tool in await client.list_tools()] == ["echo"]
        assert (await text_of(client, "missing", name="x")).startswith("[refused] missing: ")
    assert calls.refusals == [("missing", "refused")]


@pytest.mark.threat("T6")
async def test_every_string_that_leaves_is_redacted_first_and_cut_afterwards() -> None:
    async with connect() as client:
        text = await text_of(client, "echo", text=f"key {CANARY} " + "x" * 4900)
    assert CANARY not in text
    assert CANARY[:12] not in text


@pytest.mark.threat("T7")
async def test_control_characters_become_visible() -> None:
    async with connect() as client:
        text = await text_of(client, "echo", text="a\x1b]0;pwn\x07\u202eexe.txt")
    for hidden in ("\x1b", "\x07", "\u202e", "\\u001b", "\\u202e"):
        assert hidden not in json.loads(text)["text"] or hidden.startswith("\\")
    assert "\x1b" not in json.loads(text)["text"]


async def test_text_and_structure_are_the_same_answer() -> None:
    async with connect() as client:
        result = await client.call_tool("echo", {"text": "hello"})
    assert (
        json.loads(result.content[0].text)
        == result.structured_content
        == {"summary": "said", "text": "hello"}
    )


async def test_a_cut_answer_says_what_was_cut_and_loses_its_cursor() -> None:
    async with connect() as client:
        short = (await client.call_tool("long_list", {"rows": 5000})).structured_content
        full = (await client.call_tool("long_list", {"rows": 5000, "detail": "full"})).structured_content
    assert short is not None
    assert full is not None
    for answer in (short, full):
        assert answer["truncated"] is True
        assert "of 5000 shown" in answer["warnings"][-1]
        assert "next_cursor" not in answer
        assert answer["rows"][0] == "row number 0 of a long list"
    assert len(json.dumps(short)) < 5_500 < len(json.dumps(full)) < 40_000


async def test_schemas_carry_no_null_branches_defaults_titles_or_meta() -> None:
    async with connect(write=True) as client:
        for tool in await client.list_tools():
            text = tool.model_dump_json(by_alias=True, exclude_none=True)
            for noise in ('"null"', '"default"', '"$defs"', '"_meta"', '"anyOf"'):
                assert noise not in text, (tool.name, noise)
            assert '"title"' not in json.dumps(tool.input_schema)


async def test_the_full_output_schema_is_a_resource() -> None:
    async with connect() as client:
        found = await client.read_resource("schema://echo")
        assert "next_cursor" in found[0].text


async def test_a_call_that_outlasts_the_clients_patience_ends_with_a_code(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("aiops_shared.app.boundary.CALL_DEADLINE_S", 0.05)
    async with connect() as client:
        assert (await text_of(client, "slow")).startswith("[timeout] slow: ")
