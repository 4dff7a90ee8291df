"""HorizontalPodAutoscalers planned: bounds, requests, rivals, and how far the bounds move."""

from datetime import UTC, datetime
from typing import Any

import pytest

from aiops_eks.planning.autoscaling import (
    Bounds,
    Rivals,
    bounds_of,
    change_pct,
    current_of,
    draft,
    hpa_active,
    hpa_ref,
)
from aiops_eks.planning.drafts import Around, Obj
from aiops_shared.errors import ActionRefusedError, InvalidInputError
from aiops_shared.guardrails.models import ObjectRef

TARGET = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop"}
REQUESTS = {"cpu": "100m", "memory": "64Mi"}


def around(replicas: int = 4, hpas: tuple[Obj, ...] = (), **more: Any) -> Around:
    containers = more.pop("containers", [{"name": "app", "resources": {"requests": REQUESTS}}])
    kind = more.pop("kind", "Deployment")
    obj = {
        "metadata": {"name": "shop", "namespace": "n", "annotations": more.pop("notes", {})},
        "spec": {"replicas": replicas, "template": {"spec": {"containers": containers}}},
    }
    ref = ObjectRef(cluster="c", api_version="apps/v1", kind=kind, namespace="n", name="shop")
    return Around(ref=ref, now=datetime(2026, 1, 1, tzinfo=UTC), obj=obj, hpas=hpas, **more)


def hpa(least: int, most: int, *metrics: Obj, **head: Any) -> Obj:
    spec = {"scaleTargetRef": TARGET, "minReplicas": least, "maxReplicas": most, "metrics": list(metrics)}
    return {"metadata": {"name": "scaler", "uid": "u", **head}, "spec": spec}


def aim(resource: str, pct: int) -> Obj:
    target = {"type": "Utilization", "averageUtilization": pct}
    return {"type": "Resource", "resource": {"name": resource, "target": target}}


def wanted(text: str) -> Bounds:
    return bounds_of("autoscale", text, others=False)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3-10", (3, 10, None, None)),
        ("10", (None, 10, None, None)),
        ("3-", (3, None, None, None)),
        ("3-10,cpu=70,memory=80", (3, 10, 70, 80)),
        (" 3 - 10 , cpu=70 ", (3, 10, 70, None)),
        ("cpu=60", (None, None, 60, None)),
    ],
)
def test_bounds_and_targets_are_read(text: str, expected: tuple[int | None, ...]) -> None:
    found = wanted(text)
    assert (found.least, found.most, found.cpu_pct, found.memory_pct) == expected


@pytest.mark.parametrize("text", ["", "-", "0-4", "4-0", "5-2", "3-10,", "3-10;", "x", "1e3", "3-10,cpu=0"])
def test_what_is_no_bound_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError):
        wanted(text)


def test_arguments_of_other_actions_are_refused() -> None:
    with pytest.raises(InvalidInputError):
        bounds_of("scale", "3-10", others=False)
    with pytest.raises(InvalidInputError):
        bounds_of("autoscale", "3-10", others=True)
    assert bounds_of("scale", None, others=True) == Bounds()


@pytest.mark.row("B1")
@pytest.mark.parametrize(
    ("before", "text", "pct"),
    [
        (None, "2-6", 50),
        (None, "2-7", 75),
        (None, "4", 0),
        ((2, 8), "2-12", 50),
        ((2, 8), "3-13", 63),
        ((2, 8), "1-8", 50),
        ((2, 8), "cpu=50", 0),
    ],
)
def test_how_far_the_bounds_move(before: tuple[int, int] | None, text: str, pct: int) -> None:
    held = hpa(*before, aim("cpu", 70)) if before else None
    found = around(hpas=(held,) if held else ())
    assert change_pct(found, held, draft(found, held, Rivals(), wanted(text))) == pct


def test_other_metrics_of_an_autoscaler_are_kept() -> None:
    other = {"type": "External", "external": {"metric": {"name": "queue"}}}
    held = hpa(2, 8, aim("cpu", 70), other)
    made = draft(around(hpas=(held,)), held, Rivals(), wanted("cpu=50"))
    assert made.steps[0].values == {"spec.metrics": [other, aim("cpu", 50)]}
    assert hpa_ref(around(), held).name == "scaler"


@pytest.mark.row("B18")
def test_rivals_and_leaks_are_warned_of_and_keda_is_refused() -> None:
    vpa = {"metadata": {"name": "size"}, "spec": {"targetRef": TARGET}}
    off = {
        "metadata": {"name": "quiet"},
        "spec": {"targetRef": TARGET, "updatePolicy": {"updateMode": "Off"}},
    }
    pod = {"status": {"containerStatuses": [{"lastState": {"terminated": {"reason": "OOMKilled"}}}]}}
    notes = {"argocd.argoproj.io/tracking-id": "shop-app:apps/Deployment:n/shop"}
    found = around(pods=(pod,), notes=notes)
    said = " ".join(draft(found, None, Rivals(vpas=(vpa, off)), wanted("6-9,memory=80")).warnings)
    assert "VerticalPodAutoscaler size (Recreate)" in said
    assert "quiet" not in said
    assert "a leak only grows" in said
    assert "Argo CD application shop-app" in said
    assert "2 pods are added at once" in said
    scaled = {"metadata": {"name": "queue"}, "spec": {"scaleTargetRef": {"name": "shop"}}}
    with pytest.raises(ActionRefusedError, match="ScaledObject queue"):
        draft(around(), None, Rivals(scaled_objects=(scaled,)), wanted("6"))
    owned = hpa(1, 3, ownerReferences=[{"kind": "ScaledObject", "name": "queue"}])
    with pytest.raises(ActionRefusedError, match="KEDA"):
        draft(around(hpas=(owned,)), owned, Rivals(), wanted("6"))


def test_what_an_autoscaler_would_do_nothing_for_is_refused() -> None:
    bare = around(containers=[{"name": "app", "resources": {"requests": REQUESTS}}, {"name": "proxy"}])
    with pytest.raises(ActionRefusedError, match="proxy has no cpu request"):
        draft(bare, None, Rivals(), wanted("6"))
    with pytest.raises(ActionRefusedError, match="0 replicas"):
        draft(around(0), None, Rivals(), wanted("6"))
    with pytest.raises(InvalidInputError, match="DaemonSet"):
        draft(around(kind="DaemonSet"), None, Rivals(), wanted("6"))
    with pytest.raises(InvalidInputError, match="no HPA yet"):
        draft(around(), None, Rivals(), wanted("cpu=50"))
    with pytest.raises(InvalidInputError, match="several"):
        current_of(around(hpas=(hpa(1, 2), hpa(1, 3))))
    held = hpa(5, 8, aim("cpu", 70))
    with pytest.raises(InvalidInputError, match="above max"):
        draft(around(hpas=(held,)), held, Rivals(), wanted("4"))


def test_an_autoscaler_is_watched_until_it_reads_its_metrics() -> None:
    def seen(**condition: str) -> str:
        conditions = [{"type": "ScalingActive", **condition}] if condition else []
        return hpa_active({"status": {"conditions": conditions}}).state

    assert seen() == "waiting"
    assert seen(status="False", reason="FailedGetResourceMetric") == "waiting"
    assert seen(status="True") == "met"
