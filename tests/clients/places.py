"""Our eks server on a lab story, as clients reach it: over stdio, over HTTP, over HTTP with a bearer token.

    async with standing(tmp_path) as place:
        place.command, place.environment     # stdio
        place.urls["http"]                   # no token asked for
        place.urls["bearer"], place.token()  # a token of the tests' issuer

Real processes on loopback; the story is a pod that cannot start for want of a ConfigMap.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from aiops_lab.run import Lab
from tests.agents.serving import http_server
from tests.e2e.processes import SERVER, environment
from tests.lab_fixture import running_lab
from tests.remote.issuer import AUDIENCE, Issuer, issuer

How = Literal["stdio", "http", "bearer"]
HOME: Final = "production"
CAUSE: Final = "CONFIGMAP_MISSING"
DIAGNOSE: Final = ("diagnose", {"namespace": HOME})
EXECUTE: Final = ("execute_plan", {"plan_id": "pln_" + "x" * 20, "confirm": "yes"})


@dataclass(frozen=True)
class Place:
    """Where the server is."""

    lab: Lab
    folder: Path
    environment: dict[str, str]
    urls: dict[How, str]
    idp: Issuer

    @property
    def command(self) -> list[str]:
        """What a client starts over stdio."""
        return [sys.executable, *SERVER]

    def token(self) -> str:
        """A token with every scope."""
        return self.idp.token()

    def headers(self, how: How) -> dict[str, str]:
        """What a client is told to send."""
        return {"Authorization": f"Bearer {self.token()}"} if how == "bearer" else {}


@asynccontextmanager
async def standing(folder: Path) -> AsyncIterator[Place]:
    """The lab, and the two HTTP processes."""
    async with AsyncExitStack() as stack:
        lab = await stack.enter_async_context(running_lab("pod-crashloop", 4))
        idp = await stack.enter_async_context(issuer())
        signed = {"AIOPS_AUTH_ISSUER": idp.url, "AIOPS_HTTP_PUBLIC_URL": AUDIENCE}
        urls: dict[How, str] = {}
        given: dict[How, dict[str, str]] = {"http": {}, "bearer": signed}
        for how, more in given.items():
            (folder / how).mkdir()
            serving = http_server("eks", environment(lab, folder / how, **more), folder / how)
            urls[how] = await stack.enter_async_context(serving)
        yield Place(lab, folder, environment(lab, folder), urls, idp)
