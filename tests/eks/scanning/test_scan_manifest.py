"""scan_manifest as a client sees it: F11, its further cases, and what it refuses."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from fastmcp import Client, FastMCP
from fastmcp.exceptions import ToolError

from aiops_eks.clients.scan_rules import RuleFiles
from aiops_eks.diagnosis.result import Ask
from aiops_eks.diagnosis.scanning.checking import Policy
from aiops_eks.diagnosis.scanning.scan import CHECKS, scan
from aiops_eks.tools.manifests import ManifestTools
from aiops_shared.errors import NotConfiguredError, NotFoundError
from aiops_shared.kube.manifests import load_manifests

SEED = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: shopfront
  labels: {app: shopfront}
spec:
  replicas: 2
  selector:
    matchLabels: {app: shopfront}
  template:
    metadata:
      labels: {app: shopfront}
    spec:
      containers:
        - name: app
          image: shopfront:latest
          securityContext:
            runAsUser: 0
"""
HARDENED = {
    "runAsNonRoot": True,
    "runAsUser": 1000,
    "readOnlyRootFilesystem": True,
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
}


class NoCluster:
    """Nothing is live."""

    async def live(self, ask: Ask) -> dict[str, Any]:
        raise NotFoundError(f"{ask.kind} {ask.name}", "not found", "nearest: none")


async def scanned(**arguments: Any) -> dict[str, Any]:
    server = FastMCP("eks")
    for tool in ManifestTools(NoCluster()).tools():
        server.add_tool(tool)
    async with Client(server) as client:
        answer = await client.call_tool("scan_manifest", arguments)
    found: dict[str, Any] = answer.structured_content or {}
    return found


def findings(report: dict[str, Any]) -> list[dict[str, Any]]:
    table = report["findings"]
    return [dict(zip(table["columns"], row, strict=True)) for row in table.get("rows", [])]


def rules(report: dict[str, Any]) -> set[str]:
    return {finding["rule"] for finding in findings(report)}


def pod_manifest(container: dict[str, Any] | None = None, kind: str = "Pod", **spec: Any) -> str:
    main = {"name": "app", "image": "repo/app:1.0", **(container or {})}
    obj = {
        "apiVersion": "v1",
        "kind": kind,
        "metadata": {"name": "one"},
        "spec": {"containers": [main], **spec},
    }
    return yaml.safe_dump(obj)


@pytest.mark.row("S41")
async def test_the_seed_deployment_has_every_expected_finding() -> None:
    report = await scanned(manifest=SEED)
    severities = {finding["rule"]: finding["severity"] for finding in findings(report)}
    assert severities["runs-as-root"] == "high"
    assert severities["image-tag"] == "medium"
    assert {
        "may-run-as-root",
        "writable-root",
        "privilege-escalation",
        "capabilities",
        "no-requests",
        "no-limits",
        "no-readiness-probe",
        "no-liveness-probe",
        "no-seccomp",
        "default-token",
    } <= set(severities)
    assert findings(report)[0]["path"] == "$.spec.template.spec.containers[0].securityContext.runAsUser"
    assert any("pod-security-standards" in source for source in report["sources"])
    assert report["patched"] == ""


@pytest.mark.row("S41")
@pytest.mark.row("S36")
async def test_the_patched_context_is_exactly_the_five_settings_and_a_second_scan_has_nothing_high() -> None:
    report = await scanned(manifest=SEED, fix=True)
    (patched,) = load_manifests(report["patched"])
    spec = patched["spec"]["template"]["spec"]
    assert spec["containers"][0]["securityContext"] == HARDENED
    assert list(spec["containers"][0]["securityContext"]) == list(HARDENED)
    assert spec["securityContext"] == {"seccompProfile": {"type": "RuntimeDefault"}}
    assert {"name": "tmp", "emptyDir": {}} in spec["volumes"]
    assert any("/tmp" in note for note in report["notes"])
    assert (report["remaining_high"], report["rounds"]) == (0, 1)
    again = await scanned(manifest=report["patched"])
    assert {finding["severity"] for finding in findings(again)} <= {"medium", "info"}
    assert sum(f["count"] for f in findings(again)) == report["remaining"]


async def test_the_patch_keeps_the_order_and_everything_that_was_right() -> None:
    report = await scanned(manifest=SEED, fix=True)
    (before,), (after,) = load_manifests(SEED), load_manifests(report["patched"])
    assert list(after) == list(before)
    assert after["metadata"] == before["metadata"]
    assert after["spec"]["replicas"] == 2
    assert after["spec"]["template"]["spec"]["containers"][0]["image"] == "shopfront:latest"


