"""Which kinds a cluster serves, and which one a word means.

Asked by every call that takes a kind. Two requests against an API server with aggregated discovery
(Kubernetes ≥ 1.27), one per group version otherwise. A group that does not answer (a metrics API that
is down) costs its own kinds only: the rest goes on, and `silent` names it (fault R21).
"""

import re
import time
from collections.abc import Callable, Iterable, Sequence

import anyio

from aiops_shared.auth.acting import as_itself
from aiops_shared.errors import AiopsError, KindUnknownError, UpstreamError
from aiops_shared.kube import names
from aiops_shared.kube.connection import JSON, Ask, Connection
from aiops_shared.kube.gathering import gather_outcomes
from aiops_shared.kube.models import Kind
from aiops_shared.kube.nearest import nearest
from aiops_shared.kube.shapes import Obj, mapping, meta, rows, text, words

TTL_S = 600.0
MISS_TTL_S = 10.0  # a miss asks again, but not at every misspelt word
SILENT_TTL_S = 30.0  # what did not answer is asked again soon
AT_ONCE = 8
GROUP_S = 10.0  # one slow group must not use up the call's time
STALE = "Stale"  # of an aggregated API that is down (apidiscovery/v2, DiscoveryFreshness)
NAMED_GROUPS = "all groups but the core one"
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
        """The kind a word means. Raises InvalidInputError, KindUnknownError with the nearest names, and
        UpstreamError when the word names an API group that does not answer.
        """
        names.kind_word(word)
        for max_age_s in (TTL_S, MISS_TTL_S):
            kinds = await self.every(max_age_s)
            if found := match(kinds, word):
                return found
        _, group, _ = _parts(word)
        if group and any(name in {NAMED_GROUPS, group} for name in map(_group_of, self._silent)):
            reason = f"the API group {group} does not answer"
            raise UpstreamError(f"kind {word}", reason, "everything else can be read; try this one later")
        raise self._unknown(word)

    async def every(self, max_age_s: float = TTL_S) -> tuple[Kind, ...]:
        """All kinds, the preferred version of each group first."""
        async with self._lock:
            age_s = self._monotonic() - self._read_at
            if age_s > (min(max_age_s, SILENT_TTL_S) if self._silent else max_age_s):
                with as_itself():  # kept for every caller, so it must not hang on who asks first
                    await self._read()
            return self._kinds

    async def silent(self) -> tuple[str, ...]:
        """The API groups that did not answer when last asked: their kinds may be missing."""
        await self.every()
        return self._silent

    def _unknown(self, word: str) -> KindUnknownError:
        served = {
            name for kind in self._kinds for name in (kind.plural, kind.kind.lower(), *kind.short_names)
        }
        close = nearest(word.rsplit("/", 1)[-1].lower(), served)
        hint = f"did you mean {', '.join(close)}?" if close else "list_resources takes kinds as kubectl does"
        silent = f"; these API groups did not answer: {', '.join(self._silent)}" if self._silent else ""
        return KindUnknownError(f"kind {word}", "the cluster serves no such kind", hint + silent)

    async def _read(self) -> None:
        silent: list[str] = []
        core = mapping(await self._connection.json(Ask("discovery", "/api", accept=AGGREGATED)))
        groups = await self._groups(silent)
        if core.get("kind") == "APIGroupDiscoveryList" == groups.get("kind", "APIGroupDiscoveryList"):
            items = (*rows(core, "items"), *rows(groups, "items"))
            found, stale = [kind for item in items for kind in _of_group(item)], _stale(items)
        else:
            found, stale = await self._by_version(_group_versions(core, groups), silent), []
        found += self._known_of(silent)
        silent += stale
        found = [kind for kind in found if kind.kind and kind.plural and kind.version]
        if not found:
            raise UpstreamError("discovery", "the API server serves no kinds", "check the cluster's endpoint")
        self._kinds = tuple(sorted(found, key=_rank))
        self._silent = tuple(silent)
        self._read_at = self._monotonic()

    def _known_of(self, silent: Sequence[str]) -> list[Kind]:
        """The kinds known before of groups that gave no answer now: one throttled request of ours does not
        end what the cluster serves (R1).
        """
        return [
            kind
            for kind in self._kinds
            if kind.api_version in silent or (kind.group and NAMED_GROUPS in silent)
        ]

    async def _groups(self, silent: list[str]) -> Obj:
        """The named groups; without them the core kinds still stand."""
        ask = Ask("discovery of API groups", "/apis", accept=AGGREGATED)
        try:
            return mapping(await self._connection.json(ask, timeout_s=self._group_s))
        except UpstreamError:
            silent.append(NAMED_GROUPS)
            return {}

    @property
    def _group_s(self) -> float:
        return min(GROUP_S, self._connection.timeout_s)

    async def _by_version(self, versions: Sequence[str], silent: list[str]) -> list[Kind]:
        async def read(version: str) -> list[Kind]:
            path = f"/api/{version}" if "/" not in version else f"/apis/{version}"
            ask = Ask(f"discovery of {version}", path)
            answer = await self._connection.json(ask, timeout_s=self._group_s)
            return list(_of_version(version, rows(answer, "resources")))

        outcomes = await gather_outcomes(read, versions, at_once=AT_ONCE)
        failed = [one for one in outcomes if isinstance(one, AiopsError)]
        if failed and len(failed) == len(versions):
            raise failed[0]
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


