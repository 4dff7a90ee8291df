"""F1: something that a workload needs is not there, in its three forms, and what only looks like it."""

import re

import pytest

from tests.eks.diagnosis.worlds import (
    NS,
    codes,
    crashing,
    deployment,
    diagnosed,
    happened,
    missing,
    only,
    pod,
    reads,
    running,
    service,
    there,
    waiting,
    world,
)

FATAL = 'level=fatal msg="required setting DB_HOST is empty" hint="set it in configmap cart-settings"'
MOUNT = {"volumes": [{"name": "cfg", "configMap": {"name": "cart-settings"}}]}


@pytest.mark.row("S27")
@pytest.mark.row("S39")
def test_an_absent_optional_configmap_that_the_last_log_line_asks_for_is_the_cause() -> None:
    found = only(
        world(
            crashing(container=reads("cart-settings")),
            log=["starting", FATAL],
            lookups=[missing("cart-settings", nearest=("cart-settings-v2",))],
        )
    )
    assert (found.code, found.kind, found.namespace, found.name) == (
        "CONFIGMAP_MISSING",
        "ConfigMap",
        NS,
        "cart-settings",
    )
    assert re.search("cart.*ConfigMap.*cart-settings", found.title)
    assert {e.source for e in found.evidence} == {"kubernetes", "pod log"}
    assert any("exists: cart-settings-v2" in e.says for e in found.evidence)
    assert "restart does not help" in found.next_step
    assert found.confidence >= 0.9


@pytest.mark.row("C7")
def test_a_required_configmap_that_the_kubelet_refuses_needs_no_log() -> None:
    said = 'configmap "cart-settings" not found'
    stuck = pod(
        state=waiting("CreateContainerConfigError", said), container=reads("cart-settings", optional=False)
    )
    found = only(world(stuck, happened("Failed", f"Error: {said}"), lookups=[missing("cart-settings")]))
    assert (found.code, found.name) == ("CONFIGMAP_MISSING", "cart-settings")
    assert "the container never started" in found.ruled_out[0]


@pytest.mark.row("C7")
def test_a_volume_whose_configmap_is_missing_is_found_by_its_mount_event() -> None:
    said = 'MountVolume.SetUp failed for volume "cfg" : configmap "cart-settings" not found'
    stuck = pod(state=waiting("ContainerCreating"), spec=MOUNT, phase="Pending")
    found = only(world(stuck, happened("FailedMount", said), lookups=[missing("cart-settings")]))
    assert (found.code, found.name) == ("CONFIGMAP_MISSING", "cart-settings")


@pytest.mark.row("C12")
def test_a_volume_whose_mount_events_have_expired_is_found_by_the_lookup() -> None:
    stuck = pod(state=waiting("ContainerCreating"), spec=MOUNT, phase="Pending")
    assert only(world(stuck, lookups=[missing("cart-settings")])).code == "CONFIGMAP_MISSING"


def test_a_missing_secret_is_said_as_such() -> None:
    said = 'secret "cart-db" not found'
    stuck = pod(state=waiting("CreateContainerConfigError", said))
    found = only(world(stuck))
    assert (found.code, found.kind, found.name) == ("SECRET_MISSING", "Secret", "cart-db")


@pytest.mark.parametrize(
    ("state", "message", "name"),
    [
        (
            waiting("CreateContainerConfigError", "couldn't find key HOST in ConfigMap shop/cart-settings"),
            "",
            "HOST",
        ),
        (
            waiting("ContainerCreating"),
            'SetUp failed for volume "cfg" : configmap references non-existent config key: app.ini',
            "app.ini",
        ),
    ],
)
def test_a_missing_key_names_the_object_and_the_key(
    state: dict[str, object], message: str, name: str
) -> None:
    phase = "Running" if not message else "Pending"
    stuck = pod(state=state, spec=MOUNT, phase=phase)
    events = [happened("FailedMount", message)] if message else []
    found = only(world(stuck, *events, lookups=[there("cart-settings", "OTHER")]))
    assert (found.code, found.name) == ("CONFIG_KEY_MISSING", "cart-settings")
    assert name in found.title


def test_a_variable_that_no_key_of_the_existing_configmap_gives_is_a_missing_key() -> None:
    facts = world(
        crashing(container=reads("cart-settings")), log=[FATAL], lookups=[there("cart-settings", "DB_PORT")]
    )
    assert only(facts).code == "CONFIG_KEY_MISSING"


