"""A Service whose selector takes no pod: when that is a fault, and when it is as it should be."""

import pytest

from tests.eks.diagnosis.worlds import NS, Obj, ago, codes, deployment, only, pod, running, service, world

LABELS = {"app": "cart", "tier": "backend"}


def serving(labels: dict[str, str] | None = None, *, replicas: int = 1) -> Obj:
    """The Deployment `cart` with the labels of its template."""
    found = deployment(ready=replicas, replicas=replicas)
    found["spec"]["template"] = {"metadata": {"labels": labels or LABELS}}
    return found


def well() -> Obj:
    """A healthy pod of it."""
    labels = {**LABELS, "pod-template-hash": "7d4b9c6f5"}
    return pod(state=running(90_000), ready=True, metadata={"labels": labels})


@pytest.mark.parametrize(
    "selector",
    [
        {"app": "cart-v2", "tier": "backend"},
        {"app": "carts", "tier": "backend"},
        {"app": "cart-web", "tier": "backend"},
        {"app": "cart", "tier": "frontend"},
        {"app.kubernetes.io/name": "cart"},
        {"app": "basket"},
        {"app": "cart", "version": "v2"},
    ],
)
def test_the_service_of_a_running_workload_that_selects_something_else_is_told(
    selector: dict[str, str],
) -> None:
    found = only(world(well(), serving(), service(selector=selector)))
    assert (found.code, found.kind, found.namespace, found.name) == (
        "SERVICE_SELECTOR_MISMATCH",
        "Service",
        NS,
        "cart",
    )
    wrong = next(f"{key}={value}" for key, value in selector.items() if LABELS.get(key) != value)
    assert wrong in found.title
    assert wrong in found.root_cause


@pytest.mark.parametrize(
    ("name", "selector"),
    [
        ("cart-preview", {"app": "cart-v2", "tier": "backend"}),  # another name: nobody said it is cart's
        ("cart", {"app": "cart", "role": "leader"}),  # a role that nobody has now
        ("cart", {"app": "cart", "track": "canary"}),
        ("cart", {"app": "cart", "example.com/active": "true"}),  # set on the pod that may serve
        ("cart-0", {"statefulset.kubernetes.io/pod-name": "cart-0"}),  # one Service a pod, scaled down
    ],
)
def test_a_service_that_waits_for_its_pods_is_no_finding(name: str, selector: dict[str, str]) -> None:
    assert codes(world(well(), serving(), service(name, selector))) == []


def test_a_service_whose_workload_is_scaled_to_zero_is_no_finding() -> None:
    asleep = serving({"app": "cart", "tier": "night"}, replicas=0)
    awake = serving()
    awake["metadata"]["name"] = "cart-day"
    selector = {"app": "cart", "tier": "night"}
    assert codes(world(well(), awake, asleep, service(selector=selector))) == []


def test_a_workload_with_labels_of_its_own_kind_does_not_excuse_a_wrong_selector() -> None:
    other = serving({"k8s-app": "agent"})
    other["metadata"]["name"] = "agent"
    other["spec"]["selector"] = {"matchLabels": {"k8s-app": "agent"}}
    facts = world(well(), serving(), other, service(selector={"app": "cart-v2", "tier": "backend"}))
    assert codes(facts) == ["SERVICE_SELECTOR_MISMATCH"]


def test_a_service_made_a_moment_ago_gets_time() -> None:
    young = service(selector={"app": "cart-v2"})
    young["metadata"]["creationTimestamp"] = ago(20)
    assert codes(world(well(), serving(), young)) == []


def test_a_selector_that_was_put_right_is_no_finding() -> None:
    facts = world(well(), serving(), service(selector=LABELS), endpoints={"cart": 1})
    assert codes(facts) == []


def test_pods_that_are_selected_but_not_ready_are_told_by_their_own_cause_only() -> None:
    stuck = pod(metadata={"labels": LABELS}, state={"waiting": {"reason": "ImagePullBackOff"}})
    found = codes(world(stuck, serving(), service(selector=LABELS)))
    assert len(found) == 1
    assert "SERVICE_SELECTOR_MISMATCH" not in found
