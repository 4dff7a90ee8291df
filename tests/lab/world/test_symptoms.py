"""The small worlds of single causes: each shows its symptom with any seed, in the real parts' words."""

import pytest

from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios.names import cast
from aiops_lab.world.objects import condition, meta
from tests.lab.world.stage import events, first, load, pods, ready, texts, waiting

SEEDS = range(5)
seeds = pytest.mark.parametrize("seed", SEEDS)


def found(scenario: str, seed: int) -> tuple[list[Obj], str, list[str]]:
    """The workload's pods, the last line of the first one's log, and its warnings."""
    world, who = load(scenario, seed, furnished=False), cast(seed)
    sick = pods(world, who.api)
    assert len(sick) == who.api_replicas
    assert not world.cluster.failures
    lines = texts(world, sick[0]) if sick[0]["status"].get("containerStatuses") else []
    warnings = [e["message"] for e in events(world, meta(sick[0])["name"]) if e["type"] == "Warning"]
    return sick, lines[-1] if lines else "", warnings


@seeds
@pytest.mark.parametrize(
    ("scenario", "code"),
    [
        ("pod-crashloop-dependency", 1),
        ("pod-crashloop-arguments", 2),
        ("pod-crashloop-command", 127),
        ("pod-crashloop-architecture", 1),
    ],
)
def test_a_crash_loop_has_its_exit_code_and_a_last_line(scenario: str, code: int, seed: int) -> None:
    sick, line, _ = found(scenario, seed)
    assert {waiting(pod) for pod in sick} <= {"CrashLoopBackOff", ""}
    assert {first(pod)["lastState"]["terminated"]["exitCode"] for pod in sick} == {code}
    assert line


@seeds
@pytest.mark.parametrize(
    ("scenario", "words"), [("pod-config-secret", 'secret "'), ("pod-config-key", "couldn't find key ")]
)
def test_a_config_error_names_what_is_missing(scenario: str, words: str, seed: int) -> None:
    sick, line, warnings = found(scenario, seed)
    assert {waiting(pod) for pod in sick} == {"CreateContainerConfigError"}
    assert first(sick[0])["state"]["waiting"]["message"].startswith(words)
    assert warnings == [f"Error: {first(sick[0])['state']['waiting']['message']}"]
    assert line == ""


@seeds
@pytest.mark.parametrize(
    ("scenario", "words"),
    [("pod-pending-cpu", "6 Insufficient cpu"), ("pod-pending-selector", "6 node(s) didn't match")],
)
def test_a_pending_pod_says_what_the_nodes_lack(scenario: str, words: str, seed: int) -> None:
    sick, _, warnings = found(scenario, seed)
    scheduled = condition(sick[0], "PodScheduled")
    assert scheduled is not None
    assert words in scheduled["message"]
    assert warnings == [scheduled["message"]]


@seeds
def test_a_pod_that_is_never_ready_runs_without_a_restart(seed: int) -> None:
    sick, _, warnings = found("pod-not-ready", seed)
    assert {(pod["status"]["phase"], first(pod)["ready"], first(pod)["restartCount"]) for pod in sick} == {
        ("Running", False, 0)
    }
    assert warnings[0].startswith("Readiness probe failed: HTTP probe failed with statuscode: ")


@seeds
def test_a_service_that_selects_nothing_has_no_endpoints_beside_ready_pods(seed: int) -> None:
    world, who = load("service-selector", seed, furnished=False), cast(seed)
    assert ready(world, who.api) == who.api_replicas
    endpoints = world.store.get("Endpoints", "production", who.api)
    assert endpoints is not None
    assert endpoints["subsets"] == []
