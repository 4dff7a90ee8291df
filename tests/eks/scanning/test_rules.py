"""Each rule beside the standards: found where it is, silent where it is not."""

from typing import Any

import pytest
import yaml

from aiops_eks.diagnosis.scanning.placing import sheet
from aiops_eks.diagnosis.scanning.reporting import report

Obj = dict[str, Any]
SECRET = "not-a-real-one-77"  # planted


def found(*objects: Obj | str) -> dict[str, str]:
    """Rule -> where, of some objects in one file."""
    text = "---\n".join(one if isinstance(one, str) else yaml.safe_dump(one) for one in objects)
    table = report(sheet(text), "baseline", fix=False).report.findings
    return {str(row[1]): str(row[8]) for row in table.rows}


def deployment(name: str = "web", *, about: Obj | None = None, **spec: Any) -> Obj:
    labels = {"app": name}
    pod: Obj = {"containers": [{"name": "a", "image": "repo/a:1", **spec.pop("container", {})}]}
    pod |= spec.pop("pod", {})
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, **(about or {})},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
            **spec,
        },
    }


def of(kind: str, name: str = "x", version: str = "v1", **body: Any) -> Obj:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, **body}


def role(*, kind: str = "ClusterRole", **rule: Any) -> Obj:
    return of(kind, version="rbac.authorization.k8s.io/v1", rules=[{"apiGroups": [""], **rule}])


def bound(subject: Obj, name: str = "view") -> Obj:
    ref = {"kind": "ClusterRole", "name": name}
    return of("ClusterRoleBinding", version="rbac.authorization.k8s.io/v1", roleRef=ref, subjects=[subject])


def budget(**spec: Any) -> Obj:
    selector = {"matchLabels": {"app": "web"}}
    return of("PodDisruptionBudget", version="policy/v1", spec={"selector": selector, **spec})


def scaler(what: str = "cpu") -> Obj:
    metric = {
        "type": "Resource",
        "resource": {"name": what, "target": {"type": "Utilization", "averageUtilization": 50}},
    }
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    return of(
        "HorizontalPodAutoscaler",
        version="autoscaling/v2",
        spec={"scaleTargetRef": target, "maxReplicas": 3, "metrics": [metric]},
    )


INTERNET = {"service.beta.kubernetes.io/aws-load-balancer-scheme": "internet-facing"}
CASES: tuple[tuple[str, tuple[Any, ...], tuple[Any, ...]], ...] = (
    (
        "secret-in-args",
        (deployment(container={"args": ["--db-password", SECRET]}),),
        (deployment(container={"args": ["--db-password-file", "/run/secret", "--token=$(TOKEN)"]}),),
    ),
    (
        "secret-in-configmap",
        (of("ConfigMap", data={"API_TOKEN": SECRET}),),
        (of("ConfigMap", data={"API_TOKEN_FILE": "/run/t", "LEVEL": "info"}),),
    ),
    ("secret-in-manifest", (of("Secret", stringData={"k": SECRET}),), (of("Secret"),)),
    (
        "limit-below-request",
        (
            deployment(
                container={"resources": {"requests": {"memory": "1Gi"}, "limits": {"memory": "512Mi"}}}
            ),
        ),
        (deployment(container={"resources": {"requests": {"cpu": "0.1"}, "limits": {"cpu": "100m"}}}),),
    ),
    ("node-port", (of("Service", spec={"type": "NodePort"}),), (of("Service", spec={"type": "ClusterIP"}),)),
    (
        "external-ips",
        (of("Service", spec={"externalIPs": ["1.2.3.4"]}),),
        (of("Service", spec={"externalIPs": []}),),
    ),
    (
        "load-balancer-open",
        (
            {
                **of("Service", spec={"type": "LoadBalancer"}),
                "metadata": {"name": "x", "annotations": INTERNET},
            },
        ),
        (
            {
                **of("Service", spec={"type": "LoadBalancer", "loadBalancerSourceRanges": ["10.0.0.0/8"]}),
                "metadata": {"name": "x", "annotations": INTERNET},
            },
        ),
    ),
    (
        "ingress-without-tls",
        (of("Ingress", version="networking.k8s.io/v1", spec={}),),
        (of("Ingress", version="networking.k8s.io/v1", spec={"tls": [{"hosts": ["a.example"]}]}),),
    ),
    (
        "rbac-secrets",
        (role(resources=["secrets"], verbs=["list"]),),
        (
            role(resources=["secrets"], verbs=["get"], resourceNames=["one"]),
            role(kind="Role", resources=["secrets"], verbs=["list"]),
        ),
    ),
    (
        "rbac-exec",
        (role(resources=["pods/exec"], verbs=["create"]),),
        (role(resources=["pods", "pods/log"], verbs=["get"]),),
    ),
    (
        "rbac-escalation",
        (role(resources=["users"], verbs=["impersonate"]),),
        (role(resources=["roles"], verbs=["get"]),),
    ),
    (
        "rbac-cluster-admin",
        (bound({"kind": "Group", "name": "system:unauthenticated"}),),
        (bound({"kind": "Group", "name": "team"}),),
    ),
    (
        "rbac-default-account",
        (bound({"kind": "ServiceAccount", "name": "default"}),),
        (bound({"kind": "ServiceAccount", "name": "web"}),),
    ),
    ("budget-blocks", (budget(maxUnavailable=0),), (budget(maxUnavailable=1),)),
    (
        "budget-blocks",
        (deployment(replicas=2), budget(minAvailable=2)),
        (deployment(replicas=3), budget(minAvailable=2)),
    ),
    ("hpa-without-requests", (deployment(), scaler()), (deployment(), scaler("memory"))[:1]),
    (
        "hpa-without-requests",
        (deployment(container={"resources": {"requests": {"memory": "1Gi"}}}), scaler()),
        (deployment(container={"resources": {"requests": {"cpu": "1"}}}), scaler()),
    ),
    (
        "no-spread",
        (deployment(about={"namespace": "shop-prod"}, replicas=3),),
        (
            deployment(about={"namespace": "shop-dev"}, replicas=3),
            deployment("b", about={"namespace": "prod"}, replicas=2),
        ),
    ),
    ("single-replica", (deployment(),), (deployment(replicas=2),)),
    ("single-replica", (deployment(replicas=1),), (deployment(), scaler())),
    ("no-budget", (deployment(replicas=2),), (deployment(replicas=2), budget(maxUnavailable=1))),
    ("selector-mismatch", (deployment(selector={"matchLabels": {"app": "other"}}),), (deployment(),)),
    (
        "selects-nothing",
        (deployment(), of("Service", spec={"selector": {"app": "other"}})),
        (deployment(), of("Service", spec={"selector": {"app": "web"}})),
    ),
    (
        "missing-reference",
        (deployment(container={"envFrom": [{"configMapRef": {"name": "c"}}]}), of("ConfigMap", "d")),
        (deployment(container={"envFrom": [{"configMapRef": {"name": "c"}}]}), of("ConfigMap", "c")),
    ),
    (
        "no-network-policy",
        (deployment(), of("Service")),
        (deployment(), of("NetworkPolicy", version="networking.k8s.io/v1", spec={})),
    ),
    ("removed-api", (of("CronJob", version="batch/v1beta1"),), (of("CronJob", version="batch/v1"),)),
    ("invalid", (deployment(container={"image": ""}),), (deployment(),)),
    (
        "invalid",
        (deployment(container={"volumeMounts": [{"name": "v", "mountPath": "/x"}]}),),
        (deployment(),),
    ),
    ("invalid", ("kind: Pod\napiVersion: v1\nmetadata: {name: '../etc'}\nspec: {containers: []}\n",), ()),
    (
        "hidden-characters",
        (of("ConfigMap", data={"k": "user\u202e // admin"}),),
        (of("ConfigMap", data={"k": "Grüße, 東京\n\tok"}),),
    ),
    ("image-tag", (deployment(container={"image": "host:5000/app"}),), (deployment(),)),
)