def test_an_absent_optional_configmap_of_a_healthy_program_is_no_finding() -> None:
    healthy = pod(state=running(90_000), ready=True, container=reads("cart-extra"))
    assert codes(world(healthy, lookups=[missing("cart-extra")])) == []


def test_exit_1_with_the_configmap_present_is_the_programs_own_error() -> None:
    facts = world(
        crashing(container=reads("cart-settings")),
        log=['level=fatal msg="cannot start: column region does not exist"'],
        lookups=[there("cart-settings", "DB_HOST")],
    )
    found = only(facts)
    assert (found.code, found.kind, found.name) == ("APP_ERROR", "Deployment", "cart")
    assert any("column region" in e.says for e in found.evidence)
    assert any("cart-settings exist" in ruled for ruled in found.ruled_out)


def test_an_absent_configmap_is_only_noted_when_the_log_blames_something_else() -> None:
    found = only(
        world(
            crashing(container=reads("cart-settings")),
            log=["panic: index out of range [3]"],
            lookups=[missing("cart-settings")],
        )
    )
    assert found.code == "APP_ERROR"
    assert any("cart-settings (optional) does not exist" in ruled for ruled in found.ruled_out)


def test_a_decoy_of_nearly_the_same_name_is_not_taken_for_the_one_the_log_names() -> None:
    facts = world(
        crashing(
            container={
                "envFrom": [{"configMapRef": {"name": n, "optional": True}} for n in ("cart", "cart-v2")]
            }
        ),
        log=['fatal: missing setting, see configmap "cart-v2"'],
        lookups=[missing("cart"), missing("cart-v2")],
    )
    assert only(facts).name == "cart-v2"


def test_a_configmap_made_in_the_meantime_is_not_reported_missing() -> None:
    said = 'configmap "cart-settings" not found'
    stuck = pod(state=waiting("CreateContainerConfigError", said))
    assert "CONFIGMAP_MISSING" not in codes(world(stuck, lookups=[there("cart-settings")]))


def test_without_logs_the_absent_configmap_stays_a_suspicion() -> None:
    facts = world(
        crashing(container=reads("cart-settings")), lookups=[missing("cart-settings")], logs_allowed=False
    )
    found = only(facts)
    assert found.code == "CONFIGMAP_MISSING"
    assert found.confidence < 0.6


def test_the_service_and_the_deployment_hang_on_the_finding_and_make_it_critical() -> None:
    facts = world(
        crashing(container=reads("cart-settings")),
        deployment(ready=0),
        service(),
        log=[FATAL],
        lookups=[missing("cart-settings")],
    )
    found = only(facts)
    assert found.severity == "critical"
    assert {"Deployment shop/cart", "Service shop/cart"} <= set(found.symptoms)


def test_pods_of_one_owner_are_one_finding() -> None:
    many = [
        crashing(name=f"cart-7d4b9c6f5-{n}", container=reads("cart-settings"))
        for n in ("aaaaa", "bbbbb", "ccccc")
    ]
    found = only(world(*many, log=[FATAL], lookups=[missing("cart-settings")]))
    assert sum(symptom.startswith("Pod ") for symptom in found.symptoms) == 3


def test_two_workloads_without_the_same_configmap_are_one_finding() -> None:
    other = {"kind": "ReplicaSet", "name": "pay-5f6d7c8b9", "controller": True, "apiVersion": "apps/v1"}
    labels = {"app": "pay", "pod-template-hash": "5f6d7c8b9"}
    pay = crashing(
        name="pay-5f6d7c8b9-zzzzz",
        container=reads("cart-settings"),
        metadata={"ownerReferences": [other], "labels": labels},
    )
    facts = world(
        crashing(container=reads("cart-settings")), pay, log=[FATAL], lookups=[missing("cart-settings")]
    )
    assert "and 1 more" in only(facts).title


def test_a_healthy_world_finds_nothing_and_says_what_was_checked() -> None:
    answer = diagnosed(
        world(pod(state=running(90_000), ready=True), deployment(ready=1), service(), endpoints={"cart": 1})
    )
    assert answer.findings == ()
    assert answer.checked.pods == 1
    assert "Nothing wrong found" in answer.summary
    assert answer.hint
