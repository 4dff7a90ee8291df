"""As whom the API server is to judge a request: `Impersonate-*` headers of the caller, where that is on.

`connection` asks once for each request, so that nothing of a caller stays on a connection that all share.
The API server checks that the server's own identity may impersonate that user and those groups, then judges
by the user's rights, and its audit log names both (kubernetes, apiserver, pkg/endpoints/filters/
impersonation.go). The process's own work (discovery, the forwarder, readiness) is done as itself.
"""

from dataclasses import dataclass
from typing import Final

from aiops_shared.auth.acting import acting
from aiops_shared.auth.callers import CallerIdentity, alone
from aiops_shared.errors import AccessDeniedError
from aiops_shared.settings import KubeSettings

USER, GROUP = "Impersonate-User", "Impersonate-Group"
RESERVED = "system:"  # Kubernetes' own users and groups, system:masters among them
MOST_CHARACTERS, MOST_GROUPS = 256, 200
Headers = tuple[tuple[str, str], ...]
NOBODY: Final[Headers] = ()


@dataclass(frozen=True, slots=True)
class Impersonation:
    """The operator's choice, and who calls where no token says it (stdio: whoever started the process)."""

    settings: KubeSettings
    own: CallerIdentity

    def headers(self) -> Headers:
        """Of a request that is made now. Raises AccessDeniedError for a caller that must not be impersonated.

        Empty when impersonation is off, and for the process's own work; never because a caller is missing.
        """
        how = self.settings.impersonate
        if how == "off" or alone():
            return NOBODY
        now = acting()
        who = now.who if now else self.own
        groups = who.groups if how == "user+groups" else ()
        if len(groups) > MOST_GROUPS:
            raise _refused(who.name, f"it is in more than {MOST_GROUPS} groups")
        named = ((USER, self._checked(who.name, who.name)),)
        return (*named, *((GROUP, self._checked(group, who.name)) for group in dict.fromkeys(groups)))

    def _checked(self, word: str, who: str) -> str:
        """The word with the operator's prefix. A header's value is trimmed, so that space must not lead."""
        plain = word.isascii() and word.isprintable() and word == word.strip()
        if not word or not plain or len(word) > MOST_CHARACTERS:
            raise _refused(who, "its name or a group of it is no plain word")
        whole = self.settings.impersonate_prefix + word
        if RESERVED in {word[: len(RESERVED)].lower(), whole[: len(RESERVED)].lower()}:
            raise _refused(who, f"its name or a group of it begins with {RESERVED}")
        return whole


def _refused(who: str, why: str) -> AccessDeniedError:
    return AccessDeniedError(
        f"caller {ascii(who)[1:-1][:64]}",
        f"is not impersonated in Kubernetes: {why}",
        "the operator's issuer and AIOPS_KUBE_IMPERSONATE decide (docs/identity.md)",
    )
