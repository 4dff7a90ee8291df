"""Procedures of change on their fixtures: how they end, what then stands, what was written."""

from pathlib import Path

import pytest
import yaml

from aiops_lab.scenarios.log_volume import volume
from aiops_lab.scenarios.manifests import HOME as DEV
from aiops_lab.scenarios.manifests import seed_manifest
from aiops_lab.scenarios.sop_changes import HOME as STAGING
from aiops_lab.scenarios.sop_changes import KEY, collector
from aiops_lab.scenarios.traffic_surge import surge
from aiops_lab.scenarios.usage_stories import bare, oversized
from tests.e2e.stage import Obj
from tests.sop.procedures.playing import AUTO, begun, played, states, step, written
from tests.sop.stage import Stage, operated

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
PROD = "production"
SEEDS = (0, 1)


def live(stage: Stage, kind: str, namespace: str, name: str) -> Obj:
    """An object as it is now."""
    found = stage.lab.store.get(kind, namespace, name)
    assert found is not None, f"{kind} {namespace}/{name}"
    return found


def container(stage: Stage, namespace: str, name: str) -> Obj:
    """The first container of a Deployment."""
    found: Obj = live(stage, "Deployment", namespace, name)["spec"]["template"]["spec"]["containers"][0]
    return found


@pytest.mark.row("S41")
@pytest.mark.row("S35")
@pytest.mark.row("S65")
@pytest.mark.parametrize("seed", SEEDS)
async def test_workloads_are_hardened_limited_and_sized(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, seed: int
) -> None:
    async with operated(monkeypatch, tmp_path, autonomy=AUTO) as stage:
        await _hardened(stage, seed)
        await _limited(stage, seed)
        await _sized(stage, seed)


