"""Fault R2 on a real kube-apiserver: the answer to a change is lost before or after it was carried out."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.control_plane import ControlPlane
from tests.cluster.product.breaking_proxy import Lost, breaking_proxy
from tests.cluster.product.objects import config_map, deployment
from tests.cluster.product.stage import Product, product
from tests.e2e.stage import Obj

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180), pytest.mark.fault("R2")]
WEB = "/apis/apps/v1/namespaces/{ns}/deployments/web"
CHANGES = ["scale", "apply", "delete", "evict"]
LOST: list[Lost] = ["before", "after"]


async def planned(stage: Product, change: str) -> Obj:
    await stage.make(deployment())
    await stage.until(WEB, "status", "readyReplicas", value=2)
    match change:
        case "scale":
            return await stage.plan(name="web", action="scale", replicas=3)
        case "apply":
            body = {**config_map(), "metadata": {"name": "settings", "namespace": stage.namespace}}
            return await stage.got("plan_manifest", action="apply", manifest=json.dumps(body))
    listed = await stage.got("list_resources", kind="Pod", namespace=stage.namespace)
    name: Any = listed["resources"]["rows"][0][0]
    return await stage.got(
        "plan_manifest", action=change, kind="Pod", namespace=stage.namespace, name=str(name)
    )


@pytest.mark.parametrize("lost", LOST)
@pytest.mark.parametrize("change", CHANGES)
async def test_a_change_whose_answer_is_lost_reaches_the_server_once_and_succeeds(
    change: str, lost: Lost, whole: ControlPlane, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with (
        breaking_proxy(whole, tmp_path) as proxy,
        product(whole, monkeypatch, tmp_path, kubeconfig=proxy.kubeconfig("aiops-executor")) as stage,
    ):
        plan = await planned(stage, change)
        assert stage.writes() == []
        proxy.lose.append(lost)
        done = await stage.execute(plan)
        assert len(proxy.lost) == 1
        assert not done.error, done.text
        assert done.data["state"] == "succeeded", done.data
        # Lost before: the server saw the second attempt alone. Lost after: there was no second attempt.
        assert len(stage.effects()) == 1
        assert proxy.lose == []
