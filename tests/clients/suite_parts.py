"""The tools, prompts and resources that the conformance suite calls by name.

The suite judges a server by parts that it names itself (`test_simple_text`, `test://static-text`). They are
mounted onto our servers by the harness (`endpoints.py`) behind every real layer; product code does not know
them. What they answer is what the suite's scenario descriptions ask for.
"""

import json
from typing import Any, Final

from fastmcp import Context, FastMCP
from fastmcp.prompts import Message
from fastmcp.tools import ToolResult
from mcp_types import (
    AudioContent,
    CompletionArgument,
    CompletionContext,
    CreateMessageResult,
    EmbeddedResource,
    ImageContent,
    PromptReference,
    ResourceTemplateReference,
    TextContent,
    TextResourceContents,
)

from tests.clients.suite_questions import add_questions, asks_model

# One red point, and one sample of silence.
PNG: Final = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=="
)
WAV: Final = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQIAAACAgA=="

Fields = dict[str, dict[str, Any]]
DEFAULTS: Final[Fields] = {
    "name": {"type": "string", "default": "John Doe"},
    "age": {"type": "integer", "default": 30},
    "score": {"type": "number", "default": 95.5},
    "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
    "verified": {"type": "boolean", "default": True},
}
_PLAIN: Final = ["option1", "option2", "option3"]
_TITLED: Final = [
    {"const": "value1", "title": "First"},
    {"const": "value2", "title": "Second"},
    {"const": "value3", "title": "Third"},
]
CHOICES: Final[Fields] = {
    "untitledSingle": {"type": "string", "enum": _PLAIN},
    "titledSingle": {"type": "string", "oneOf": _TITLED},
    "legacyEnum": {
        "type": "string",
        "enum": ["opt1", "opt2", "opt3"],
        "enumNames": ["Option One", "Option Two", "Option Three"],
    },
    "untitledMulti": {"type": "array", "items": {"type": "string", "enum": _PLAIN}},
    "titledMulti": {"type": "array", "items": {"anyOf": _TITLED}},
}


def parts() -> FastMCP:
    """A server of these parts alone, to be mounted."""
    server = FastMCP("suite-parts", mask_error_details=True)
    _add_contents(server)
    _add_talking(server)
    _add_asking(server)
    _add_resources(server)
    _add_prompts(server)
    add_questions(server)
    return server


def complete(
    reference: PromptReference | ResourceTemplateReference,
    argument: CompletionArgument,
    context: CompletionContext | None,
) -> list[str]:
    """Argument completion: the suite asks for any."""
    del reference, context
    return [word for word in ("paris", "park", "party") if word.startswith(argument.value)]


def _resource(uri: str, mime: str, text: str) -> EmbeddedResource:
    return EmbeddedResource(
        type="resource", resource=TextResourceContents(uri=uri, mime_type=mime, text=text)
    )


def _image() -> ImageContent:
    return ImageContent(type="image", data=PNG, mime_type="image/png")


def _add_contents(server: FastMCP) -> None:
    """Every kind of content."""

    @server.tool(description="Text")
    def test_simple_text() -> ToolResult:
        return ToolResult("This is a simple text response for testing.")

    @server.tool(description="An image")
    def test_image_content() -> ToolResult:
        return ToolResult([_image()])

    @server.tool(description="A sound")
    def test_audio_content() -> ToolResult:
        return ToolResult([AudioContent(type="audio", data=WAV, mime_type="audio/wav")])

    @server.tool(description="A resource inside of the answer")
    def test_embedded_resource() -> ToolResult:
        text = "This is an embedded resource content."
        return ToolResult([_resource("test://embedded-resource", "text/plain", text)])

    @server.tool(description="Several kinds at once")
    def test_multiple_content_types() -> ToolResult:
        text = json.dumps({"test": "data", "value": 123})
        mixed = _resource("test://mixed-content-resource", "application/json", text)
        first = TextContent(type="text", text="Multiple content types test:")
        return ToolResult([first, _image(), mixed])

    @server.tool(description="Always an error")
    def test_error_handling() -> ToolResult:
        return ToolResult("This tool intentionally returns an error for testing", is_error=True)