async def _hardened(stage: Stage, seed: int) -> None:
    """F11."""
    begun(stage, "manifest-scan", seed)
    name = seed_manifest(stage.who)["metadata"]["name"]
    run = await played(stage, "manifest-security-fix", {"namespace": DEV, "name": name})
    assert run["state"] == "succeeded", run
    context = container(stage, DEV, name)["securityContext"]
    assert context == {
        "runAsNonRoot": True,
        "runAsUser": 1000,
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    assert written(stage) == [("deployments", name)]
    assert step(run, "well")["verified"]
    again = await played(stage, "manifest-security-fix", {"namespace": DEV, "name": name})
    assert states(again)["apply"] == "skipped", "nothing is left to repair"


async def _limited(stage: Stage, seed: int) -> None:
    """F12."""
    begun(stage, "unlimited-workload", seed)
    name = bare(stage.who).workload
    run = await played(stage, "add-limits-and-hpa", {"namespace": PROD, "name": name})
    assert run["state"] == "succeeded", run
    resources = container(stage, PROD, name)["resources"]
    assert {"cpu", "memory"} <= set(resources["requests"])
    assert set(resources["limits"]) == {"memory"}, "no CPU limit"
    scaler = live(stage, "HorizontalPodAutoscaler", PROD, name)["spec"]
    assert scaler["minReplicas"] < scaler["maxReplicas"]
    assert scaler["metrics"][0]["resource"]["target"]["averageUtilization"] == 70
    assert written(stage) == [("deployments", name), ("horizontalpodautoscalers", "")]
    if seed == 0:
        assert resources["requests"] == {"cpu": "250m", "memory": "448Mi"}


async def _sized(stage: Stage, seed: int) -> None:
    """F12b."""
    begun(stage, "oversized-workload", seed)
    name = oversized(stage.who).workload
    run = await played(stage, "right-sizing", {"namespace": PROD, "name": name})
    assert run["state"] == "succeeded", run
    assert step(run, "resize")["verified"], "the advice is gone"
    requests = container(stage, PROD, name)["resources"]["requests"]
    assert requests["cpu"].endswith("m")
    assert requests["memory"].endswith("Mi")
    assert written(stage) == [("deployments", name)]
    back = await stage.got("control_run", run_id=run["run_id"], action="undo")
    assert (await stage.finished(back["run_id"]))["state"] == "undone"
    assert container(stage, PROD, name)["resources"]["requests"] == {"cpu": "2", "memory": "4Gi"}


@pytest.mark.row("S16")
@pytest.mark.row("S13")
async def test_the_starter_add_ons_are_active_with_data_and_one_is_updated(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """F13, F13b."""
    async with operated(monkeypatch, tmp_path, autonomy=AUTO) as stage:
        begun(stage, "addon-inventory", 0)
        run = await played(stage, "addon-baseline", {})
        assert run["state"] == "succeeded", run
        addons = stage.lab.account.addons
        starters = ("cert-manager", "adot", "amazon-cloudwatch-observability", "eks-node-monitoring-agent")
        assert {name: addons[name].status for name in starters} == dict.fromkeys(starters, "ACTIVE")
        assert step(run, "data")["verified"]
        made = [one for one in stage.lab.aws_requests() if one.operation == "CreateAddon"]
        assert len(made) == len(starters)
        again = await played(stage, "addon-baseline", {})
        assert {states(again)[name] for name in ("certificates", "adot", "cloudwatch", "nodes")} == {
            "skipped"
        }
        newer = await played(stage, "addon-upgrade", {"addon": "vpc-cni"})
        assert newer["state"] == "succeeded", newer
        assert stage.lab.account.addons["vpc-cni"].version == "v1.20.4-eksbuild.2"
        wrong = await played(stage, "addon-upgrade", {"addon": "vpc-cni", "version": "v9.9.9-eksbuild.1"})
        assert wrong["state"] in {"refused", "escalated"}, wrong
        assert stage.lab.account.addons["vpc-cni"].version == "v1.20.4-eksbuild.2"


@pytest.mark.row("S19")
@pytest.mark.row("S45")
@pytest.mark.row("S83")
@pytest.mark.parametrize("seed", SEEDS)
async def test_telemetry_is_sent_elsewhere_and_costs_less(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, seed: int
) -> None:
    async with operated(monkeypatch, tmp_path, autonomy=AUTO) as stage:
        await _switched(stage, seed)
        await _quieter(stage, seed)


async def _switched(stage: Stage, seed: int) -> None:
    """F15: only exporters change, secrets stay names, and a no changes nothing."""
    begun(stage, "telemetry-collector", seed)
    name = collector(stage.who)
    params = {"namespace": STAGING, "config_map": name, "key": KEY, "collector": name, "target": "datadog"}
    old = yaml.safe_load(live(stage, "ConfigMap", STAGING, name)["data"][KEY])
    declined = await played(stage, "telemetry-backend-switch", params, answers={"secrets": "no"})
    assert declined["state"] == "escalated", declined
    assert written(stage) == []
    run = await played(stage, "telemetry-backend-switch", params)
    assert run["state"] == "succeeded", run
    text = live(stage, "ConfigMap", STAGING, name)["data"][KEY]
    new = yaml.safe_load(text)
    assert "# where they go" in text
    assert {**new, "exporters": 0, "service": 0} == {**old, "exporters": 0, "service": 0}
    assert set(new["exporters"]) == {"datadog"}
    assert new["exporters"]["datadog"]["api"]["key"] == "${env:DD_API_KEY}"
    assert written(stage) == [("configmaps", name), ("deployments", name)]


async def _quieter(stage: Stage, seed: int) -> None:
    """F10e, F19b."""
    begun(stage, "log-volume", seed)
    talker = volume(seed).service
    run = await played(stage, "observability-cost-tuning", {})
    assert run["state"] == "succeeded", run
    levels = {one["name"]: one.get("value") for one in container(stage, PROD, talker).get("env", [])}
    assert levels["LOG_LEVEL"] == "info"
    assert written(stage) == [("deployments", talker)]
    begun(stage, "observability-cost", seed)
    told = await played(stage, "observability-cost-tuning", {})
    assert told["state"] == "succeeded", told
    assert "never queried" in step(told, "tell")["output"]["text"]
    assert written(stage) == [], "no metric is dropped"


@pytest.mark.row("S21")
async def test_metrics_move_when_both_places_agree(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """F15."""
    queries = [
        "sum(container_memory_working_set_bytes) by (namespace)",
        "sum(rate(container_cpu_usage_seconds_total[5m])) by (namespace)",
        "count(kube_pod_info) by (namespace)",
        "min(node_filesystem_avail_bytes)",
    ]
    async with operated(monkeypatch, tmp_path, autonomy=AUTO) as stage:
        begun(stage, "healthy", 0)
        run = await played(stage, "amp-migration", {"queries": queries})
        assert run["state"] == "succeeded", run
        assert run["human_inputs"] >= 3
        assert all(step(run, f"parity[{place}]")["verified"] for place in range(len(queries)))
        lone = await played(stage, "amp-migration", {"queries": ["sum(nowhere_total)"]})
        assert lone["state"] == "escalated", "two empty answers agree about nothing"
        assert states(lone).get("cutover", "pending") == "pending"
        assert written(stage) == []


@pytest.mark.row("S49")
@pytest.mark.row("S51")
async def test_a_spec_stands_on_measured_numbers_or_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """F14, F14b."""
    async with operated(monkeypatch, tmp_path, autonomy=AUTO) as stage:
        begun(stage, "traffic-surge", 0)
        params = {"namespace": PROD, "name": surge(stage.who).service}
        run = await played(stage, "autoscaling-spec", params)
        assert run["state"] == "succeeded", run
        files = [one["path"] for name in ("files", "spec") for one in step(run, name)["output"]["files"]]
        for name in ("requirements.md", "design.md", "tasks.md", "hpa.yaml"):
            assert any(path.endswith(name) for path in files), files
        begun(stage, "traffic-surge-new", 0)
        thin = await played(stage, "autoscaling-spec", {**params, "cluster": "my-cluster"})
        assert thin["state"] == "escalated", thin
        assert "insufficient_data" in str(thin["summary"])
        assert written(stage) == []
