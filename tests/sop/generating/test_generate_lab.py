"""generate_config through the whole suite: F12, F6 and its negatives, F14, what is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from aiops_lab.kube.admission.webhooks import WebhookAnswer
from aiops_lab.kube.wire import Obj as KubeObj
from aiops_lab.scenarios.traffic_surge import surge
from aiops_lab.scenarios.usage_stories import bare, oversized
from aiops_sop.analysis.configs.reasons import numbers
from bench.tokens import tokens
from eks_aiops.generating import texts
from tests.e2e.stage import Obj
from tests.sop.stage import Stage, operated

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(200),
    pytest.mark.filterwarnings("ignore:open_binary is deprecated:DeprecationWarning"),
]
SURGE_KINDS = ["hpa_schedule", "placeholder", "nodepool"]


async def made(stage: Stage, workload: str, *kinds: str, **more: Any) -> Obj:
    return await stage.got(
        "generate_config",
        **{"workload": workload, "namespace": "production", "kinds": list(kinds), "detail": "full"} | more,
    )


def told(answer: Obj) -> dict[str, Any]:
    """The YAML objects by file name."""
    files = {one["path"].rpartition("/")[2]: one["content"] for one in answer["files"]}
    return {name: yaml.safe_load(text) for name, text in files.items() if name.endswith(".yaml")}


def unsourced(answer: Obj) -> dict[str, list[str]]:
    """Numbers of each file that no row of the rationale names."""
    rows = answer["rationale"]["rows"]
    found = {}
    for file in answer["files"]:
        known = {number for row in rows if row[0] == file["path"] for number in numbers(row[1])}
        if lost := [one for one in numbers(file["content"]) if one not in known]:
            found[file["path"]] = lost
    return found


@pytest.mark.row("S35")
async def test_requests_and_an_autoscaler_come_from_use_and_are_dry_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with operated(monkeypatch, tmp_path, "unlimited-workload") as stage:
        for seed in (0, 4):
            stage.play("unlimited-workload", seed)
            name = bare(stage.who).workload
            answer = await made(stage, name, "resources", "hpa")
            assert unsourced(answer) == {}
            assert [file["valid"] for file in answer["files"]] == [True, True]
            assert all("server_dry_run" in file["checked"] for file in answer["files"])
            assert not stage.lab.requests.writes()
            objects = told(answer)
            (one,) = objects["resources.yaml"]["spec"]["template"]["spec"]["containers"]
            hpa = objects["hpa.yaml"]["spec"]
            assert hpa["metrics"][0]["resource"]["target"]["averageUtilization"] == 70
            assert 2 <= hpa["minReplicas"] < hpa["maxReplicas"]
            if seed == 0:
                assert one["resources"]["requests"] == {"cpu": "250m", "memory": "448Mi"}
                assert 512 <= int(one["resources"]["limits"]["memory"].removesuffix("Mi")) <= 576
            assert "## Rollback" in answer["pull_request"]["body"]
            short = await stage.got(
                "generate_config",
                workload=f"deployment/{name}",
                namespace="production",
                kinds="resources,hpa",
            )
            assert tokens(json.dumps(short, separators=(",", ":"))) <= 1500
            assert set(texts(answer)) >= {f"{name}/resources.yaml", "rationale.csv", "PULL_REQUEST.md"}
        stage.play("oversized-workload")
        answer = await made(stage, oversized(stage.who).workload, "resources")
        assert any("in place" in one for one in answer["decisions"])
        (one,) = told(answer)["resources.yaml"]["spec"]["template"]["spec"]["containers"]
        assert one["resources"]["requests"]["cpu"] == "170m"
        assert one["resources"]["requests"]["memory"] in {"576Mi", "608Mi"}


@pytest.mark.row("S35")
async def test_what_the_api_server_refuses_is_reported_and_not_returned_as_good(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with operated(monkeypatch, tmp_path, "unlimited-workload") as stage:
        name = bare(stage.who).workload
        _forbid(stage, name)
        answer = await made(stage, name, "resources")
        assert answer["files"][0].get("valid") is False, answer["files"][0]["checked"]
        assert "the API server refuses" in answer["files"][0]["checked"]
        assert answer["summary"].startswith("NOT valid")
        assert answer["pull_request"]["body"].count("Do not merge") == 1
        assert texts(answer) == {}
        missing = await stage.ask(
            "generate_config", workload="nobody", namespace="production", kinds=["resources"]
        )
        assert missing.code == "not_found"
        wrong = [("kinds", []), ("kinds", ["resource"]), ("workload", "job/x"), ("workload", "../x")]
        for word, bad in wrong:
            ask = {"workload": "web", "namespace": "production", "kinds": ["hpa"]} | {word: bad}
            refused = await stage.ask("generate_config", **ask)
            assert refused.code == "invalid_input", bad


def _forbid(stage: Stage, service: str) -> None:
    """An admission webhook that denies every change of a Deployment."""
    stage.lab.world.answer_webhooks("production", service, WebhookAnswer(denied="sizes are frozen"))
    hook: KubeObj = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "sizes"},
        "webhooks": [
            {
                "name": "sizes.example.com",
                "clientConfig": {
                    "service": {"namespace": "production", "name": service, "path": "/", "port": 80}
                },
                "rules": [
                    {
                        "apiGroups": ["apps"],
                        "apiVersions": ["v1"],
                        "operations": ["UPDATE", "CREATE"],
                        "resources": ["deployments"],
                    }
                ],
                "failurePolicy": "Fail",
                "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
            }
        ],
    }
    stage.lab.store.create(hook, manager="kubectl")


@pytest.mark.row("S71")
@pytest.mark.row("S51")
async def test_a_surge_is_prepared_and_what_only_looks_like_one_is_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with operated(monkeypatch, tmp_path, "traffic-surge") as stage:
        answer = await made(stage, "shop", *SURGE_KINDS)
        assert unsourced(answer) == {}
        assert all(file["valid"] for file in answer["files"])
        objects = told(answer)
        assert objects["hpa-schedule-raise.yaml"]["spec"]["schedule"] == "30 8 * * 1"
        assert objects["hpa-schedule-revert.yaml"]["spec"]["schedule"] == "0 11 * * 1"
        assert objects["placeholder-priority.yaml"]["value"] == -10
        assert objects["placeholder.yaml"]["spec"]["replicas"] == 9
        assert int(objects["nodepool-limit.yaml"]["spec"]["limits"]["cpu"]) >= 40
        said = " ".join(answer["decisions"])
        assert "minReplicas 4 -> 13 at Mon 08:30" in said
        assert "limits.cpu 32 ->" in said
        assert "If the surge does not come" in said
        short = await stage.got("generate_config", workload="shop", namespace="production", kinds=SURGE_KINDS)
        assert tokens(json.dumps(short, separators=(",", ":"))) <= 1500
        assert "detail=full" in short["hint"]
        stage.play("traffic-surge-once", 2)
        once = await made(stage, surge(stage.who).service, "hpa_schedule")
        assert once.get("files", []) == []
        assert once["summary"].startswith("Nothing to prepare")
        stage.play("traffic-surge-new", 1)
        ask = {"workload": surge(stage.who).service, "namespace": "production"}
        thin = await stage.ask("generate_config", **ask, kinds=["hpa_schedule"])
        assert thin.code == "insufficient_data"
        assert ">= 2 full weeks" in thin.error
        stage.play("traffic-surge-day", 1)
        ask = {"workload": surge(stage.who).service, "namespace": "production"}
        day = await stage.ask("generate_config", **ask, kinds=["spec"])
        assert day.code == "insufficient_data"
        for word in ("cpu", "memory", "requests_total", "errors"):
            assert word in day.error


@pytest.mark.row("S50")
@pytest.mark.row("B36")
async def test_a_spec_has_requirements_in_ears_and_its_yaml_and_every_number_a_source(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with operated(monkeypatch, tmp_path, "traffic-surge") as stage:
        answer = await made(stage, "shop", "spec")
        assert unsourced(answer) == {}
        names = {file["path"].rpartition("/")[2] for file in answer["files"]}
        assert names >= {"requirements.md", "design.md", "tasks.md", "hpa.yaml", "nodepool.yaml"}
        objects = told(answer)
        wants = {one["key"]: one["values"] for one in _requirements(objects["nodepool.yaml"])}
        assert wants["topology.kubernetes.io/zone"] == ["us-east-1a", "us-east-1b", "us-east-1c"]
        assert wants["karpenter.k8s.aws/instance-category"] == ["c"]
        alerts = [one["alert"] for one in objects["alarms-rules.yaml"]["groups"][0]["rules"]]
        assert sum("BudgetBurn" in one for one in alerts) == 4
        text = next(file["content"] for file in answer["files"] if file["path"].endswith("requirements.md"))
        lines = [line for line in text.splitlines() if line.startswith("- **REQ")]
        assert len(lines) >= 7
        assert all(" SHALL " in line for line in lines)
        found = await stage.client.read_resource("spec://production.shop/design")
        assert "# Design" in str(found[0])


def _requirements(pool: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pool["spec"]["template"]["spec"]["requirements"]
    return found
