"""The lab's Prometheus: numbers that agree with Kubernetes, and an API that behaves as Prometheus' does."""

import numpy as np
import pytest

from aiops_lab.telemetry.rules import Exemplar, MetricRule
from aiops_lab.telemetry.signals import Signal
from aiops_lab.telemetry.workloads import Profile
from tests.lab.observatory.conftest import Room
from tests.lab_fixture import kube_client

pytestmark = pytest.mark.asyncio(loop_scope="module")

MEMORY = "container_memory_working_set_bytes"
RANGE = {"query": "up", "start": "1", "end": "2", "step": "1"}


async def test_what_pods_use_is_what_kubernetes_says(room: Room) -> None:
    async with kube_client(room.lab) as kube:
        items = (await kube.get("/apis/metrics.k8s.io/v1beta1/pods")).json()["items"]
    there = {
        (item["metadata"]["namespace"], item["metadata"]["name"], one["name"]): one["usage"]["memory"]
        for item in items
        for one in item["containers"]
    }
    at = np.array([room.now_s])
    found = {
        (one.labels["namespace"], one.labels["pod"], one.labels["container"]): float(one.read(at)[0])
        for one in room.lab.observatory.telemetry.signals.of(MEMORY)
    }
    running = {key: value for key, value in found.items() if not np.isnan(value)}
    assert running.keys() == there.keys()
    for key, told in there.items():
        assert int(told.removesuffix("Ki")) == pytest.approx(running[key] / 1024, abs=2)


async def test_nodes_use_what_their_pods_use_and_their_own_share(room: Room) -> None:
    used = await room.number("sum(node_memory_MemTotal_bytes - node_memory_MemAvailable_bytes)")
    pods = await room.number(f"sum({MEMORY})")
    nodes = await room.number("count(kube_node_info)")
    assert used == pytest.approx(pods + nodes * 1150 * 2**20, rel=0.01)
    busy = await room.number('sum(rate(node_cpu_seconds_total{mode!="idle"}[5m]))')
    assert busy == pytest.approx(
        await room.number("sum(rate(container_cpu_usage_seconds_total[5m]))") + 0.14 * nodes, rel=0.01
    )


async def test_every_running_pod_has_its_signals(room: Room) -> None:
    running = await room.query('kube_pod_status_phase{phase="Running"} == 1')
    for metric in (MEMORY, "container_cpu_usage_seconds_total", "kube_pod_labels", "kube_pod_owner"):
        without = f'kube_pod_status_phase{{phase="Running"}} == 1 unless on(namespace, pod) {metric}'
        assert await room.query(without) == []
    assert len(running) > 20
    owned = f'{MEMORY} * on(namespace, pod) group_left(owner_name) kube_pod_owner{{owner_kind="ReplicaSet"}}'
    assert len(await room.query(owned)) > 10
    zones = await room.query("count by (label_topology_kubernetes_io_zone) (kube_node_labels)")
    assert [one["value"][1] for one in zones] == ["2", "2", "2"]


async def test_a_pod_that_is_gone_ends_at_the_next_scrape_and_keeps_its_past(fresh: Room) -> None:
    pod = (await fresh.query(f'{MEMORY}{{namespace="production"}}'))[0]["metric"]
    text = f'{MEMORY}{{pod="{pod["pod"]}"}}'
    fresh.lab.store.delete("Pod", "production", pod["pod"], grace_s=0)
    fresh.lab.clock.advance(130)
    assert await fresh.query(text) == []
    assert len(await fresh.query(text, time=fresh.now_s - 600)) == 1


async def test_nothing_is_known_of_the_future(room: Room) -> None:
    assert await room.query("kube_node_info", time=room.now_s + 3600) == []
    assert len(await room.query("kube_node_info", time=room.now_s + 60)) == 6


