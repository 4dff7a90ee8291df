"""Which clusters a question is about: one, or several by a list or a glob (decision D18).

`aiops_shared.params` makes a `Where` of what a client sent; `ClusterDirectory.choose` makes a `Choice` of it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from aiops_shared.kube.cluster_sources import Entry

Where = str | tuple[str, ...] | None  # one cluster, several words (names or globs), or the only one there is
GLOB = frozenset("*?[")


@dataclass(frozen=True, slots=True)
class Chosen:
    """One cluster of a choice: `word` opens it and no other, `label` is what an answer calls it."""

    word: str
    label: str


@dataclass(frozen=True, slots=True)
class Choice:
    """The clusters meant, each once; `gaps` are places that could not be asked which clusters they have."""

    clusters: tuple[Chosen, ...]
    gaps: tuple[str, ...] = ()


def is_glob(word: str) -> bool:
    """Whether it may mean several clusters."""
    return not GLOB.isdisjoint(word)


def fits_glob(entry: Entry, glob: str) -> bool:
    """Whether a glob means the cluster: by name, `account/region/name`, ARN or context."""
    account, region = entry.target.account, entry.target.region
    arn = f"arn:aws:eks:{region}:{account}:cluster/{entry.name}" if account and region else ""
    known = (entry.name, entry.full_name, arn, entry.context)
    return any(fnmatchcase(name, glob) for name in known if name)


def may_hold(account: str, region: str, glob: str) -> bool:
    """Whether a place that did not answer could have a cluster that the glob means."""
    parts = glob.split("/")
    if len(parts) != 3:
        return True
    return fnmatchcase(account, parts[0]) and fnmatchcase(region, parts[1])


def named(entries: Sequence[Entry], known: Iterable[Entry]) -> tuple[Chosen, ...]:
    """Each cluster under the shortest name that no other of the known ones has: it can be asked for again."""
    every = each_once((*entries, *known))
    names = [entry.name for entry in every]
    places = [entry.full_name for entry in every]
    return tuple(
        Chosen(
            word=_word(entry, places),
            label=entry.name if names.count(entry.name) == 1 else _word(entry, places),
        )
        for entry in entries
    )


def _word(entry: Entry, places: Sequence[str]) -> str:
    """Two contexts may lead to clusters of one name."""
    return entry.context if entry.context and places.count(entry.full_name) > 1 else entry.full_name


def each_once(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """The entries without those that came twice, in their order."""
    return tuple({entry.key: entry for entry in entries}.values())
