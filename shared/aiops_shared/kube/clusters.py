"""Which clusters may be named, what AWS says of each, and the API of one of them.

Servers wire a `ClusterDirectory`; it fulfils `aiops_eks.ports.Clusters`. Where clusters come from: the
operator's table; else `AIOPS_KUBE_CONTEXT`; else the pod this process runs in; else the account and region of
the default AWS credentials. Nothing is asked before the first call.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import anyio

from aiops_shared.auth import CallerIdentity
from aiops_shared.aws import AwsClients, EksCluster
from aiops_shared.clock import Clock
from aiops_shared.errors import (
    AiopsError,
    ClusterNotFoundError,
    InvalidInputError,
    NotConfiguredError,
    UpstreamTimeoutError,
)
from aiops_shared.kube.choosing import Choice, each_once, fits_glob, is_glob, may_hold, named
from aiops_shared.kube.cluster_sources import Entry, Place, require_word, sources_of
from aiops_shared.kube.models import ClusterInfo
from aiops_shared.kube.nearest import nearest
from aiops_shared.kube.open_clusters import OpenClusters
from aiops_shared.settings import Settings

if TYPE_CHECKING:
    from aiops_shared.kube.api import KubeApi

AT_ONCE = 8
DESCRIBED_AT_ONCE = 16
KNOWN_WITHIN_S = 35.0  # of the 50 s that a call has
KEEP_S = 60.0
MAX_CANDIDATES = 10
NOTHING = (
    "set AIOPS_KUBE_CONTEXT to a context of your kubeconfig, or AIOPS_CLUSTERS_FILE, or give AWS "
    "credentials and a region (AWS_PROFILE, AWS_REGION) to find EKS clusters"
)


class ClusterDirectory:
    """The clusters of one process and the open connections to them."""

    def __init__(
        self,
        settings: Settings,
        aws: AwsClients,
        clock: Clock,
        caller: CallerIdentity,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._aws = aws
        self._clock = clock
        self._caller = caller
        self._monotonic = monotonic
        self._lock = anyio.Lock()
        self._places: tuple[Place, ...] | None = None
        self._entries: tuple[Entry, ...] = ()
        self._problems: tuple[ClusterInfo, ...] = ()
        self._found_at = float("-inf")
        self._open = OpenClusters()

    async def aclose(self) -> None:
        """Close every connection."""
        await self._open.aclose()

    async def known(self) -> Sequence[ClusterInfo]:
        """Every cluster that may be named, described; what cannot be reached says why in `problem`, and so do
        those of a large table that there was no time for.

        Raises NotConfiguredError when nothing is configured at all.
        """
        from aiops_shared.kube.describing import describe
        from aiops_shared.kube.gathering import gather

        entries = await self._all()
        found: dict[Entry, ClusterInfo] = {}

        async def look(entry: Entry) -> None:
            found[entry] = await describe(entry, self._aws, self._api(entry))

        with anyio.move_on_after(KNOWN_WITHIN_S):
            await gather(look, entries, at_once=DESCRIBED_AT_ONCE)
        return (*(found.get(entry) or _unasked(entry) for entry in entries), *self._problems)

    async def choose(self, words: Sequence[str]) -> Choice:
        """The clusters that names and globs (`prod-*`, `111122223333/*/*`) mean, each once. Describes none.

        A place that cannot be asked for its clusters is a gap where one of them may be meant. Raises
        InvalidInputError for a name that fits several, ClusterNotFoundError for a word that means none.
        """
        for word in words:
            require_word(word)
        found: list[Entry] = []
        gaps: dict[str, None] = {}
        for word in words:
            if is_glob(word):
                found += await self._by_glob(word, gaps)
                continue
            try:
                found.append(await self._entry(word))
            except ClusterNotFoundError as error:
                if not self._problems:
                    raise
                gaps[f"cluster {word}: {error.reason}"] = None
                gaps |= self._silent(word)
        if not found:
            raise self._unknown(", ".join(words), [entry.name for entry in self._entries], self._troubles())
        known = (*await self._configured(), *self._entries)
        return Choice(named(each_once(found), known), tuple(gaps))

    async def _by_glob(self, glob: str, gaps: dict[str, None]) -> list[Entry]:
        entries = await self._all()
        found = [entry for entry in entries if fits_glob(entry, glob)]
        silent = self._silent(glob)
        if not found and not silent:
            raise self._unknown(glob, [entry.name for entry in entries])
        gaps |= silent
        return found

    def _silent(self, word: str) -> dict[str, None]:
        """The places that did not answer and may hold what a word means."""
        return {
            f"clusters of {info.account_id}/{info.region}: {info.problem}": None
            for info in self._problems
            if may_hold(info.account_id, info.region, word)
        }

    async def open(self, cluster: str | None) -> "KubeApi":
        """The API of one cluster: a name, `account/region/name` or an ARN; None when exactly one is known.

        Raises ClusterNotFoundError, InvalidInputError (several fit), NotConfiguredError.
        """
        return self._api(await self._entry(cluster))

    async def eks(self, cluster: str | None) -> EksCluster:
        """AWS, asked about one cluster. Raises what `open` raises, and NotConfiguredError where a kubeconfig
        context says neither account nor region.
        """
        entry = await self._entry(cluster)
        if not entry.target.region:
            raise NotConfiguredError(
                f"AWS side of cluster {entry.name}",
                "it is reached by a kubeconfig context that names no account and region",
                "give it a row with account_id, region and context in AIOPS_CLUSTERS_FILE, or name the"
                " context by the cluster's ARN, as `aws eks update-kubeconfig` does",
            )
        return EksCluster(self._aws, entry.target, entry.name)

    async def _entry(self, cluster: str | None) -> Entry:
        if cluster is not None:
            require_word(cluster)
            configured = [entry for entry in await self._configured() if entry.fits(cluster)]
            if len(configured) == 1:
                return configured[0]
        entries = await self._all()
        found = [entry for entry in entries if cluster is None or entry.fits(cluster)]
        if len(found) == 1:
            return found[0]
        if not found:
            raise self._missing(cluster, entries)
        candidates = ", ".join(entry.full_name for entry in found[:MAX_CANDIDATES])
        raise InvalidInputError(f"cluster {cluster or '(none)'}", "several fit", f"name one of {candidates}")

    async def environment(self, cluster: str | None) -> str:
        """The environment that the operator's table gives a cluster; empty counts as production."""
        api = await self.open(cluster)
        entry = self._open.entry_of(api)
        return entry.environment if entry else ""

    def _api(self, entry: Entry) -> "KubeApi":
        return self._open.get(entry, self._made)

    def _made(self, entry: Entry) -> "KubeApi":
        from aiops_shared.kube.api import KubeApi
        from aiops_shared.kube.connection import Connection
        from aiops_shared.kube.impersonating import Impersonation

        kube = self._settings.kube
        connection = Connection(
            entry.credentials(self._aws),
            timeout_s=kube.timeout_s,
            max_answer_bytes=kube.max_answer_bytes,
            as_whom=Impersonation(kube, self._caller).headers,
            asked=partial(self._open.asking, entry),
        )
        return KubeApi(entry.name, connection)

    async def _sources(self) -> tuple[Place, ...]:
        if self._places is None:
            self._places = await sources_of(self._settings, self._aws, self._caller)
        return self._places

    async def _configured(self) -> list[Entry]:
        """What is known without asking AWS."""
        return [entry for place in await self._sources() for entry in place.entries]

    async def _all(self) -> tuple[Entry, ...]:
        """Configured and discovered, kept for a minute. A place that fails is a problem, not the end."""
        async with self._lock:
            if self._monotonic() - self._found_at > KEEP_S:
                await self._discover()
                self._found_at = self._monotonic()
            return self._entries

    async def _discover(self) -> None:
        from aiops_shared.kube.gathering import gather_outcomes

        places = await self._sources()
        asked = [place for place in places if place.discovers]
        outcomes = await gather_outcomes(lambda place: place.discover(self._aws), asked, at_once=AT_ONCE)
        found: dict[tuple[str, str, str, str], Entry] = {}
        for entry in [entry for place in places for entry in place.entries]:
            found.setdefault(entry.key, entry)
        listed = {entry.full_name for entry in found.values() if entry.target.account}
        for outcome in outcomes:
            for entry in outcome if isinstance(outcome, tuple) else ():
                if entry.full_name not in listed:  # a row with a context is the cluster that AWS lists too
                    found.setdefault(entry.key, entry)
        problems = [
            (place, outcome)
            for place, outcome in zip(asked, outcomes, strict=True)
            if isinstance(outcome, AiopsError)
        ]
        if not found and problems and len(problems) == len(places):
            raise self._nothing(problems[0][1])
        self._entries = tuple(found.values())
        self._problems = tuple(_problem(place, error) for place, error in problems)

    def _nothing(self, error: AiopsError) -> AiopsError:
        """The default chain failed: without a table that means that nothing was configured."""
        if self._settings.clusters_file is None and isinstance(error, NotConfiguredError):
            why = f"none is configured ({error.thing}: {error.reason})"
            return NotConfiguredError("cluster", why, NOTHING)
        return error

    def _missing(self, cluster: str | None, entries: Sequence[Entry]) -> AiopsError:
        troubles = self._troubles()
        if cluster is None:
            return NotConfiguredError(
                "cluster", f"none was found{'; ' + troubles if troubles else ''}", NOTHING
            )
        return self._unknown(cluster, [entry.name for entry in entries], troubles)

    def _troubles(self) -> str:
        return "; ".join(f"{info.account_id}/{info.region}: {info.problem}" for info in self._problems)

    def _unknown(self, word: str, known: Sequence[str], troubles: str = "") -> ClusterNotFoundError:
        close = nearest(word, known) or tuple(known[:MAX_CANDIDATES])
        hint = f"nearest: {', '.join(close)}" if close else NOTHING
        return ClusterNotFoundError(
            f"cluster {word}",
            "neither in the operator's table nor discovered",
            f"{hint}; not asked: {troubles}" if troubles else hint,
        )


PROBLEM = "unavailable"


def _unasked(entry: Entry) -> ClusterInfo:
    """One that the time was over for; asked by its name it may well answer."""
    late = UpstreamTimeoutError(
        f"cluster {entry.name}", f"not described within {KNOWN_WITHIN_S:g} s", "ask for it by its name"
    )
    return ClusterInfo(
        name=entry.name,
        account_id=entry.target.account,
        region=entry.target.region,
        environment=entry.environment,
        source=entry.source,
        reachable=False,
        problem=str(late),
    )


def _problem(place: Place, error: AiopsError) -> ClusterInfo:
    """An account and region that did not answer, in the list where its clusters would stand."""
    return ClusterInfo(
        name="*",
        account_id=place.target.account,
        region=place.target.region,
        source=PROBLEM,
        reachable=False,
        problem=str(error),
    )
