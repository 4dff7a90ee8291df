"""What a caller is told who may not pass: 401 and 403 as RFC 6750 (section 3) and RFC 9728 (section 5) say.

Scopes are named as the issuer names them, since a client asks the issuer for them.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from aiops_shared.auth.scopes import READ
from aiops_shared.remote.asgi import StoppedError


@dataclass(frozen=True)
class Challenges:
    """`metadata_url`: where the OAuth metadata is. `prefix`: of the issuer, before our scopes."""

    metadata_url: str
    prefix: str = ""

    def unauthenticated(self, *, shown: bool) -> StoppedError:
        """No token, or with `shown` one that is not taken; never why."""
        error = 'error="invalid_token", ' if shown else ""
        says = f'Bearer {error}scope="{self.prefix}{READ}", resource_metadata="{self.metadata_url}"'
        return StoppedError(401, "invalid_token", "show a valid access token", {"www-authenticate": says})

    def insufficient(self, held: Iterable[str], needs: str) -> StoppedError:
        """A scope is missing: ask for it and for those that the token holds."""
        wanted = " ".join(self.prefix + scope for scope in sorted({*held, needs}))
        says = f'Bearer error="insufficient_scope", scope="{wanted}", resource_metadata="{self.metadata_url}"'
        return StoppedError(
            403, "insufficient_scope", f"the token lacks {self.prefix}{needs}", {"www-authenticate": says}
        )
