"""Where a server of the suite is reached when it is not in this process: a child of this one, or a URL.

Called by `peers`. The token for a URL is read from its file with each request, since what keeps such files
(a projected volume, an agent) replaces them while servers run.
"""

import sys
from pathlib import Path
from typing import Any

from aiops_shared.app.toolsets import sets_of
from aiops_shared.errors import NotConfiguredError
from aiops_shared.settings import Settings, child_environment


def child_of(server: str, settings: Settings) -> Any:
    """A child process over stdio, under this process's own switches."""
    from fastmcp.client.transports import StdioTransport

    switches = {
        "AIOPS_WRITE": str(settings.write).lower(),
        "AIOPS_TOOLS": ",".join(settings.tools),
        "AIOPS_TOOLSETS": ",".join(name for name in settings.toolsets if name in sets_of(server)),
    }
    return StdioTransport(
        sys.executable, ["-m", "eks_aiops", server], env={**child_environment(), **switches}
    )


def url_of(url: str, token_file: Path | None) -> Any:
    """A server at a URL, shown the token of that file. Raises NotConfiguredError for one without a token."""
    import httpx2
    from fastmcp.client.transports import StreamableHttpTransport

    if token_file is None:
        return StreamableHttpTransport(url)
    file = token_file
    token_of(file)

    class Shown(httpx2.Auth):
        """Shows the token as it is in the file now."""

        def auth_flow(self, request: httpx2.Request) -> Any:
            request.headers["Authorization"] = f"Bearer {token_of(file)}"
            yield request

    return StreamableHttpTransport(url, auth=Shown())


def token_of(file: Path) -> str:
    """The token in a file. Raises NotConfiguredError."""
    try:
        found = file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it holds no text"
        raise NotConfiguredError("AIOPS_SOP_TOKEN_FILE", why, "name a file with the access token") from error
    if not found or any(char.isspace() for char in found):
        raise NotConfiguredError("AIOPS_SOP_TOKEN_FILE", "it holds no token", "one line, nothing else")
    return found