async def test_a_crashing_container_restarts_its_counter_and_says_why_it_waits(fresh: Room) -> None:
    fresh.lab.reset("pod-crashloop", 0)
    waiting = await fresh.query("kube_pod_container_status_waiting_reason")
    # A container that is just being started again waits for that, once in five minutes.
    reasons = {one["metric"]["reason"] for one in waiting}
    assert "CrashLoopBackOff" in reasons <= {"CrashLoopBackOff", "ContainerCreating"}
    name = next(one for one in waiting if one["metric"]["reason"] == "CrashLoopBackOff")["metric"]["pod"]
    restarts = await fresh.number(f'kube_pod_container_status_restarts_total{{pod="{name}"}}')
    resets = await fresh.number(f'changes(kube_pod_container_status_restarts_total{{pod="{name}"}}[40m])')
    assert restarts >= resets > 3  # a start between two scrapes may be the first that is seen
    last = await fresh.query(f'kube_pod_container_status_last_terminated_reason{{pod="{name}"}}')
    assert [one["metric"]["reason"] for one in last] == ["Error"]


async def test_a_told_profile_is_what_both_apis_say(fresh: Room) -> None:
    name = (await fresh.query(f'{MEMORY}{{namespace="production"}}'))[0]["metric"]["pod"]
    pod = fresh.lab.store.get("Pod", "production", name)
    assert pod is not None
    told = Profile("production", pod["metadata"]["labels"]["app"], memory=5e7, cpu=0.3)
    fresh.lab.observatory.telemetry.profiles.append(told)
    found = await fresh.query(f'{MEMORY}{{pod="{name}"}}')
    assert float(found[0]["value"][1]) == pytest.approx(5e7, rel=0.2)
    used = fresh.lab.world.pod("production", name)
    assert used is not None
    ((cpu, memory),) = used.values()
    assert memory == pytest.approx(5e7, rel=0.2)
    assert cpu == pytest.approx(300, rel=0.2)


@pytest.mark.parametrize(
    ("path", "params", "status", "kind", "words"),
    [
        ("query", {}, 400, "bad_data", 'invalid parameter "query": '),
        ("query", {"query": "up", "time": "abc"}, 400, "bad_data", 'cannot parse "abc" to a valid timestamp'),
        ("query", {"query": "up", "timeout": "x"}, 400, "bad_data", 'parameter "timeout": cannot parse "x"'),
        ("query", {"query": "sum("}, 400, "bad_data", "unclosed left parenthesis"),
        (
            "query",
            {"query": "rate(up)"},
            400,
            "bad_data",
            'expected type range vector in call to function "rate"',
        ),
        ("query", {"query": "kube_node_info", "timeout": "0s"}, 503, "timeout", "query timed out"),
        (
            "query",
            {"query": "kube_node_status_condition * on(node) kube_node_status_condition"},
            422,
            "execution",
            "found duplicate series for the match group",
        ),
        (
            "query_range",
            {**RANGE, "start": "3"},
            400,
            "bad_data",
            "end timestamp must not be before start time",
        ),
        ("query_range", {**RANGE, "step": "0"}, 400, "bad_data", "zero or negative query resolution"),
        (
            "query_range",
            {**RANGE, "end": "20000"},
            400,
            "bad_data",
            "exceeded maximum resolution of 11,000 points",
        ),
        (
            "query_range",
            {**RANGE, "query": "up[5m]"},
            400,
            "bad_data",
            'invalid expression type "range vector"',
        ),
        ("series", {}, 400, "bad_data", "no match[] parameter provided"),
        ("series", {"match": "up{"}, 400, "bad_data", 'invalid parameter "match[]": '),
        ("series", {"match": '{__name__=~".*"}'}, 400, "bad_data", "at least one non-empty matcher"),
        ("label/a-b/values", {}, 400, "bad_data", 'invalid label name: "a-b"'),
        ("rules", {"type": "foo"}, 400, "bad_data", 'not supported value "foo"'),
    ],
)
async def test_bad_requests_are_refused_in_the_words_of_prometheus(
    room: Room, path: str, params: dict[str, str], status: int, kind: str, words: str
) -> None:
    answer = await room.ask(path, **params)
    said = answer.json()
    assert (answer.status_code, said["status"], said["errorType"]) == (status, "error", kind)
    assert words in said["error"]


async def test_get_and_post_say_the_same(room: Room) -> None:
    text = "count by (namespace) (kube_pod_info)"
    answer = await room.client.post("api/v1/query", data={"query": text})
    assert answer.json()["data"]["result"] == await room.query(text)