async def test_a_hardened_manifest_is_clean_and_says_what_was_looked_at() -> None:
    probe = {"httpGet": {"path": "/", "port": 8080}}
    sizes = {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "64Mi"}}
    container = {
        "securityContext": HARDENED,
        "resources": sizes,
        "readinessProbe": probe,
        "livenessProbe": probe,
    }
    clean = pod_manifest(
        container,
        securityContext={"seccompProfile": {"type": "RuntimeDefault"}},
        automountServiceAccountToken=False,
    )
    report = await scanned(manifest=clean)
    assert findings(report) == []
    assert report["hint"]


@pytest.mark.parametrize(
    ("manifest", "rule", "severity"),
    [
        (pod_manifest({"securityContext": {"privileged": True}}), "privileged", "critical"),
        (pod_manifest(hostNetwork=True), "host-namespace", "high"),
        (pod_manifest(volumes=[{"name": "v", "hostPath": {"path": "/"}}]), "host-path", "high"),
        (pod_manifest({"ports": [{"containerPort": 80, "hostPort": 80}]}), "host-port", "medium"),
        (
            pod_manifest({"securityContext": {"capabilities": {"add": ["SYS_ADMIN"]}}}),
            "capabilities-added",
            "high",
        ),
        (pod_manifest(securityContext={"seccompProfile": {"type": "Unconfined"}}), "seccomp-off", "high"),
        (pod_manifest(securityContext={"sysctls": [{"name": "kernel.msgmax"}]}), "unsafe-sysctl", "high"),
        (
            pod_manifest(volumes=[{"name": "v", "nfs": {"server": "s", "path": "/"}}]),
            "volume-type",
            "medium",
        ),
        (pod_manifest(securityContext={"runAsUser": 0}), "runs-as-root", "high"),
        (
            pod_manifest({"env": [{"name": "DB_PASSWORD", "value": "not-a-real-one-77"}]}),
            "secret-in-env",
            "high",
        ),
        (
            "kind: ClusterRole\nmetadata: {name: r}\nrules: [{resources: ['*'], verbs: ['*']}]",
            "rbac-wildcard",
            "high",
        ),
        (
            "kind: ClusterRoleBinding\nmetadata: {name: b}\nroleRef: {name: cluster-admin}",
            "rbac-cluster-admin",
            "critical",
        ),
        (
            "kind: Service\nmetadata: {name: s}\nspec: {type: LoadBalancer, ports: [{port: 80}]}",
            "load-balancer-scheme",
            "medium",
        ),
        (
            "kind: ConfigMap\nmetadata: {name: c}\ndata: {API_TOKEN: not-a-real-one-77}",
            "secret-in-configmap",
            "high",
        ),
    ],
)
async def test_each_further_case_is_found(manifest: str, rule: str, severity: str) -> None:
    report = await scanned(manifest=manifest)
    assert (rule, severity) in {(f["rule"], f["severity"]) for f in findings(report)}


async def test_init_containers_and_cronjobs_are_looked_into() -> None:
    inner = {"containers": [{"name": "a", "image": "x:1", "securityContext": {"privileged": True}}]}
    cron = {
        "kind": "CronJob",
        "metadata": {"name": "c"},
        "spec": {
            "jobTemplate": {"spec": {"template": {"spec": {**inner, "initContainers": inner["containers"]}}}}
        },
    }
    report = await scanned(manifest=yaml.safe_dump(cron))
    (found,) = [f for f in findings(report) if f["rule"] == "privileged"]
    assert found["count"] == 2
    assert {found["path"], found["more"]} == {
        f"$.spec.jobTemplate.spec.template.spec.{role}[0].securityContext.privileged"
        for role in ("containers", "initContainers")
    }


@pytest.mark.threat("T6")
async def test_a_secret_in_env_is_never_repeated_and_the_patch_reads_it_from_a_secret() -> None:
    canary = "not-a-real-one-77"
    env = [{"name": "DB_PASSWORD", "value": canary}, {"name": "LOG_LEVEL", "value": "info"}]
    report = await scanned(manifest=pod_manifest({"env": env}), fix=True)
    assert canary not in str(report)
    patched = load_manifests(report["patched"])[0]["spec"]["containers"][0]["env"]
    assert patched[0]["valueFrom"]["secretKeyRef"] == {"name": "one-env", "key": "DB_PASSWORD"}
    assert patched[1] == env[1]
    assert any("make the Secret one-env" in note for note in report["notes"])


