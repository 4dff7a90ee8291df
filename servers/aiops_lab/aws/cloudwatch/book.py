"""What CloudWatch's metrics are kept in: one metric of one dimension set, and the book of them all.

Filled by `table` and `insights_table`, read by everything that answers of metrics.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from aiops_lab.telemetry.derived import Distribution, Stream
from aiops_lab.telemetry.signals import Signal

Dimensions = tuple[tuple[str, str], ...]
Key = tuple[str, str, Dimensions]
PERCENT, COUNT, BYTES, SECONDS, NONE = "Percent", "Count", "Bytes", "Seconds", "None"


@dataclass(slots=True)
class CloudMetric:
    """One metric of one dimension set; several pods' streams where it sums them up."""

    namespace: str
    name: str
    dimensions: Dimensions
    unit: str
    streams: list[Stream]
    distributions: list[Distribution]

    @property
    def key(self) -> Key:
        """What it is found by."""
        return (self.namespace, self.name, self.dimensions)


class Book:
    """Every metric that the account has, by key."""

    def __init__(self, cluster: str, instances: Mapping[str, str], only: str | None = None) -> None:
        self.cluster, self.instances = cluster, instances  # instances: node -> EC2's id
        self._only = only
        self.by_key: dict[Key, CloudMetric] = {}

    def add(
        self, name: tuple[str, str], unit: str, sets: Iterable[Mapping[str, str]], what: Stream | Distribution
    ) -> None:
        """One quantity under a (namespace, metric), once for each dimension set."""
        for each in sets:
            dimensions = tuple(sorted(each.items()))
            one = self.by_key.setdefault((*name, dimensions), CloudMetric(*name, dimensions, unit, [], []))
            if isinstance(what, Distribution):
                one.distributions.append(what)
            else:
                one.streams.append(what)

    def wants(self, name: str, *needed_by: str) -> bool:
        """Whether a metric is asked for, or one that is made of it."""
        return self._only is None or self._only == name or self._only in needed_by

    def find(self, namespace: str, name: str, dimensions: Dimensions) -> CloudMetric | None:
        """The metric with exactly these dimensions, as CloudWatch finds it."""
        return self.by_key.get((namespace, name, tuple(sorted(dimensions))))


def grouped(signals: Iterable[Signal], *labels: str) -> dict[tuple[str, ...], tuple[Signal, ...]]:
    """Signals by the values of some labels; those without any of these are left out."""
    found: dict[tuple[str, ...], list[Signal]] = {}
    for one in signals:
        key = tuple(one.labels.get(label, "") for label in labels)
        if all(key) and one.labels.get("container", "app") not in {"", "POD"}:
            found.setdefault(key, []).append(one)
    return {key: tuple(each) for key, each in found.items()}
