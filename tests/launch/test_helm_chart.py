"""The Helm chart: what it renders, what it refuses, and what our own scan says of it."""

from pathlib import Path
from typing import Any

import pytest

from aiops_eks.diagnosis.scanning.scan import scan
from tests.contracts.repository import ROOT
from tests.launch.charts import CHART, ChartRefusedError, Obj, Rendered, render
from tests.launch.values import EVERYTHING, HA, TRY

pytestmark = [pytest.mark.slow, pytest.mark.row("S29"), pytest.mark.timeout(300)]  # the first builds


def pods(rendered: Rendered) -> dict[str, Obj]:
    """Component -> spec of its pods."""
    return {
        one["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/component"]: one["spec"]["template"][
            "spec"
        ]
        for one in rendered.of("Deployment")
    }


def said(rendered: Rendered) -> list[tuple[str, str, str]]:
    """Severity, rule and object of what the scan finds, but what a manifest alone cannot show."""
    return sorted(
        {
            (one.check.severity, one.check.rule, rendered.objects[one.number]["metadata"]["name"])
            for one in scan(rendered.objects, "restricted")
            if one.check.severity != "info"
        }
    )


def test_for_a_try_one_pod_listens_on_its_loopback_and_needs_nothing_else(tmp_path: Path) -> None:
    rendered = render(tmp_path, TRY)
    (spec,) = pods(rendered).values()
    (container,) = spec["containers"]
    (settings,) = rendered.of("ConfigMap")
    assert settings["data"]["AIOPS_HTTP_HOST"] == "127.0.0.1"
    assert settings["data"]["AIOPS_WRITE"] == "false"
    assert container["args"] == ["gateway", "--http"]
    assert container["readinessProbe"]["exec"]["command"][:2] == ["eks-aiops", "healthcheck"]
    assert not rendered.of("Service")
    assert rendered.of("NetworkPolicy")[0]["spec"]["ingress"] == []
    assert "port-forward" in rendered.notes
    assert "GONE WITH THE POD" in rendered.notes
    roles = {one["metadata"]["name"] for one in rendered.of("ClusterRole")}
    assert roles == {f"aiops-eks-aiops-{server}-read" for server in ("cost", "eks", "observability")}


def test_for_use_three_replicas_share_a_store_and_survive_drains(tmp_path: Path) -> None:
    rendered = render(tmp_path, "values-ha.yaml", HA)
    gateway = pods(rendered)["gateway"]
    (container,) = gateway["containers"]
    env = {one["name"]: one for one in container["env"]}
    assert env["AIOPS_STATE_URL"]["valueFrom"]["secretKeyRef"] == {"name": "aiops-postgres", "key": "url"}
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "mcp"}
    drain_s = float(rendered.of("ConfigMap")[0]["data"]["AIOPS_HTTP_DRAIN_S"])
    assert gateway["terminationGracePeriodSeconds"] > drain_s + 5
    assert {one["topologyKey"] for one in gateway["topologySpreadConstraints"]} == {
        "topology.kubernetes.io/zone",
        "kubernetes.io/hostname",
    }
    (scaler,) = rendered.of("HorizontalPodAutoscaler")
    assert scaler["spec"]["minReplicas"] == 3
    assert len(rendered.of("PodDisruptionBudget")) == 2
    assert rendered.of("Service")


def test_the_key_reaches_the_server_as_a_file_of_its_user_alone(tmp_path: Path) -> None:
    """The product refuses a key that a group can read, which every file of a Secret volume is."""
    for spec in pods(render(tmp_path, "values-ha.yaml", HA)).values():
        (copied,) = spec["initContainers"]
        (container,) = spec["containers"]
        assert copied["command"][:3] == ["install", "-m", "0600"]
        env = {one["name"]: one.get("value") for one in container["env"]}
        assert copied["command"][-1] == env["AIOPS_STATE_KEY_FILE"]
        assert "key-secret" not in {one["name"] for one in container["volumeMounts"]}


