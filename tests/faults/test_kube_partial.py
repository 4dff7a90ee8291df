"""Fault R21 and half-broken API servers: what still answers is answered, what does not is named."""

from pathlib import Path
from typing import Any

import anyio
import pytest
import yaml

from aiops_lab.kube.faults import Fault
from aiops_shared.errors import KindUnknownError, UpstreamError
from tests.e2e.stage import client_on, lab_environment, settings_on, whole
from tests.faults.kube_scripts import PODS, RecordedPace
from tests.lab_fixture import running_lab
from tests.shared.http.wire_server import Reply, Seen, as_json, status
from tests.shared.kube.fake_api import fake_api, pod, pod_list

pytestmark = pytest.mark.fault("R21")
SPACE = "production"
DOWN = status(503, "ServiceUnavailable", "the server is currently unable to handle the request")


def without(*paths: str) -> Any:
    """A server on which these paths fail."""

    def answer(seen: Seen) -> Reply | None:
        if seen.path in paths:
            return DOWN
        return as_json(pod_list(pod("a"))) if seen.path == PODS else None

    return answer


async def test_with_half_of_the_groups_down_the_rest_is_found_and_the_missing_are_named() -> None:
    down = without("/apis/metrics.k8s.io/v1beta1", "/apis/apps/v1")
    async with fake_api(down, pace=RecordedPace()) as (api, _):
        assert (await api.kind("clusterroles")).group == "rbac.authorization.k8s.io"
        assert len((await api.list("pods", "shop")).items) == 1
        assert await api.silent() == ("metrics.k8s.io/v1beta1", "apps/v1")
        with pytest.raises(
            KindUnknownError, match=r"these API groups did not answer: metrics\.k8s\.io/v1beta1, apps/v1"
        ):
            await api.list("deployments")


async def test_with_all_named_groups_down_the_core_kinds_still_answer() -> None:
    async with fake_api(without("/apis"), pace=RecordedPace()) as (api, _):
        assert len((await api.list("pods", "shop")).items) == 1
        with pytest.raises(KindUnknownError, match="did not answer: all groups but the core one"):
            await api.kind("deployments")


async def test_with_discovery_down_altogether_the_error_is_the_servers() -> None:
    async with fake_api(without("/api"), pace=RecordedPace()) as (api, _):
        with pytest.raises(UpstreamError, match="discovery: HTTP 503"):
            await api.kind("pods")


async def test_a_group_that_comes_back_is_found_without_a_restart() -> None:
    down = ["/apis/apps/v1"]
    async with fake_api(lambda seen: without(*down)(seen), pace=RecordedPace()) as (api, _):
        assert await api.silent() == ("apps/v1",)
        down.clear()
        api._discovery._monotonic = lambda: 1e9  # half a minute later
        assert (await api.kind("deployments")).group == "apps"


@pytest.mark.parametrize("path", ["/apis", "/apis/apps/v1"])
async def test_kinds_that_were_known_stay_known_when_discovery_is_not_answered_again(path: str) -> None:
    """Found by throttling half of all requests under a run: a rollback's undo was stopped by it."""
    down: list[str] = []
    async with fake_api(lambda seen: without(*down)(seen), pace=RecordedPace()) as (api, _):
        known = await api.kind("deployments")
        down.append(path)
        api._discovery._monotonic = lambda: 1e9  # it is old and read again
        assert await api.silent() != ()
        assert await api.kind("deployments") == known


async def test_an_aggregated_api_that_is_stale_in_one_answer_for_all_is_named() -> None:
    """As kube-apiserver lists an APIService that is down (apidiscovery.k8s.io/v2, freshness Stale)."""

    def group(name: str, version: dict[str, Any]) -> dict[str, Any]:
        return {"metadata": {"name": name}, "versions": [version]}

    pods = {"resource": "pods", "responseKind": {"kind": "Pod"}, "scope": "Namespaced", "verbs": ["list"]}
    core = group("", {"version": "v1", "resources": [pods], "freshness": "Current"})
    stale = group("metrics.k8s.io", {"version": "v1beta1", "resources": [], "freshness": "Stale"})

    def answer(seen: Seen) -> Reply | None:
        items = {"/api": [core], "/apis": [stale]}.get(seen.path)
        if items is None:
            return as_json(pod_list(pod("a"))) if seen.path == PODS else None
        return as_json({"kind": "APIGroupDiscoveryList", "items": items})

    async with fake_api(answer) as (api, _):
        assert len((await api.list("pods", "shop")).items) == 1
        assert await api.silent() == ("metrics.k8s.io/v1beta1",)


