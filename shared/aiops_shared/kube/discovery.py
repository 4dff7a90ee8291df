"""Which kinds a cluster serves, and which one a word means.

Asked by every call that takes a kind. Two requests against an API server with aggregated discovery
(Kubernetes ≥ 1.27), one per group version otherwise. A group that does not answer (a metrics API that
is down) costs its own kinds only.
"""

import re
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import anyio

from aiops_shared.errors import KindUnknownError, UpstreamError
from aiops_shared.kube import names
from aiops_shared.kube.connection import JSON, Ask, Connection
from aiops_shared.kube.gathering import gather_outcomes
from aiops_shared.kube.models import Kind
from aiops_shared.kube.nearest import nearest

TTL_S = 600.0
MISS_TTL_S = 10.0  # a miss asks again, but not at every misspelt word
AT_ONCE = 8
AGGREGATED = f"{JSON};g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,{JSON}"
_VERSION = re.compile(r"v[0-9]+((alpha|beta)[0-9]+)?")
# Of two kinds of one name the first group wins, as in kubectl; metrics' pods and nodes come last.
_FIRST = ("", "apps", "batch", "autoscaling", "networking.k8s.io", "policy", "rbac.authorization.k8s.io")
_LAST = ("events.k8s.io", "metrics.k8s.io")


