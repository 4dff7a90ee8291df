"""Alerts of Prometheus rules as a scenario writes them: when each fired, when it was over.

Alertmanager's API (`observatory.alertmanager`) reads what fires at the moment of the question; Prometheus's
past of them is the series `ALERTS`, which `emit` adds to the signals, so both tell the same.

    alert = StoredAlert(labels={"alertname": "PodCrashLooping", "namespace": "production"},
                        spans=((t0_s - 900, None),), value=5.0, expression="... > 3")
    emit(stage.telemetry, alert)
"""

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from aiops_lab.telemetry.rules import MetricRule
from aiops_lab.telemetry.signals import Array, Signal, Values

if TYPE_CHECKING:
    from aiops_lab.telemetry import Telemetry

Span = tuple[float, float | None]
RESOLVE_TIMEOUT_S = 5 * 60.0  # resolve_timeout of Alertmanager's configuration


@dataclass(frozen=True, slots=True)
class StoredAlert:
    """One alert. `spans`: Unix seconds from and to when it fired; None: it still does. `expression`: of its
    rule, with its comparison at the end.
    """

    labels: Mapping[str, str]
    spans: tuple[Span, ...]
    annotations: Mapping[str, str] = field(default_factory=dict)
    value: float = 1.0
    expression: str = ""
    group: str = "kubernetes"
    receiver: str = "on-call"

    @property
    def name(self) -> str:
        """Its rule."""
        return self.labels["alertname"]

    @property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that hang on its labels alone."""
        text = "\xff".join(f"{name}\xff{value}" for name, value in sorted(self.labels.items())).encode()
        return f"{zlib.crc32(text):08x}{zlib.crc32(text[::-1]):08x}"

    def since(self, now_s: float) -> float | None:
        """Since when it fires at a moment; None when it does not."""
        return next((a for a, b in self.spans if a <= now_s and (b is None or now_s < b)), None)


@dataclass(frozen=True, slots=True)
class Matcher:
    """`name=value`, as silences and filters have it."""

    name: str
    value: str
    is_regex: bool = False
    is_equal: bool = True

    def meets(self, labels: Mapping[str, str]) -> bool:
        """Whether labels fit; a missing label is the empty text, and a regex fits the whole value."""
        import re

        there = labels.get(self.name, "")
        fits = bool(re.fullmatch(self.value, there)) if self.is_regex else there == self.value
        return fits == self.is_equal


@dataclass(frozen=True, slots=True)
class StoredSilence:
    """One silence."""

    silence_id: str
    matchers: tuple[Matcher, ...]
    starts_s: float
    ends_s: float
    author: str = "anna"
    comment: str = "planned work"

    def state(self, now_s: float) -> str:
        """As Alertmanager names it."""
        if now_s < self.starts_s:
            return "pending"
        return "active" if now_s < self.ends_s else "expired"


@dataclass(frozen=True, slots=True)
class Inhibition:
    """An inhibit_rule: while a source fires, targets with the same values of `equal` are quiet."""

    source: tuple[Matcher, ...]
    target: tuple[Matcher, ...]
    equal: tuple[str, ...] = ()


@dataclass(slots=True)
class Alerts:
    """Every alert, silence and inhibition. Values are replaced as a whole."""

    kept: tuple[StoredAlert, ...] = ()
    silences: tuple[StoredSilence, ...] = ()
    inhibitions: tuple[Inhibition, ...] = ()

    def firing(self, now_s: float) -> Iterator[tuple[StoredAlert, float]]:
        """What fires at a moment, and since when."""
        for one in self.kept:
            since_s = one.since(now_s)
            if since_s is not None:
                yield one, since_s

    def silenced_by(self, alert: StoredAlert, now_s: float) -> list[str]:
        """The silences that keep an alert quiet."""
        return [
            one.silence_id
            for one in self.silences
            if one.state(now_s) == "active" and all(each.meets(alert.labels) for each in one.matchers)
        ]

    def inhibited_by(self, alert: StoredAlert, now_s: float) -> list[str]:
        """The fingerprints of firing alerts that keep an alert quiet."""
        found = []
        for rule in self.inhibitions:
            if not all(one.meets(alert.labels) for one in rule.target):
                continue
            for other, _ in self.firing(now_s):
                same = all(other.labels.get(name, "") == alert.labels.get(name, "") for name in rule.equal)
                if same and other is not alert and all(one.meets(other.labels) for one in rule.source):
                    found.append(other.fingerprint)
        return found


def emit(telemetry: "Telemetry", *alerts: StoredAlert, ruled: bool = False) -> None:
    """Keep alerts, and add their past to the signals as Prometheus writes it: 1 while they fire.

    `ruled`: Prometheus has the rule and the metric of its expression too, and evaluates it.
    """
    telemetry.alerts.kept = (*telemetry.alerts.kept, *alerts)
    for one in alerts:
        labels = {**one.labels, "alertstate": "firing"}
        telemetry.signals.add(Signal("ALERTS", labels, _ones(one.spans), says="Alerts that fire."))
        if ruled:
            _rule(telemetry, one)


_OF_RULE = ("alertname", "severity")


def _rule(telemetry: "Telemetry", alert: StoredAlert) -> None:
    """The alert's rule, and the series that makes it fire: the first word of its expression."""
    metric, value = alert.expression.partition(" ")[0], alert.value
    fires = _ones(alert.spans)
    labels = {name: text for name, text in alert.labels.items() if name not in _OF_RULE}
    telemetry.signals.add(Signal(metric, labels, lambda times_s: value * fires(times_s)))
    if all(rule.name != alert.name for rule in telemetry.rules.rules):
        added = {name: text for name, text in alert.labels.items() if name == "severity"}
        rule = MetricRule(alert.name, alert.expression, group=alert.group, labels=added)
        telemetry.rules.rules.append(rule)


def _ones(spans: tuple[Span, ...]) -> Values:
    starts = np.array([start for start, _ in spans], dtype=np.float64)
    ends = np.array([np.inf if end is None else end for _, end in spans], dtype=np.float64)

    def values(times_s: Array) -> Array:
        inside = (times_s[:, None] >= starts) & (times_s[:, None] < ends)
        return np.where(inside.any(axis=1), 1.0, np.nan)

    return values