@pytest.mark.row("S41")
@pytest.mark.parametrize(
    ("rule", "wrong", "right"), CASES, ids=[f"{n}-{one[0]}" for n, one in enumerate(CASES)]
)
def test_a_rule_finds_what_is_wrong_and_is_silent_otherwise(
    rule: str, wrong: tuple[Any, ...], right: tuple[Any, ...]
) -> None:
    assert rule in found(*wrong)
    assert not right or rule not in found(*right)
    assert SECRET not in str(found(*wrong))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("apiVersion: batch/v1beta1 # old\nkind: CronJob\nmetadata: {name: c}\n", "batch/v1 # old"),
        (
            (
                "apiVersion: policy/v1beta1\nkind: PodDisruptionBudget\nmetadata: {name: c}\n"
                "spec: {selector: {matchLabels: {a: b}}, maxUnavailable: 1}\n"
            ),
            "policy/v1",
        ),
        ("apiVersion: autoscaling/v2beta2\nkind: HorizontalPodAutoscaler\nmetadata: {name: c}\n", "/v2"),
    ],
)
def test_a_removed_version_is_rewritten_where_its_fields_are_the_same(old: str, new: str) -> None:
    assert new in report(sheet(old), "baseline", fix=True).report.patched


@pytest.mark.parametrize(
    "old",
    [
        "apiVersion: extensions/v1beta1\nkind: Ingress\nmetadata: {name: c}\n",
        "apiVersion: policy/v1beta1\nkind: PodDisruptionBudget\nmetadata: {name: c}\nspec: {selector: {}}\n",
        "apiVersion: apps/v1beta2\nkind: Deployment\nmetadata: {name: c}\nspec: {template: {}}\n",
    ],
)
def test_a_removed_version_whose_fields_moved_is_only_reported(old: str) -> None:
    made = report(sheet(old), "baseline", fix=True).report
    assert "removed-api" in {row[1] for row in made.findings.rows if row[4] == 0}
    assert made.patched == ""


def test_findings_say_document_line_and_json_path_also_within_a_list() -> None:
    text = (
        "# head\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\nkind: List\n"
        "apiVersion: v1\nitems:\n"
        "- apiVersion: v1\n  kind: Service\n  metadata: {name: s}\n  spec:\n    ports: []\n"
        "    type: NodePort\n"
    )
    (row,) = [
        row
        for row in report(sheet(text), "baseline", fix=False).report.findings.rows
        if row[1] == "node-port"
    ]
    assert row[5:9] == ("Service s", 2, 14, "$.items[0].spec.type")
