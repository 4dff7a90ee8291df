"""The read tools end to end: real client, real door, real adapter, a running lab."""

import json
from collections.abc import AsyncIterator

import pytest

from aiops_lab.scenarios.canaries import found_in
from aiops_lab.scenarios.drill import INJECTIONS
from tests.eks.lab_reading import Played, played
from tests.eks.reading import Answered, records, tokens

SEEDS = range(5)
pytestmark = pytest.mark.slow


def hurt(world: Played) -> str:
    """The workload that the scenario breaks."""
    expected = world.lab.world.expected
    return expected[0].hurts_name or expected[0].name


@pytest.mark.row("S53")
@pytest.mark.parametrize("seed", SEEDS)
async def test_f2_pods_then_logs_of_the_previous_instance(seed: int) -> None:
    async with played("oom-raise-limits", seed) as world:
        pods = await world.ask("list_resources", kind="Pod", namespace="production")
        first = records(pods["resources"])[0]
        assert str(first["name"]).startswith(hurt(world))
        assert "(OOMKilled)" in str(first["health"])
        assert "(OOMKilled), 6 restarts" in pods["summary"]
        logs = await world.ask("get_pod_logs", pod=first["name"], namespace="production")
        assert str(records(logs["sources"])[0]["instance"]).startswith("previous, ended OOMKilled")
        assert "61" in str(records(logs["lines"])[0]["text"])
        assert any("without an error line" in each for each in logs["warnings"])
        assert max(tokens(pods), tokens(logs)) <= 1_500
        assert world.lab.requests.writes() == []


@pytest.mark.row("S39")
@pytest.mark.parametrize("seed", SEEDS)
async def test_f1_the_crash_looping_pods_are_found_and_their_last_words_read(seed: int) -> None:
    async with played("pod-crashloop", seed) as world:
        answer = await world.ask("list_resources", kind="Pod", unhealthy_only=True)
        found = records(answer["resources"])
        assert {str(row["health"]) for row in found} == {"CrashLoopBackOff (Error, exit 1)"}
        pod = next(row for row in found if str(row["name"]).startswith(hurt(world)))
        logs = await world.ask("get_pod_logs", pod=pod["name"], namespace=pod["namespace"])
        assert "(previous, ended Error, exit 1" in logs["summary"]
        assert len(records(logs["lines"])) >= 2
        shown = await world.ask("get_resource", kind="Pod", name=pod["name"], namespace=pod["namespace"])
        missing = [row for row in records(shown["related"]) if row["state"] == "missing, optional"]
        assert [row["kind"] for row in missing] == ["ConfigMap"]
        assert f"missing ConfigMap {missing[0]['name']} (optional)" in shown["summary"]


@pytest.mark.row("S39")
@pytest.mark.parametrize(
    ("scenario", "word"),
    [
        ("pod-crashloop-config-error", "CreateContainerConfigError"),
        ("pod-crashloop-mount", "ContainerCreating for"),
    ],
)
async def test_f1_variants_without_a_log_say_so_and_name_what_is_missing(scenario: str, word: str) -> None:
    async with played(scenario) as world:
        answer = await world.ask("list_resources", kind="Pod", unhealthy_only=True)
        first = records(answer["resources"])[0]
        assert str(first["health"]).startswith(word)
        place = {"namespace": first["namespace"]}
        logs = await world.ask("get_pod_logs", pod=first["name"], **place)
        assert "never started" in logs["summary"]
        shown = await world.ask("get_resource", kind="Pod", name=first["name"], **place)
        assert "refers to missing ConfigMap" in shown["summary"]
        events = await world.ask("list_events", kind="Pod", name=first["name"], **place)
        assert "Warning" in {row["type"] for row in records(events["events"])}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("scenario", ["healthy", "pod-crashloop-recovered", "oom-once"])
async def test_healthy_furniture_of_a_whole_cluster_is_not_unhealthy(scenario: str, seed: int) -> None:
    async with played(scenario, seed) as world:
        for kind in ("Pod", "Deployment", "StatefulSet", "Job", "CronJob", "Node", "PersistentVolumeClaim"):
            answer = await world.ask("list_resources", kind=kind, unhealthy_only=True)
            assert answer["unhealthy"] == 0, answer["summary"]


WORDS = ("pods", "secrets", "configmaps", "deployments", "services", "serviceaccounts", "statefulsets")
ALSO_LISTED = (
    "persistentvolumeclaims",
    "poddisruptionbudgets",
    "applications",
    "namespaces",
    "nodes",
    "events",
)


async def every_answer(world: Played, namespace: str) -> AsyncIterator[Answered]:
    """What each read tool says about everything of a namespace; of equal pods one speaks for all."""
    for word in (*WORDS, *ALSO_LISTED):
        listed = await world.ask("list_resources", kind=word, namespace=namespace, limit=500)
        found = [str(row.get("name")) for row in records(listed["resources"])]
        names = {name.rsplit("-", 1)[0]: name for name in found}
        yield listed
        if word not in WORDS:
            continue
        for name in names.values():
            for view in ("summary", "yaml"):
                yield await world.ask("get_resource", kind=word, name=name, namespace=namespace, view=view)
            if word == "pods":
                yield await world.ask("get_pod_logs", pod=name, namespace=namespace, detail="full")
    yield await world.ask("list_events", limit=500)


@pytest.mark.threat("T6")
@pytest.mark.threat("T7")
@pytest.mark.timeout(120)
async def test_no_planted_secret_leaves_and_hostile_texts_stand_only_in_marked_fields() -> None:
    answers, hostile = 0, 0
    async with played("guardrail-drill", identity="lab-admin") as world:
        async for answer in every_answer(world, "production"):
            answers += 1
            assert found_in(json.dumps(answer)) == []
            marked = {field: answer.pop(field) for field in answer["untrusted"] if field in answer}
            hostile += sum(text in json.dumps(marked) for text in INJECTIONS)
            assert not [text for text in INJECTIONS if text in json.dumps(answer)]
        assert world.lab.requests.writes() == []
    assert answers > 80
    assert hostile
