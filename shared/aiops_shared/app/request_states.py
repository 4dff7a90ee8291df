"""The key of what travels with a question to a person and back (`requestState`), the same on every replica.

A client that was asked by one replica may answer another (MCP 2026-07-28 has no sessions). The key is derived
from the state store's key file, and not before the first question: a server starts without a state (D31).
"""

import threading
from typing import Final

from mcp.server.context import ServerRequestContext
from mcp.server.request_state import AESGCMRequestStateCodec, RequestStateSecurity

from aiops_shared.auth.acting import acting
from aiops_shared.settings import Settings
from aiops_shared.state.keys import Keys

LASTS_S: Final = 600.0


class _Sealed:
    """A codec whose key is read when it is first needed."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._codec: AESGCMRequestStateCodec | None = None
        self._making = threading.Lock()

    def seal(self, payload: bytes) -> str:
        """Encrypted and signed."""
        return self._made().seal(payload)

    def unseal(self, token: str) -> bytes:
        """What was sealed, by any process with this key. Raises InvalidRequestState."""
        return self._made().unseal(token)

    def _made(self) -> AESGCMRequestStateCodec:
        with self._making:
            if self._codec is None:
                self._codec = AESGCMRequestStateCodec([self._keys.derive("questions")])
            return self._codec


def shared_states(settings: Settings, server: str) -> RequestStateSecurity:
    """For the FastMCP of that name. A state is its caller's, and nobody else's."""
    return RequestStateSecurity(
        codec=_Sealed(Keys(settings.state)), ttl=LASTS_S, bind_principal=_caller, audience=server
    )


def _caller(_: ServerRequestContext[object, object]) -> str | None:
    found = acting()
    return found.who.name if found else None