async def test_the_baseline_policy_leaves_the_restricted_rules_out() -> None:
    restricted, baseline = await scanned(manifest=SEED), await scanned(manifest=SEED, policy="baseline")
    assert rules(restricted) - rules(baseline) == {
        "runs-as-root",
        "may-run-as-root",
        "privilege-escalation",
        "capabilities",
        "no-seccomp",
    }


async def test_what_needs_knowledge_is_left_and_said() -> None:
    report = await scanned(
        manifest=pod_manifest(volumes=[{"name": "v", "hostPath": {"path": "/"}}]), fix=True
    )
    left = {f["rule"] for f in findings(report) if not f["fixed"]}
    assert {"host-path", "no-limits"} <= left
    assert report["remaining_high"] == 1


async def test_every_object_of_a_list_and_of_500_documents_is_scanned_within_a_bounded_answer() -> None:
    items = {"kind": "List", "items": [yaml.safe_load(pod_manifest()), yaml.safe_load(SEED)]}
    assert (await scanned(manifest=yaml.safe_dump(items)))["objects"] == 2
    many = "---\n".join(SEED for _ in range(510))
    report = await scanned(manifest=many, fix=True)
    assert report["objects"] == 500
    assert report["truncated"]
    assert findings(report)[0]["count"] == 500
    assert findings(report)[0]["more"] == "lines 37, 56, 75 and 496 more"
    assert len(findings(report)) < 25
    assert "10 more documents" in report["warnings"][0]
    assert len(str(report)) < 40_000


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({}, "nothing to scan"),
        ({"manifest": SEED, "kind": "Pod", "name": "x"}, "both a manifest and a name"),
        ({"kind": "Pod"}, "nothing to scan"),
        ({"manifest": "a: [1"}, r"line \d: does not parse"),
        ({"manifest": "a: 1\na: 2"}, "line 2"),
        ({"manifest": "just text"}, "no mapping"),
        ({"manifest": "apiVersion: v1"}, "has no kind"),
        ({"kind": "Pod", "name": "nobody"}, "not found"),
    ],
)
async def test_what_cannot_be_scanned_is_refused_with_what_to_do(
    arguments: dict[str, Any], says: str
) -> None:
    with pytest.raises(ToolError, match=says):
        await scanned(**arguments)


@pytest.mark.parametrize(
    "broken",
    [
        "kind: Pod\nspec: 5",
        "kind: Deployment\nspec: {template: []}",
        "kind: Pod\nspec: {containers: {a: b}}",
        "kind: Pod\nspec: {containers: [1, null, {name: 3, securityContext: x, env: y, ports: z}]}",
        "kind: Role\nrules: {verbs: 1}",
        "kind: Service\nspec: {type: [LoadBalancer]}\nmetadata: []",
        "kind: Pod\nspec: {containers: [{image: 5, env: [{name: [1], value: {a: b}}]}], volumes: [null, {}]}",
    ],
)
async def test_misshapen_objects_are_scanned_without_a_crash(broken: str) -> None:
    report = await scanned(manifest=broken, fix=True)
    assert report["objects"] == 1


def test_every_rule_names_its_source_and_its_fix() -> None:
    assert all(check.source.startswith("https://") and check.fix for check in CHECKS)


def test_a_repair_never_changes_what_was_sent() -> None:
    documents = load_manifests(SEED)
    before = load_manifests(SEED)
    scan(documents, "restricted")
    assert documents == before


async def test_the_organisations_rules_reach_the_tool_and_custom_without_rules_says_what_to_set(
    tmp_path: Path,
) -> None:
    with pytest.raises(NotConfiguredError, match="AIOPS_SCAN_RULES_DIR"):
        await ManifestTools(NoCluster()).scan_manifest(manifest=SEED, policy="custom")
    tools = ManifestTools(NoCluster(), rules=RuleFiles(tmp_path))
    rule = "name: acme\nrules:\n  - {id: two, expression: object.spec.replicas > 2, message: too few}\n"
    (tmp_path / "acme.yaml").write_text(rule, encoding="utf-8")
    policies: tuple[Policy, ...] = ("custom", "baseline", "restricted")
    for policy in policies:
        report = await tools.scan_manifest(manifest=SEED, policy=policy)
        assert "acme/two" in {row[1] for row in report.findings.rows}
    (tmp_path / "acme.yaml").write_text(rule.replace("> 2", ">> 2"), encoding="utf-8")
    with pytest.raises(NotConfiguredError, match=r"acme\.yaml, line 3: two does not compile"):
        await tools.scan_manifest(manifest=SEED)
