"""Prompts and `sop://{name}`: SOPs as an assistant reads them.

Made when they are asked for, so that a file that was added is there and no start waits for files (D31).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import anyio
from fastmcp import FastMCP
from fastmcp.exceptions import PromptError, ResourceError
from fastmcp.prompts import Prompt
from fastmcp.prompts.base import PromptArgument
from fastmcp.server.providers import Provider
from fastmcp.utilities.components import FastMCPComponent
from fastmcp.utilities.versions import VersionSpec

from aiops_shared.app.boundary import clean
from aiops_shared.errors import AiopsError
from aiops_shared.guardrails.redacting import redact
from aiops_sop.ports import Library

if TYPE_CHECKING:
    from aiops_sop.documents.prompting import Guide


class SopPrompt(Prompt):
    """One prompt; `write` makes its text of the arguments."""

    write: Callable[[Mapping[str, Any]], str]

    async def render(self, arguments: dict[str, Any] | None = None) -> str:
        """The text, redacted. Raises PromptError with the code of what is wrong."""
        try:
            return redact(self.write(arguments or {}))
        except AiopsError as error:
            raise PromptError(clean(error.wire())) from error


class SopPrompts(Provider):
    """Lists and gives the prompts of a library."""

    def __init__(self, library: Library) -> None:
        super().__init__()
        self._library = library

    async def _list_prompts(self) -> Sequence[Prompt]:
        return [_prompt(guide) for guide in (await self._guides()).values()]

    async def _get_prompt(self, name: str, version: VersionSpec | None = None) -> Prompt | None:
        guide = (await self._guides()).get(name)
        return _prompt(guide) if guide else None

    async def get_tasks(self) -> Sequence[FastMCPComponent]:
        """None: the framework looks for background tasks at every start, and would read every SOP for it."""
        return ()

    async def _guides(self) -> "Mapping[str, Guide]":
        from aiops_sop.documents.prompting import guides

        return guides(await anyio.to_thread.run_sync(self._library.every))


def _prompt(guide: "Guide") -> Prompt:
    from aiops_sop.documents.prompting import rendered

    return SopPrompt(
        name=guide.name,
        title=guide.title,
        description=guide.says,
        arguments=[
            PromptArgument(name=one.name, description=one.says, required=one.required)
            for one in guide.arguments
        ],
        write=lambda given: rendered(guide, given),
    )


def serve_sops(server: FastMCP, library: Library) -> None:
    """Prompts, and the resource `sop://{name}`: the file as it is run, whole."""
    server.add_provider(SopPrompts(library))

    @server.resource("sop://{name}", mime_type="text/markdown", description="A SOP, whole, as it is run")
    async def sop(name: str) -> str:
        try:
            found = await anyio.to_thread.run_sync(library.get, name)
        except AiopsError as error:
            raise ResourceError(clean(error.wire())) from error
        return redact(found.text)
