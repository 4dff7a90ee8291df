"""How alerts become groups: pure functions on firings made here, from two alarms to twenty thousand."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest

from aiops_observability.analysis.alert_classes import AlertGroup, Fired, Places, classified, climbs
from aiops_observability.analysis.grouping import Firing, Topology, flapping, groups_of
from aiops_observability.clients.alarm_source import short_node, workload_of
from aiops_observability.models.alarms import Alarm, Episode, Source, State, Where

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
MIN_S = 60.0
CHAIN = Topology(
    calls={"front": frozenset({"cart"}), "cart": frozenset({"db"}), "other": frozenset({"mail"})},
    machines={"db": frozenset({"node-1"}), "cart": frozenset({"node-2"})},
)


def firing(minute: float, place: str, rule: str = "HighErrorRate") -> Firing:
    return Firing(minute * MIN_S, f"{place}/{rule}", place, climbs(rule))


def grouped(*firings: Firing) -> list[int]:
    return groups_of(firings, CHAIN)


def test_errors_that_climb_from_callee_to_caller_are_one_incident() -> None:
    assert grouped(firing(0, "db", "PodCrashLooping"), firing(2, "cart"), firing(4, "front")) == [0, 0, 0]


def test_a_caller_that_is_told_before_its_callee_still_belongs_to_it() -> None:
    assert len(set(grouped(firing(0, "cart"), firing(3, "db", "PodCrashLooping")))) == 1


def test_trouble_of_a_caller_does_not_explain_its_callee() -> None:
    assert len(set(grouped(firing(0, "cart", "PodCrashLooping"), firing(9, "db", "PodCrashLooping")))) == 2


def test_two_incidents_at_the_same_time_stay_two() -> None:
    found = grouped(firing(0, "db"), firing(1, "mail"), firing(2, "cart"), firing(3, "other"))
    assert found == [0, 1, 0, 1]


def test_several_reasons_of_about_the_same_strength_outweigh_a_lone_one() -> None:
    """The caller of one troubled service and of two that fell with their node: two voices for the node."""
    calls = Topology(
        calls={"front": frozenset({"cart", "mail", "search"})},
        machines={"cart": frozenset({"node-2"}), "mail": frozenset({"node-2"})},
    )
    alerts = [
        firing(0, "node-2", "NodeNotReady"),
        firing(1, "cart", "PodCrashLooping"),
        firing(1, "mail", "PodCrashLooping"),
        firing(1.2, "search", "PodCrashLooping"),
        firing(2.6, "front"),
    ]
    found = groups_of(alerts, calls)
    assert found == [0, 0, 0, 1, 0]


def test_a_configuration_that_does_not_load_is_trouble_of_the_thing_itself() -> None:
    assert not climbs("ConfigReloadFailed")
    assert climbs("ConfigServiceErrorRate")


def test_what_stands_on_a_failed_node_belongs_to_it_and_neighbours_on_others_do_not() -> None:
    node = firing(0, "node-1", "NodeNotReady")
    found = grouped(node, firing(1, "db", "PodCrashLooping"), firing(1, "mail", "PodCrashLooping"))
    assert found == [0, 0, 1]


def test_another_trouble_of_the_same_place_hours_later_is_another_incident() -> None:
    assert len(set(grouped(firing(0, "db"), firing(180, "db")))) == 2


def test_the_order_in_which_alerts_arrive_does_not_matter() -> None:
    firings = [firing(0, "db"), firing(2, "cart"), firing(4, "front"), firing(5, "mail")]
    there, back = groups_of(firings, CHAIN), groups_of(firings[::-1], CHAIN)[::-1]
    assert [there[0] == one for one in there] == [back[0] == one for one in back]


def test_flapping_needs_many_separate_times_and_a_long_incident_is_none() -> None:
    comes_and_goes = [firing(26.0 * step, "mail") for step in range(20)]
    repeated = [firing(12.0 * step, "db") for step in range(9)]
    bursts = [firing(4.0 * step, "cart") for step in range(12)]
    assert flapping([*comes_and_goes, *repeated, *bursts]) == {"mail/HighErrorRate", "cart/HighErrorRate"}


def test_twenty_thousand_alerts_of_one_hour_are_grouped() -> None:
    storm = [firing(step / 333, f"svc-{step % 5000}", f"Rule{step % 7}") for step in range(20_000)]
    assert len(groups_of(storm, CHAIN)) == 20_000
    same = [firing(step / 333, "db", f"Rule{step % 7}") for step in range(20_000)]
    assert set(groups_of(same, CHAIN)) == {0}


def alarm(
    name: str,
    minutes_ago: float,
    *,
    cluster: str = "a",
    state: State = "ALARM",
    source: Source = "alertmanager",
) -> Alarm:
    since = NOW - timedelta(minutes=minutes_ago)
    where = Where(cluster, "shop", "api")
    return Alarm(name, source, state, since, where, labels={"cluster": cluster}, episodes=(Episode(since),))


def classes(alarms: Iterable[Alarm]) -> list[AlertGroup]:
    alarms = list(alarms)
    places = Places(Topology(), {id(one): f"{one.where.cluster}/{one.name}" for one in alarms})
    return classified([Fired.now(one) for one in alarms], places, NOW)


def test_the_same_alert_of_three_clusters_is_one_duplicate_group() -> None:
    found = classes(alarm("DnsErrors", 30 + place, cluster=name) for place, name in enumerate("abc"))
    assert [(one.noise, len(one.members)) for one in found] == [("duplicate", 3)]
    assert found[0].first.alarm.where.cluster == "c"


def test_the_same_alert_of_two_systems_is_a_duplicate_and_hours_apart_it_is_not() -> None:
    twice = [alarm("DnsErrors", 30), alarm("DnsErrors", 31, source="cloudwatch")]
    assert [one.noise for one in classes(twice)] == ["duplicate"]
    apart = [alarm("DnsErrors", 30), alarm("DnsErrors", 300, cluster="b")]
    assert [one.noise for one in classes(apart)] == ["actionable", "actionable"]


def test_what_fires_for_days_or_has_no_data_is_stale_and_is_still_listed() -> None:
    found = classes([alarm("Old", 3000), alarm("Empty", 30, state="INSUFFICIENT_DATA"), alarm("New", 30)])
    assert [(one.noise, len(one.members)) for one in found] == [("actionable", 1), ("stale", 2)]


def test_every_firing_is_in_exactly_one_group() -> None:
    alarms = [alarm(f"Rule{step % 40}", step * 3, cluster="abc"[step % 3]) for step in range(300)]
    members = Counter(id(one.alarm) for group in classes(alarms) for one in group.members)
    assert len(members) == 300
    assert set(members.values()) == {1}


@pytest.mark.parametrize(
    ("pod", "workload"),
    [
        ("api-6c9d7f5b8-x2k4q", "api"),
        ("cart-db-0", "cart-db"),
        ("aws-node-x7k2v", "aws-node"),
        ("plain", "plain"),
    ],
)
def test_a_pods_name_says_its_workload(pod: str, workload: str) -> None:
    assert workload_of(pod) == workload


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("ip-10-0-1-42.ec2.internal", "ip-10-0-1-42"),
        ("10.0.1.42:9100", "ip-10-0-1-42"),
        ("10.0.1.42", "ip-10-0-1-42"),
        ("worker-3", "worker-3"),
    ],
)
def test_a_node_has_one_name_whatever_a_label_says(name: str, short: str) -> None:
    assert short_node(name) == short