def _add_talking(server: FastMCP) -> None:
    """Progress and logs."""

    @server.tool(description="Logs three times")
    async def test_tool_with_logging(ctx: Context) -> ToolResult:
        for said in ("Tool execution started", "Tool processing data", "Tool execution completed"):
            await ctx.info(said)
        return ToolResult("logged")

    @server.tool(description="Logs once, where the request asked for logs")
    async def test_logging_tool(ctx: Context) -> ToolResult:
        await ctx.info("diagnostic")
        return ToolResult("logged")

    @server.tool(description="Reports progress")
    async def test_tool_with_progress(ctx: Context) -> ToolResult:
        for done in (0, 50, 100):
            await ctx.report_progress(done, 100)
        return ToolResult("done")

    @server.tool(description="Reports progress in a stream")
    async def test_streaming_elicitation(ctx: Context) -> ToolResult:
        await ctx.report_progress(50, 100)
        return ToolResult("done")


def _add_asking(server: FastMCP) -> None:
    """What a server asks its client on older connections."""

    @server.tool(description="Asks the client's model")
    async def test_sampling(prompt: str, ctx: Context) -> ToolResult:
        request = asks_model(prompt)
        said = await ctx.session.send_request(request, CreateMessageResult)
        return ToolResult(f"LLM response: {said.content}")

    async def asks(ctx: Context, message: str, fields: Fields) -> ToolResult:
        schema = {"type": "object", "properties": fields, "required": list(fields)}
        found = await ctx.session.elicit_form(message, schema, ctx.request_id)
        return ToolResult(f"action={found.action}, content={json.dumps(found.content)}")

    @server.tool(description="Asks the client's user")
    async def test_elicitation(message: str, ctx: Context) -> ToolResult:
        return await asks(ctx, message, {"username": {"type": "string"}, "email": {"type": "string"}})

    @server.tool(description="Asks with defaults")
    async def test_elicitation_sep1034_defaults(ctx: Context) -> ToolResult:
        return await asks(ctx, "defaults", DEFAULTS)

    @server.tool(description="Asks with choices")
    async def test_elicitation_sep1330_enums(ctx: Context) -> ToolResult:
        return await asks(ctx, "choices", CHOICES)


def _add_resources(server: FastMCP) -> None:
    @server.resource("test://static-text", mime_type="text/plain", description="Text")
    def static_text() -> str:
        return "This is the content of the static text resource."

    @server.resource("test://static-binary", mime_type="image/png", description="An image")
    def static_binary() -> bytes:
        from base64 import b64decode

        return b64decode(PNG)

    @server.resource("test://template/{id}/data", mime_type="application/json", description="By id")
    def by_id(id: str) -> str:  # the suite names it
        return json.dumps({"id": id, "templateTest": True, "data": f"Data for ID: {id}"})

    @server.resource("test://watched-resource", mime_type="text/plain", description="To subscribe to")
    def watched() -> str:
        return "Watched."


def _add_prompts(server: FastMCP) -> None:
    @server.prompt(description="Text")
    def test_simple_prompt() -> str:
        return "This is a simple prompt for testing."

    @server.prompt(description="Text with arguments")
    def test_prompt_with_arguments(arg1: str, arg2: str) -> str:
        return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"

    @server.prompt(description="A resource inside of the prompt")
    def test_prompt_with_embedded_resource(resourceUri: str) -> list[Message]:  # noqa: N803  # the suite's name
        text = "Embedded resource content for testing."
        inside = Message(_resource(resourceUri, "text/plain", text))
        return [inside, Message("Please process the embedded resource above.")]

    @server.prompt(description="An image inside of the prompt")
    def test_prompt_with_image() -> list[Message]:
        return [Message(_image()), Message("Please analyze the image above.")]
