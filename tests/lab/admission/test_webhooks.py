"""Admission webhooks that point at nothing, hang, refuse, or concern somebody else."""

from typing import Any

import pytest

from aiops_lab.kube.admission.webhooks import WebhookAnswer
from aiops_lab.kube.store import ApiError
from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios.shapes import container, deployment, service, template
from aiops_lab.world.objects import meta
from aiops_lab.world.world import World
from tests.lab.admission.test_quota import pod
from tests.lab.world.stage import events, load, new_app

CLIENT = "https://guard.production.svc:443/check?timeout=10s"


@pytest.fixture
def world() -> World:
    return load("healthy", furnished=False)


def webhook(kind: str = "Validating", **hook: Any) -> Obj:
    one: Obj = {
        "name": "guard.example.com",
        "clientConfig": {"service": {"namespace": "production", "name": "guard", "path": "/check"}},
        "rules": [
            {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
        ],
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        **hook,
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": f"{kind}WebhookConfiguration",
        "metadata": {"name": "guard"},
        "webhooks": [one],
    }


def guard(world: World, replicas: int = 1) -> None:
    """The program behind the webhook, with its Service."""
    new_app(world, "guard", replicas=replicas)
    world.put(
        service("production", "guard", "guard", ports=[{"name": "https", "port": 443, "targetPort": "http"}])
    )
    world.clock.advance(30)


def refusal(world: World, **options: bool) -> ApiError:
    with pytest.raises(ApiError) as refused:
        world.store.create(pod("one"), user="someone", dry_run=options.get("dry_run", False))
    return refused.value


@pytest.mark.parametrize("kind", ["Validating", "Mutating"])
def test_a_webhook_whose_service_is_missing_refuses_everything_it_matches(world: World, kind: str) -> None:
    world.put(webhook(kind))
    found = refusal(world)
    assert found.message == (
        'Internal error occurred: failed calling webhook "guard.example.com": failed to call webhook: '
        f'Post "{CLIENT}": service "guard" not found'
    )
    assert (found.status, found.reason) == (500, "InternalError")


def test_a_webhook_without_endpoints_says_so(world: World) -> None:
    guard(world, replicas=0)
    world.put(webhook())
    assert refusal(world).message.endswith(f'Post "{CLIENT}": no endpoints available for service "guard"')


def test_a_webhook_with_endpoints_allows_until_told_otherwise(world: World) -> None:
    guard(world)
    world.put(webhook())
    world.store.create(pod("fine"), user="someone")
    world.answer_webhooks("production", "guard", WebhookAnswer(failure="context deadline exceeded"))
    assert refusal(world).message.endswith(f'Post "{CLIENT}": context deadline exceeded')
    world.answer_webhooks("production", "guard", WebhookAnswer(denied="no limits set"))
    found = refusal(world)
    assert found.message == 'admission webhook "guard.example.com" denied the request: no limits set'
    assert found.status == 403


def test_a_wrong_port_is_named(world: World) -> None:
    guard(world)
    client = {"service": {"namespace": "production", "name": "guard", "path": "/check", "port": 8443}}
    world.put(webhook(clientConfig=client))
    assert 'no service port 8443 found for service "guard"' in refusal(world).message


def test_ignore_lets_the_request_pass(world: World) -> None:
    world.put(webhook(failurePolicy="Ignore"))
    world.store.create(pod("one"), user="someone")


@pytest.mark.parametrize(
    "narrow",
    [
        {"namespaceSelector": {"matchLabels": {"guarded": "yes"}}},
        {"objectSelector": {"matchLabels": {"guarded": "yes"}}},
        {"rules": [{"apiGroups": ["apps"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*"]}]},
        {
            "rules": [
                {"apiGroups": [""], "apiVersions": ["*"], "operations": ["UPDATE"], "resources": ["pods"]}
            ]
        },
    ],
)
def test_what_a_webhook_does_not_match_is_left_alone(world: World, narrow: dict[str, Any]) -> None:
    world.put(webhook(**narrow))
    world.store.create(pod("one"), user="someone")


def test_a_webhook_with_side_effects_refuses_dry_runs(world: World) -> None:
    world.put(webhook(sideEffects="Unknown"))
    found = refusal(world, dry_run=True)
    assert found.message == 'admission webhook "guard.example.com" does not support dry run'
    assert found.status == 400


def test_its_own_configuration_can_always_be_repaired(world: World) -> None:
    everything = [{"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*/*"]}]
    world.put(webhook(rules=everything))
    held = world.store.get("ValidatingWebhookConfiguration", None, "guard")
    assert held is not None
    held["webhooks"][0]["failurePolicy"] = "Ignore"
    world.store.update(held, user="someone")
    world.store.create(pod("one"), user="someone")


def test_controllers_meet_the_webhook_too(world: World) -> None:
    world.put(webhook())
    main = container("app", world.publish("repo/app:1"))
    world.put(deployment("production", "app", 1, template({"app": "app"}, [main])))
    world.clock.advance(5)
    (owner,) = world.store.list("ReplicaSet", "production")
    (said,) = events(world, meta(owner)["name"], "FailedCreate")
    assert said["message"].startswith(
        'Error creating: Internal error occurred: failed calling webhook "guard'
    )
    assert said["count"] > 3
