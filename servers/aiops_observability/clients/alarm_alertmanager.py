"""Alertmanager: its active alerts with what silences them, completed by Prometheus's rules and past.

Called by `alarm_reading`. Alertmanager keeps neither threshold, value nor past: the rule's expression and
value come from Prometheus's `/api/v1/rules`, the past from its `ALERTS` series. Where no Alertmanager is
configured, Prometheus's firing alerts are the alarms. All texts are foreign.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from aiops_observability.clients.alarm_http import AlertDoor
from aiops_observability.clients.alarm_rules import FiringRules, Past, RuleAlert, same_alert
from aiops_observability.clients.alarm_source import (
    MOST_ALARMS,
    Told,
    Window,
    is_of,
    moment,
    plain,
    severity_of,
    texts,
    where_of,
)
from aiops_observability.models.alarms import Alarm, Episode, Source
from aiops_shared.errors import AiopsError, UpstreamError
from aiops_shared.kube.gathering import gather_outcomes
from aiops_shared.results import SEVERITIES, Evidence

# Labels of kube-state-metrics, cAdvisor, node exporter and common rules.
NAMES = {
    "cluster": ("cluster", "cluster_name", "k8s_cluster"),
    "namespace": ("namespace", "exported_namespace", "kubernetes_namespace"),
    "workload": (
        *("workload", "deployment", "statefulset", "daemonset", "service", "service_name", "app"),
        *("job_name", "cronjob", "horizontalpodautoscaler"),
    ),
    "pod": ("pod", "pod_name", "exported_pod"),
    "node": ("node", "nodename", "kubernetes_node"),
}
_SUPPRESSED = (("silencedBy", "silence"), ("inhibitedBy", "inhibited by"), ("mutedBy", "muted by"))


@dataclass(frozen=True, slots=True)
class AlertmanagerAlerts:
    """Fulfils `alarm_source.AlarmSource`. `door` None: Prometheus alone. `cluster_label` of a shared one."""

    door: AlertDoor | None
    rules: FiringRules | None
    past: Past | None
    cluster_label: str = ""

    @property
    def name(self) -> Source:
        """Which source this is."""
        return "alertmanager"

    async def aclose(self) -> None:
        """Close its connections and those to Prometheus's rules."""
        for door in (self.door, self.rules.door if self.rules else None):
            if door is not None:
                await door.aclose()

    async def read(self, cluster: str | None, window: Window) -> Told:
        """The alerts that fire now, with their past since the window began."""
        active, rules, past = await gather_outcomes(
            lambda half: self._half(half, cluster, window), ("alerts", "rules", "past"), at_once=3
        )
        if isinstance(past, AiopsError):
            past = Told(warnings=(f"past of Prometheus's alerts is missing: {past}",))
        told = self._now(active, rules, window)
        return _joined(told, past if isinstance(past, Told) else Told(), cluster)

    async def _half(self, half: str, cluster: str | None, window: Window) -> "_Half":
        if half == "alerts":
            return await _active(self.door) if self.door is not None else None
        if half == "rules":
            return await self.rules.firing() if self.rules is not None else None
        return await self._episodes(self.past, cluster, window) if self.past is not None else None

    def _now(self, active: "_Half | AiopsError", rules: "_Half | AiopsError", window: Window) -> Told:
        """What fires now: Alertmanager's word, or Prometheus's where it has none. Raises its error."""
        if isinstance(active, _Active):
            return self._of_alerts(active, rules, window)
        firing = rules if isinstance(rules, list) else None
        if isinstance(active, AiopsError):
            if firing is None:
                raise active
            return self._of_rules(firing, window, f"{active}; what fires in Prometheus is shown instead")
        if isinstance(rules, AiopsError):
            raise rules
        return self._of_rules(firing or [], window)

    async def _episodes(self, past: Past, cluster: str | None, window: Window) -> Told:
        """What fired and is over: Alertmanager forgets it, Prometheus's ALERTS does not."""
        found = await past.fired(cluster, window)
        alarms = [self._alarm(labels, {}, window, episodes=spans) for labels, spans in found.alerts if spans]
        return Told(tuple(alarms), found.evidence, found.warnings)

    def _of_alerts(self, active: "_Active", rules: object, window: Window) -> Told:
        known = {same_alert(one.labels): one for one in rules} if isinstance(rules, list) else {}
        warnings = [active.gap] if active.gap else []
        if isinstance(rules, AiopsError):
            warnings.append(f"Prometheus: thresholds and values of its alerts are missing: {rules}")
        if len(active.alerts) > MOST_ALARMS:
            warnings.append(
                f"Alertmanager: {MOST_ALARMS} of {len(active.alerts)} alerts were read, the worst"
            )
        alarms = []
        for row in _worst(active.alerts):
            labels = texts(row.get("labels"))
            alarm = self._alarm(labels, row, window, muted=_muted(row, active.silences))
            rule = known.get(same_alert(labels))
            alarms.append(replace(alarm, threshold=rule.threshold, value=rule.value) if rule else alarm)
        says = f"{len(active.alerts)} alerts, {sum(bool(one.muted_by) for one in alarms)} of them suppressed"
        evidence = Evidence(source="Alertmanager", query="GET /api/v2/alerts, /api/v2/silences", says=says)
        return Told(tuple(alarms), (evidence,), tuple(warnings))

    def _of_rules(self, rules: Iterable[RuleAlert], window: Window, gap: str = "") -> Told:
        alarms = [
            replace(self._alarm(one.labels, one.row, window), threshold=one.threshold, value=one.value)
            for one in list(rules)[:MOST_ALARMS]
        ]
        evidence = Evidence(
            source="Prometheus", query="GET /api/v1/rules?type=alert", says=f"{len(alarms)} firing"
        )
        return Told(tuple(alarms), (evidence,), (gap,) if gap else ())

    def _alarm(
        self,
        labels: Mapping[str, str],
        row: Mapping[str, Any],
        window: Window,
        *,
        muted: tuple[str, ...] = (),
        episodes: tuple[Episode, ...] = (),
    ) -> Alarm:
        since = moment(row.get("startsAt")) or moment(row.get("activeAt"))
        since = since or (episodes[-1].since if episodes else window.now)
        notes = texts(row.get("annotations"), take=lambda key: key in {"summary", "description", "message"})
        is_over = bool(episodes) and episodes[-1].until is not None
        return Alarm(
            name=plain(labels.get("alertname", ""), 128) or "(no name)",
            source="alertmanager",
            state="OK" if is_over else "ALARM",
            since=since,
            where=where_of(labels, self._place),
            severity=severity_of(labels.get("severity", "")),
            labels=labels,
            episodes=episodes or (Episode(since),),
            muted_by=muted,
            says=next(iter(notes.values()), ""),
        )

    @property
    def _place(self) -> Mapping[str, tuple[str, ...]]:
        own = (self.cluster_label,) if self.cluster_label else ()
        return NAMES | {"cluster": (*own, *NAMES["cluster"])}


