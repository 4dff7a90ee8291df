"""plan_workload_change(action=autoscale) through the whole stack: an HPA made, changed, undone, refused."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from aiops_lab.kube.wire import Obj as Manifest
from aiops_lab.scenarios.images import Image
from aiops_lab.scenarios.programs import serving
from aiops_lab.scenarios.shapes import autoscaler, container, deployment, http_probe, template
from tests.e2e.stage import Obj, Stage, whole

pytestmark = [pytest.mark.slow, pytest.mark.timeout(90)]
HOME, APP = "staging", "shop"
Opened = Callable[..., Any]


def definition(name: str, kind: str) -> Manifest:
    """A custom kind whose objects may hold anything."""
    plural, _, group = name.partition(".")
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": name},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": plural, "singular": kind.lower(), "kind": kind, "listKind": f"{kind}List"},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
        },
    }


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Opened:
    @asynccontextmanager
    async def open_(replicas: int = 4, **main: Any) -> AsyncIterator[Stage]:
        async with whole("healthy", 0, monkeypatch, tmp_path) as stage:
            image = stage.lab.world.publish(f"registry.example/{APP}:1", Image(serving(APP, cpu_m=80)))
            one = container("app", image, readinessProbe=http_probe(), **main)
            stage.lab.world.put(deployment(HOME, APP, replicas, template({"app": APP}, [one])))
            stage.lab.clock.advance(90)
            yield stage

    return open_


async def planned(stage: Stage, **more: Any) -> Obj:
    return await stage.plan(action="autoscale", namespace=HOME, name=APP, **more)


async def refused(stage: Stage, **more: Any) -> tuple[str, str]:
    asked = {"action": "autoscale", "namespace": HOME, "name": APP} | more
    answer = await stage.ask("plan_workload_change", **asked)
    return answer.code, answer.error


def bounds(stage: Stage) -> tuple[int, int] | None:
    found = stage.lab.store.get("HorizontalPodAutoscaler", HOME, APP)
    return (found["spec"]["minReplicas"], found["spec"]["maxReplicas"]) if found else None


@pytest.mark.row("B1")
async def test_a_new_autoscaler_near_what_runs_is_allowed_reads_its_metrics_and_is_given_back(
    opened: Opened,
) -> None:
    async with opened() as stage:
        plan = await planned(stage, autoscale="3-6")
        assert "hpa-within" in plan["verdict"]
        assert "cpu at 70 %" in plan["confirm"]
        assert plan["validation"] == "server_dry_run"
        assert bounds(stage) is None
        status = (await stage.execute(plan)).data
        assert status["state"] == "succeeded", status
        assert "ScalingActive" in str(status["steps"]["rows"])
        assert bounds(stage) == (3, 6)
        await stage.ask("undo_action", action_id=status["action_id"])
        assert (await stage.ended(status["action_id"])).data["state"] == "undone"
        assert bounds(stage) is None


@pytest.mark.row("B1")
async def test_bounds_beyond_half_need_a_person_and_bounds_within_do_not(opened: Opened) -> None:
    async with opened() as stage:
        assert "hpa-beyond" in (await planned(stage, autoscale="12"))["verdict"]
        stage.lab.world.put(autoscaler(HOME, APP, 2, 8))
        stage.lab.clock.advance(30)
        assert "hpa-beyond" in (await planned(stage, autoscale="13"))["verdict"]
        plan = await planned(stage, autoscale="12,memory=80")
        assert "hpa-within" in plan["verdict"]
        assert "Memory seldom falls" in str(plan["warnings"])
        status = (await stage.execute(plan)).data
        assert status["state"] == "succeeded", status
        found = stage.lab.store.get("HorizontalPodAutoscaler", HOME, APP)
        assert found is not None
        names = [one["resource"]["name"] for one in found["spec"]["metrics"]]
        assert (bounds(stage), names) == ((2, 12), ["cpu", "memory"])
        assert (await refused(stage, autoscale="12"))[0] == "invalid_input"
        await stage.ask("undo_action", action_id=status["action_id"])
        assert (await stage.ended(status["action_id"])).data["state"] == "undone"
        assert bounds(stage) == (2, 8)


async def test_what_cannot_be_scaled_so_is_refused_with_what_would_help(opened: Opened) -> None:
    async with opened(resources={}) as stage:
        code, said = await refused(stage, autoscale="6")
        assert (code, "no cpu request" in said, "action=resources" in said) == ("refused", True, True)
        assert (await refused(stage, name="shopp", autoscale="6"))[0] == "not_found"
        assert (await refused(stage, kind="DaemonSet", name="x", autoscale="6"))[0] == "not_found"
        for wrong in ("", "3-", "0-4", "cpu=70", "3-10,disk=5", "3-10;", "-5", "99999999"):
            assert (await refused(stage, autoscale=wrong))[0] == "invalid_input", wrong
        assert (await refused(stage, autoscale="5-2"))[0] == "invalid_input"
        assert (await refused(stage, autoscale="6", replicas=2))[0] == "invalid_input"
        assert (await refused(stage, action="scale", replicas=2, autoscale="6"))[0] == "invalid_input"
        assert stage.writes() == []


async def test_keda_and_a_vertical_autoscaler_are_seen(opened: Opened) -> None:
    async with opened() as stage:
        world, target = stage.lab.world, {"kind": "Deployment", "name": APP}
        world.put(definition("verticalpodautoscalers.autoscaling.k8s.io", "VerticalPodAutoscaler"))
        world.put(definition("scaledobjects.keda.sh", "ScaledObject"))
        world.put(
            {
                "apiVersion": "autoscaling.k8s.io/v1",
                "kind": "VerticalPodAutoscaler",
                "metadata": {"name": "right-size", "namespace": HOME},
                "spec": {"targetRef": target, "updatePolicy": {"updateMode": "Auto"}},
            }
        )
        plan = await planned(stage, autoscale="6")
        assert "VerticalPodAutoscaler right-size (Auto)" in str(plan["warnings"])
        world.put(
            {
                "apiVersion": "keda.sh/v1",
                "kind": "ScaledObject",
                "metadata": {"name": "queue", "namespace": HOME},
                "spec": {"scaleTargetRef": {"name": APP}},
            }
        )
        code, said = await refused(stage, autoscale="6")
        assert (code, "ScaledObject queue" in said) == ("refused", True)
