"""A host's page as one whole text without anything from elsewhere: the suite's shell and a server's drawing.

`page.js` speaks with the host (extension `io.modelcontextprotocol/ui`) and writes every text as text, never
as markup. A server's script gives `NAME`, `PLAIN` (tables of the answer for hosts that keep `_meta` to
themselves) and `drawn(row)`, which makes an element of one row of the data or null.
"""

from collections.abc import Callable
from html import escape
from importlib.resources import files

from fastmcp import FastMCP
from fastmcp.apps.config import AppConfig, ResourceCSP


def serve_page(server: FastMCP, address: str, says: str, make: Callable[[], str]) -> None:
    """Offer a page to hosts that draw; it may reach nothing outside of itself."""
    nowhere = AppConfig(csp=ResourceCSP(connect_domains=[], resource_domains=[]))

    @server.resource(address, app=nowhere, description=says)
    def page() -> str:
        return make()


def whole_page(*, style: str, script: str, key: str) -> str:
    """The page. `key`: how its colours are read."""
    room = files(__package__)
    shell, common_style, common_script = (
        room.joinpath(name).read_text("utf-8") for name in ("page.html", "page.css", "page.js")
    )
    parts = {
        "@STYLE@": common_style + style,
        "@KEY@": escape(key),
        "@SCRIPT@": _joined(common_script, script),
    }
    for place, text in parts.items():
        shell = shell.replace(place, text)
    return shell


def _joined(common: str, own: str) -> str:
    """The server's part stands before the handshake, which ends the script."""
    strict, _, rest = common.partition("\n")
    return f"{strict}\n{own}\n{rest}"