@dataclass(frozen=True, slots=True)
class _Active:
    """Alertmanager's alerts and silences, as they came; `gap`: what could not be had."""

    alerts: list[Mapping[str, Any]]
    silences: Mapping[str, Mapping[str, Any]]
    gap: str = ""


_Half = _Active | list[RuleAlert] | Told | None


async def _active(door: AlertDoor) -> _Active:
    every = {"active": "true", "silenced": "true", "inhibited": "true", "unprocessed": "true"}
    alerts = await door.get("/api/v2/alerts", every)
    if not isinstance(alerts, list):  # no alerts and no answer are not the same
        raise UpstreamError("Alertmanager", "answered without a list of alerts", "check its URL")
    try:
        silences = await door.get("/api/v2/silences", {})
    except AiopsError as error:
        return _Active(_objects(alerts), {}, f"Alertmanager: who silenced what is not known: {error}")
    return _Active(_objects(alerts), {str(one.get("id")): one for one in _objects(silences)})


def _objects(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def _worst(rows: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """As many as are read; when there are more, the worst by their severity label."""
    if len(rows) <= MOST_ALARMS:
        return rows

    def badness(row: Mapping[str, Any]) -> int:
        return SEVERITIES.index(severity_of(texts(row.get("labels")).get("severity", "")))

    return sorted(rows, key=badness)[:MOST_ALARMS]


def _muted(row: Mapping[str, Any], silences: Mapping[str, Mapping[str, Any]]) -> tuple[str, ...]:
    """What keeps an alert quiet: silences with their author and end, inhibiting alerts, mute times."""
    status = row.get("status")
    if not isinstance(status, Mapping):
        return ()
    found = []
    for field, word in _SUPPRESSED:
        for name in status.get(field) or ():
            silence = silences.get(str(name)) if field == "silencedBy" else None
            found.append(f"{word} {plain(str(name), 8 if silence else 40)}{_by(silence)}")
    return tuple(found[:5])


def _by(silence: Mapping[str, Any] | None) -> str:
    if silence is None:
        return ""
    end = moment(silence.get("endsAt"))
    until = f" until {end:%Y-%m-%dT%H:%MZ}" if end else ""
    return f" by {plain(silence.get('createdBy'), 60)}{until}: {plain(silence.get('comment'), 80)}"


def _joined(now: Told, past: Told, cluster: str | None) -> Told:
    """What fires, with its earlier times; and what fired and is over."""
    known = {same_alert(one.labels): one for one in past.alarms}
    alarms = []
    for one in now.alarms:
        before = known.pop(same_alert(one.labels), None)
        alarms.append(_with_past(one, before) if before is not None else one)
    alarms += known.values()
    kept = tuple(one for one in alarms if is_of(one.where, cluster))
    return Told(kept, (*now.evidence, *past.evidence), (*now.warnings, *past.warnings))


def _with_past(alarm: Alarm, before: Alarm) -> Alarm:
    """Its earlier times first. The last one that Prometheus saw is the one that Alertmanager tells."""
    ended = tuple(one for one in before.episodes if one.until is not None and one.since < alarm.since)
    return replace(alarm, episodes=(*ended, Episode(alarm.since)))
