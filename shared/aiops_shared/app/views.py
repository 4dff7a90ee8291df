"""Pages that a host draws beside an answer: MCP Apps, the extension `io.modelcontextprotocol/ui`.

A tool names its page (`drawn_on`), a reader gives what it draws (`show`), the door sends both, and only to a
client that declared the extension: for every other one the page's address in `tools/list` would be tokens
without a use. The data travels in the result's `_meta`, which hosts keep from the model: a series of a
thousand points would burst the answer's budget.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

UI_EXTENSION = "io.modelcontextprotocol/ui"
DATA_KEY = "eks-aiops/view"

_DRAWN: ContextVar[dict[str, Any] | None] = ContextVar("aiops_view", default=None)


def drawn_on(page: str) -> dict[str, Any]:
    """A tool's `meta`: the host may draw its answers on this page (`ui://…`)."""
    return {"ui": {"resourceUri": page}}


def client_draws() -> bool:
    """Whether the client of this request declared the extension; False outside of a request."""
    from fastmcp.server.dependencies import get_context

    try:
        return get_context().client_supports_extension(UI_EXTENSION)
    except RuntimeError:  # no request, as in tests and in the generator of the docs
        return False


@contextmanager
def viewing(wanted: bool) -> Iterator[dict[str, Any]]:
    """Around one call: what the page is to draw."""
    found: dict[str, Any] = {}
    mark = _DRAWN.set(found if wanted else None)
    try:
        yield found
    finally:
        _DRAWN.reset(mark)


def asked_to_show() -> bool:
    """Whether this call's client draws: else nobody need build the data."""
    return _DRAWN.get() is not None


def show(data: Mapping[str, Any]) -> None:
    """What the page draws of this call."""
    found = _DRAWN.get()
    if found is not None:
        found.update(data)