def _group_of(version: str) -> str:
    """The group of `group/version`."""
    return version.rpartition("/")[0] or version


def _group(word: str) -> str:
    return "" if word in {"core", "v1"} else word


def _rank(kind: Kind) -> int:
    if kind.group in _LAST:
        return 100 + _LAST.index(kind.group)
    return _FIRST.index(kind.group) if kind.group in _FIRST else len(_FIRST)


def _stale(items: Iterable[Obj]) -> list[str]:
    """`group/version` of each aggregated API that the server could not reach."""
    return [
        f"{text(meta(item).get('name'))}/{text(version.get('version'))}"
        for item in items
        for version in rows(item, "versions")
        if version.get("freshness") == STALE
    ]


def _of_group(item: Obj) -> Iterable[Kind]:
    """The kinds of one APIGroupDiscovery."""
    group = text(meta(item).get("name"))
    for version in rows(item, "versions"):
        for row in rows(version, "resources"):
            yield Kind(
                group=group,
                version=text(version.get("version")),
                kind=text(mapping(row.get("responseKind")).get("kind")),
                plural=text(row.get("resource")),
                singular=text(row.get("singularResource")),
                short_names=words(row.get("shortNames")),
                namespaced=row.get("scope") == "Namespaced",
                verbs=words(row.get("verbs")),
                subresources=tuple(text(sub.get("subresource")) for sub in rows(row, "subresources")),
            )


def _group_versions(core: Obj, groups: Obj) -> list[str]:
    """`v1`, `apps/v1`, …: core first, each group's preferred version before its others."""
    versions = [*(words(core.get("versions")) or ("v1",))]
    for group in rows(groups, "groups"):
        preferred = text(mapping(group.get("preferredVersion")).get("groupVersion"))
        served = [text(row.get("groupVersion")) for row in rows(group, "versions")]
        versions += sorted(served, key=lambda version: version != preferred)
    return versions


def _of_version(group_version: str, resources: Sequence[Obj]) -> Iterable[Kind]:
    """The kinds of one APIResourceList."""
    group, _, version = group_version.rpartition("/")
    subresources: dict[str, list[str]] = {}
    for row in resources:
        plural, slash, sub = text(row.get("name")).partition("/")
        if slash:
            subresources.setdefault(plural, []).append(sub)
    for row in resources:
        plural = text(row.get("name"))
        if "/" not in plural:
            yield Kind(
                group=group,
                version=version,
                kind=text(row.get("kind")),
                plural=plural,
                singular=text(row.get("singularName")),
                short_names=words(row.get("shortNames")),
                namespaced=row.get("namespaced") is True,
                verbs=words(row.get("verbs")),
                subresources=tuple(subresources.get(plural, ())),
            )