def test_only_the_forwarder_may_read_secrets(tmp_path: Path) -> None:
    rendered = render(tmp_path, "values-ha.yaml", EVERYTHING)
    allowed = {
        one["metadata"]["name"]
        for one in rendered.of("ClusterRole")
        for rule in one["rules"]
        if "secrets" in rule.get("resources", ())
    }
    assert allowed == {"aiops-eks-aiops-eks-forward", "aiops-eks-aiops-eks-secrets"}
    for binding in rendered.of("ClusterRoleBinding"):
        if binding["roleRef"]["name"] in allowed:
            assert [one["name"] for one in binding["subjects"]] == ["aiops-eks-aiops-forwarder"]
    assert pods(rendered)["forwarder"]["serviceAccountName"] == "aiops-eks-aiops-forwarder"
    assert pods(rendered)["eks"]["serviceAccountName"] == "aiops-eks-aiops"


def test_every_server_of_its_own_is_known_to_the_sop_server(tmp_path: Path) -> None:
    rendered = render(tmp_path, "values-ha.yaml", EVERYTHING)
    assert set(pods(rendered)) == {"eks", "observability", "cost", "sop", "worker", "forwarder"}
    settings = rendered.of("ConfigMap")[0]["data"]
    services = {one["metadata"]["name"] for one in rendered.of("Service")}
    for server in ("eks", "observability", "cost"):
        host = settings[f"AIOPS_SOP_{server.upper()}_URL"].removeprefix("http://").partition(":")[0]
        assert host in services
        assert host in settings["AIOPS_HTTP_ALLOWED_HOSTS"].split(",")
    for kind in ("Ingress", "HTTPRoute", "ServiceMonitor"):
        assert len(rendered.of(kind)) == 1


def test_our_own_scan_finds_nothing_in_it_but_what_was_asked_for(tmp_path: Path) -> None:
    assert said(render(tmp_path, TRY)) == []
    assert said(render(tmp_path, "values-ha.yaml", HA)) == []
    assert said(render(tmp_path, "values-ha.yaml", EVERYTHING)) == [
        ("high", "rbac-escalation", "aiops-eks-aiops-impersonate"),
        ("high", "rbac-secrets", "aiops-eks-aiops-eks-forward"),
        ("high", "rbac-secrets", "aiops-eks-aiops-eks-secrets"),
        ("medium", "no-readiness-probe", "aiops-eks-aiops-forwarder"),
    ]


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({}, "image.repository: say where you pushed the image"),
        ({**TRY, "replicas": 3}, "replicas: more than one replica, or autoscaling, needs a shared store"),
        ({**TRY, "autoscaling": {"enabled": True}}, "needs a shared store"),
        ({**TRY, "worker": {"enabled": True}}, "share one store"),
        ({**TRY, "mode": "servers"}, "share one store"),
        ({**TRY, "ingress": {"enabled": True}}, "auth.issuer: without an issuer of tokens"),
        ({**TRY, "auth": {"issuer": "https://a"}}, "auth.publicUrl: say the URL"),
        ({**TRY, "auth": {"issuer": "http://a"}}, "/auth/issuer"),
        ({**TRY, "rbac": {"execute": True}}, "rbac.execute: rights to change are given while AIOPS_WRITE"),
        ({"image": {"repository": "a", "tag": "latest"}}, "/image/tag"),
        ({**TRY, "replica": 2}, "additional properties 'replica' not allowed"),
        ({**TRY, "settings": {"AIOPS_WRITE": True}}, "got boolean, want string"),
        ({**TRY, "worker": {"eventsPort": 8790}}, "worker.eventsPort: POST /events asks its senders"),
        (
            {**TRY, "state": {"existingClaim": "a", "postgres": {"existingSecret": "b"}}},
            "state.existingClaim",
        ),
    ],
)
def test_what_cannot_work_is_refused_with_a_sentence(
    tmp_path: Path, values: dict[str, Any], says: str
) -> None:
    with pytest.raises(ChartRefusedError, match=says.replace("/", "/?").replace(".", r"\.")):
        render(tmp_path, values)


def test_the_chart_has_the_version_of_the_package_and_its_rights() -> None:
    from importlib.metadata import version

    assert f"appVersion: {version('eks-aiops')}\n" in (CHART / "Chart.yaml").read_text(encoding="utf-8")
    generated = {one.name: one.read_bytes() for one in (ROOT / "deploy" / "rbac").glob("*.yaml")}
    assert {one.name: one.read_bytes() for one in (CHART / "rbac").iterdir()} == generated