class Discovery:
    """The kinds of one cluster, cached; a word that is not found is looked up anew once."""

    def __init__(self, connection: Connection, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._connection = connection
        self._monotonic = monotonic
        self._lock = anyio.Lock()
        self._kinds: tuple[Kind, ...] = ()
        self._silent: tuple[str, ...] = ()
        self._read_at = float("-inf")

    async def find(self, word: str) -> Kind:
        """The kind a word means. Raises InvalidInputError or KindUnknownError with the nearest names."""
        names.kind_word(word)
        for max_age_s in (TTL_S, MISS_TTL_S):
            kinds = await self.every(max_age_s)
            if found := match(kinds, word):
                return found
        raise self._unknown(word)

    async def every(self, max_age_s: float = TTL_S) -> tuple[Kind, ...]:
        """All kinds, the preferred version of each group first."""
        async with self._lock:
            if self._monotonic() - self._read_at > max_age_s:
                await self._read()
            return self._kinds

    def _unknown(self, word: str) -> KindUnknownError:
        served = {
            name for kind in self._kinds for name in (kind.plural, kind.kind.lower(), *kind.short_names)
        }
        close = nearest(word.rsplit("/", 1)[-1].lower(), served)
        hint = f"did you mean {', '.join(close)}?" if close else "list_resources takes kinds as kubectl does"
        silent = f"; these API groups did not answer: {', '.join(self._silent)}" if self._silent else ""
        return KindUnknownError(f"kind {word}", "the cluster serves no such kind", hint + silent)

    async def _read(self) -> None:
        core = await self._connection.json(Ask("discovery", "/api", accept=AGGREGATED))
        groups = await self._connection.json(Ask("discovery", "/apis", accept=AGGREGATED))
        silent: list[str] = []
        if core.get("kind") == "APIGroupDiscoveryList" == groups.get("kind"):
            found = [
                kind for item in (*_rows(core, "items"), *_rows(groups, "items")) for kind in _of_group(item)
            ]
        else:
            found = await self._by_version(_group_versions(core, groups), silent)
        if not found:
            raise UpstreamError("discovery", "the API server serves no kinds", "check the cluster's endpoint")
        self._kinds = tuple(sorted(found, key=_rank))
        self._silent = tuple(silent)
        self._read_at = self._monotonic()

    async def _by_version(self, versions: Sequence[str], silent: list[str]) -> list[Kind]:
        async def read(version: str) -> list[Kind]:
            path = f"/api/{version}" if "/" not in version else f"/apis/{version}"
            answer = await self._connection.json(Ask(f"discovery of {version}", path))
            return list(_of_version(version, _rows(answer, "resources")))

        outcomes = await gather_outcomes(read, versions, at_once=AT_ONCE)
        silent += [
            version for version, found in zip(versions, outcomes, strict=True) if not isinstance(found, list)
        ]
        return [kind for found in outcomes if isinstance(found, list) for kind in found]


def match(kinds: Iterable[Kind], word: str) -> Kind | None:
    """The first kind a word fits: by plural, singular or kind, else by short name."""
    name, group, version = _parts(word)
    close = [
        kind
        for kind in kinds
        if (group is None or kind.group == group) and (version is None or kind.version == version)
    ]
    exact = (kind for kind in close if name in {kind.plural, kind.singular, kind.kind.lower()})
    short = (kind for kind in close if name in kind.short_names)
    return next(exact, None) or next(short, None)


def _parts(word: str) -> tuple[str, str | None, str | None]:
    """Name, group, version of `pods`, `deployments.apps`, `deployments.v1.apps`, `apps/v1/Deployment`."""
    if "/" in word:
        *before, name = word.split("/")
        if len(before) == 2:
            return name.lower(), _group(before[0]), before[1]
        return (
            (name.lower(), "", before[0])
            if _VERSION.fullmatch(before[0])
            else (name.lower(), _group(before[0]), None)
        )
    name, dot, rest = word.partition(".")
    first, _, group = rest.partition(".")
    if not dot:
        return name.lower(), None, None
    return (name.lower(), group, first) if _VERSION.fullmatch(first) else (name.lower(), _group(rest), None)


def _group(word: str) -> str:
    return "" if word in {"core", "v1"} else word


def _rank(kind: Kind) -> int:
    if kind.group in _LAST:
        return 100 + _LAST.index(kind.group)
    return _FIRST.index(kind.group) if kind.group in _FIRST else len(_FIRST)


def _rows(answer: Any, key: str) -> list[dict[str, Any]]:
    rows = answer.get(key) if isinstance(answer, dict) else None
    return [row for row in rows or [] if isinstance(row, dict)]


def _of_group(item: dict[str, Any]) -> Iterable[Kind]:
    """The kinds of one APIGroupDiscovery."""
    group = str((item.get("metadata") or {}).get("name") or "")
    for version in _rows(item, "versions"):
        for row in _rows(version, "resources"):
            about = row.get("responseKind") or {}
            yield Kind(
                group=group,
                version=str(version.get("version")),
                kind=str(about.get("kind") or ""),
                plural=str(row.get("resource")),
                singular=str(row.get("singularResource") or ""),
                short_names=tuple(row.get("shortNames") or ()),
                namespaced=row.get("scope") == "Namespaced",
                verbs=tuple(row.get("verbs") or ()),
                subresources=tuple(str(sub.get("subresource")) for sub in _rows(row, "subresources")),
            )


def _group_versions(core: Any, groups: Any) -> list[str]:
    """`v1`, `apps/v1`, …: core first, each group's preferred version before its others."""
    versions = [str(version) for version in core.get("versions") or ["v1"]]
    for group in _rows(groups, "groups"):
        preferred = str((group.get("preferredVersion") or {}).get("groupVersion") or "")
        served = [str(row.get("groupVersion")) for row in _rows(group, "versions")]
        versions += sorted(served, key=lambda version: version != preferred)
    return versions


def _of_version(group_version: str, rows: Sequence[dict[str, Any]]) -> Iterable[Kind]:
    """The kinds of one APIResourceList."""
    group, _, version = group_version.rpartition("/")
    subresources: dict[str, list[str]] = {}
    for row in rows:
        plural, slash, sub = str(row.get("name")).partition("/")
        if slash:
            subresources.setdefault(plural, []).append(sub)
    for row in rows:
        plural = str(row.get("name"))
        if "/" not in plural:
            yield Kind(
                group=group,
                version=version,
                kind=str(row.get("kind")),
                plural=plural,
                singular=str(row.get("singularName") or ""),
                short_names=tuple(row.get("shortNames") or ()),
                namespaced=row.get("namespaced") is True,
                verbs=tuple(row.get("verbs") or ()),
                subresources=tuple(subresources.get(plural, ())),
            )