async def test_one_namespace_of_many_that_fails_is_one_plain_error_of_ours() -> None:
    every = {"metadata": {}, "items": [{"metadata": {"name": f"n{n}"}} for n in range(20)]}

    def answer(seen: Seen) -> Reply | None:
        if seen.path == "/api/v1/namespaces":
            return as_json(every)
        if seen.path == "/api/v1/namespaces/n13/pods":
            return Reply(b"<html>", content_type="text/html")
        table = {"kind": "Table", "columnDefinitions": [{"name": "Name"}], "rows": [{"cells": ["a"]}]}
        return as_json(table) if seen.path.endswith("/pods") else None

    async with fake_api(answer) as (api, _):
        with pytest.raises(UpstreamError, match="list of pods in n13"):
            await api.table("pods")


# From the tool down.


@pytest.mark.slow
@pytest.mark.timeout(60)
async def test_a_diagnosis_without_metrics_answers_from_the_rest_and_names_the_source(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with whole("oom-raise-limits", 0, monkeypatch, tmp_path) as stage:
        stage.lab.set_faults([Fault("error", times=None, status=503, path_contains="/metrics.k8s.io/")])
        found = await stage.got("diagnose", namespace=SPACE)
        assert found["findings"][0]["code"].startswith("OOM"), found["findings"]
        gaps = " ".join(found["coverage_gaps"])
        assert "pods.metrics.k8s.io" in gaps, found
        refused = await stage.ask("list_resources", kind="pods.metrics.k8s.io", namespace=SPACE)
        assert refused.code == "upstream_error", refused.text
        assert "the API group metrics.k8s.io does not answer" in refused.text


@pytest.mark.slow
@pytest.mark.timeout(60)
@pytest.mark.parametrize("group", ["apps", "batch", "discovery.k8s.io"])
async def test_a_diagnosis_with_one_group_down_says_what_it_did_not_see(
    group: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with whole("oom-raise-limits", 0, monkeypatch, tmp_path) as stage:
        stage.lab.set_faults([Fault("wrong_type", times=None, path_contains=f"/apis/{group}/")])
        found = await stage.got("diagnose", namespace=SPACE)
        assert found["findings"], found
        kinds = {"apps": "Deployment", "batch": "Job", "discovery.k8s.io": "EndpointSlice"}
        assert any(gap.startswith(kinds[group]) for gap in found["coverage_gaps"]), found["coverage_gaps"]


@pytest.mark.slow
@pytest.mark.timeout(60)
async def test_with_one_of_three_clusters_down_the_others_are_listed_and_the_missing_one_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with running_lab("healthy") as lab:
        lab_environment(lab, monkeypatch)
        config = yaml.safe_load(await anyio.Path(lab.export()["KUBECONFIG"]).read_text("utf-8"))
        first = config["contexts"][0]["context"]
        config["contexts"] = [{"name": name, "context": first} for name in ("blue", "green")]
        nowhere = {"name": "nowhere", "cluster": {"server": "https://127.0.0.1:9"}}
        config["clusters"].append(nowhere)
        config["contexts"].append({"name": "red", "context": {**first, "cluster": "nowhere"}})
        config["current-context"] = "blue"
        path = tmp_path / "kubeconfig.yaml"
        path.write_text(yaml.safe_dump(config))
        monkeypatch.setenv("KUBECONFIG", str(path))
        table = tmp_path / "clusters.yaml"
        rows = [{"name": name, "context": name} for name in ("blue", "green", "red")]
        table.write_text(yaml.safe_dump({"clusters": rows}))
        settings = settings_on(lab, tmp_path, clusters_file=table)
        async with client_on(lab, settings, None) as client:
            listed = (await client.call_tool("list_clusters", {})).structured_content or {}
            rows_of = {row[0]: row for row in listed["clusters"]["rows"]}
            assert set(rows_of) == {"blue", "green", "red"}
            assert "no connection" in str(rows_of["red"])
            assert "not reachable: red" in listed["summary"]
            pods = await client.call_tool("list_resources", {"cluster": "green", "kind": "Pod"})
            assert (pods.structured_content or {})["total"] > 0
            gone = await client.call_tool(
                "list_resources", {"cluster": "red", "kind": "Pod"}, raise_on_error=False
            )
            assert "[unreachable]" in str(gone.content)