async def test_names_labels_and_series_are_found(room: Room) -> None:
    names = await room.data("label/__name__/values")
    assert {MEMORY, "node_filesystem_avail_bytes", "awscni_total_ip_addresses"} <= set(names)
    assert "kube_pod_container_status_waiting_reason" in names  # pods waited when they started
    assert await room.data("labels", match="karpenter_nodes_created_total") == [
        "__name__",
        "nodepool",
        "reason",
    ]
    assert len(await room.data("label/node/values", match="kube_node_info")) == 6
    assert len(await room.data("series", match="kube_node_info", start=room.now_s - 60)) == 6
    told = await room.data("metadata", metric="coredns_dns_request_duration_seconds")
    assert [one["type"] for one in told["coredns_dns_request_duration_seconds"]] == ["histogram"]
    assert (await room.data("targets"))["activeTargets"][0]["health"] == "up"
    assert (await room.data("status/buildinfo"))["version"].startswith("2.")


async def test_alerts_are_pending_for_a_while_and_then_fire(fresh: Room) -> None:
    rules, since_s = fresh.lab.observatory.telemetry.rules, fresh.now_s - 400
    fresh.lab.observatory.telemetry.signals.add(
        Signal("queue_depth", {"queue": "mail"}, lambda t: np.where(t >= since_s, 9.0, 1.0))
    )
    page = {"severity": "page"}
    rules.rules += [
        MetricRule("MailWaits", "queue_depth > 5", for_s=300, labels=page),
        MetricRule("MailWaitsLong", "queue_depth > 5", for_s=3600, group="slow", labels=page),
        MetricRule("job:queue_depth:max", "max(queue_depth)", alert=False),
    ]
    alerts = (await fresh.data("alerts"))["alerts"]
    assert {one["labels"]["alertname"]: one["state"] for one in alerts} == {
        "MailWaits": "firing",
        "MailWaitsLong": "pending",
    }
    assert alerts[0]["labels"] == {"alertname": "MailWaits", "queue": "mail", "severity": "page"}
    groups = (await fresh.data("rules"))["groups"]
    assert [(one["name"], len(one["rules"])) for one in groups] == [("lab", 2), ("slow", 1)]


async def test_the_store_says_how_many_series_there_are_even_those_nobody_can_read(fresh: Room) -> None:
    rules = fresh.lab.observatory.telemetry.rules
    total = await fresh.number('count({__name__=~".+"})')
    rules.ballast["go_gc_duration_seconds"] = 500_000
    found = await fresh.data("status/tsdb", limit=3)
    assert found["headStats"]["numSeries"] == pytest.approx(500_000 + total, abs=150)
    assert found["seriesCountByMetricName"][0] == {"name": "go_gc_duration_seconds", "value": 500_000}
    assert len(found["seriesCountByMetricName"]) == 3
    assert (await fresh.ask("status/metric_names_stats")).status_code == 404
    rules.asked = {"go_gc_duration_seconds": 0, MEMORY: 12}
    assert (await fresh.ask("status/metric_names_stats")).json()["records"][0]["queryRequestsCount"] == 0


async def test_exemplars_are_those_that_were_told(fresh: Room) -> None:
    assert await fresh.data("query_exemplars", query="http_request_duration_seconds_bucket") == []
    told = Exemplar("http_request_duration_seconds_bucket", {"route": "/"}, "ab" * 16, 5.2, fresh.now_s - 60)
    fresh.lab.observatory.telemetry.rules.exemplars.append(told)
    found = await fresh.data(
        "query_exemplars", query='rate(http_request_duration_seconds_bucket{route="/"}[5m])'
    )
    assert found[0]["exemplars"][0]["labels"] == {"trace_id": "ab" * 16}


async def test_a_sick_room_fails_until_it_is_healed(fresh: Room) -> None:
    fresh.lab.observatory.fail("prometheus", status=503)
    assert (await fresh.ask("query", query="up")).status_code == 503
    fresh.lab.observatory.heal()
    assert (await fresh.ask("query", query="up")).status_code == 200
