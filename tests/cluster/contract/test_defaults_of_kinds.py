"""What a server fills in: the other kinds."""

import pytest

from tests.cluster.contract.defaults import named, shown
from tests.cluster.contract.objects import BUDGETS, CORE, NETWORK, SCALING, SERVICES, budget, service
from tests.cluster.contract.server import Obj, Server

CASES: tuple[tuple[str, str, Obj, Obj], ...] = (
    (
        "service",
        SERVICES,
        service(),
        {
            "metadata": {},
            "spec": {
                "ports": [{"protocol": "TCP", "port": 80, "targetPort": 80}],
                "selector": {"app": "web"},
                "clusterIP": "ALLOCATED",
                "clusterIPs": "ALLOCATED",
                "type": "ClusterIP",
                "sessionAffinity": "None",
                "ipFamilies": ["IPv4"],
                "ipFamilyPolicy": "SingleStack",
                "internalTrafficPolicy": "Cluster",
            },
        },
    ),
    (
        "headless_service",
        SERVICES,
        named("hl", spec={"clusterIP": "None", "selector": {"a": "b"}}),
        {
            "metadata": {},
            "spec": {
                "selector": {"a": "b"},
                "clusterIP": "None",
                "clusterIPs": ["None"],
                "type": "ClusterIP",
                "sessionAffinity": "None",
                "ipFamilies": ["IPv4"],
                "ipFamilyPolicy": "SingleStack",
                "internalTrafficPolicy": "Cluster",
            },
        },
    ),
    (
        "node_port_service",
        SERVICES,
        service("np", type="NodePort"),
        {
            "metadata": {},
            "spec": {
                "ports": [{"protocol": "TCP", "port": 80, "targetPort": 80, "nodePort": "ALLOCATED"}],
                "selector": {"app": "web"},
                "clusterIP": "ALLOCATED",
                "clusterIPs": "ALLOCATED",
                "type": "NodePort",
                "sessionAffinity": "None",
                "externalTrafficPolicy": "Cluster",
                "ipFamilies": ["IPv4"],
                "ipFamilyPolicy": "SingleStack",
                "internalTrafficPolicy": "Cluster",
            },
        },
    ),
    (
        "external_name_service",
        SERVICES,
        named("ext", spec={"type": "ExternalName", "externalName": "a.example.com"}),
        {
            "metadata": {},
            "spec": {"type": "ExternalName", "sessionAffinity": "None", "externalName": "a.example.com"},
        },
    ),
    (
        "autoscaler",
        f"{SCALING}/horizontalpodautoscalers",
        named(
            "h",
            spec={
                "maxReplicas": 3,
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            },
        ),
        {
            "metadata": {},
            "spec": {
                "scaleTargetRef": {"kind": "Deployment", "name": "web", "apiVersion": "apps/v1"},
                "minReplicas": 1,
                "maxReplicas": 3,
                "metrics": [
                    {
                        "type": "Resource",
                        "resource": {
                            "name": "cpu",
                            "target": {"type": "Utilization", "averageUtilization": 80},
                        },
                    }
                ],
            },
        },
    ),
    (
        "disruption_budget",
        BUDGETS,
        budget(),
        {
            "metadata": {"generation": 1},
            "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "p"}}},
        },
    ),
    (
        "volume_claim",
        f"{CORE}/persistentvolumeclaims",
        named("pvc", spec={"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}),
        {
            "metadata": {},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "1Gi"}},
                "volumeMode": "Filesystem",
            },
        },
    ),
    (
        "ingress",
        f"{NETWORK}/ingresses",
        named(
            "i",
            spec={
                "rules": [
                    {
                        "http": {
                            "paths": [
                                {
                                    "path": "/",
                                    "pathType": "Prefix",
                                    "backend": {"service": {"name": "a", "port": {"number": 80}}},
                                }
                            ]
                        }
                    }
                ]
            },
        ),
        {
            "metadata": {"generation": 1},
            "spec": {
                "rules": [
                    {
                        "http": {
                            "paths": [
                                {
                                    "path": "/",
                                    "pathType": "Prefix",
                                    "backend": {"service": {"name": "a", "port": {"number": 80}}},
                                }
                            ]
                        }
                    }
                ]
            },
        },
    ),
    (
        "network_policy",
        f"{NETWORK}/networkpolicies",
        named("np", spec={"podSelector": {}}),
        {"metadata": {"generation": 1}, "spec": {"podSelector": {}, "policyTypes": ["Ingress"]}},
    ),
    (
        "storage_class",
        "/apis/storage.k8s.io/v1/storageclasses",
        named("{ns}", provisioner="example.com/x"),
        {
            "metadata": {},
            "provisioner": "example.com/x",
            "reclaimPolicy": "Delete",
            "volumeBindingMode": "Immediate",
        },
    ),
    (
        "resource_quota",
        f"{CORE}/resourcequotas",
        named("q", spec={"hard": {"pods": "5"}}),
        {"metadata": {}, "spec": {"hard": {"pods": "5"}}},
    ),
    (
        "limit_range",
        f"{CORE}/limitranges",
        named("l", spec={"limits": [{"type": "Container", "max": {"cpu": "1"}}]}),
        {
            "metadata": {},
            "spec": {
                "limits": [
                    {
                        "type": "Container",
                        "max": {"cpu": "1"},
                        "default": {"cpu": "1"},
                        "defaultRequest": {"cpu": "1"},
                    }
                ]
            },
        },
    ),
    (
        "priority_class",
        "/apis/scheduling.k8s.io/v1/priorityclasses",
        named("{ns}", value=5),
        {"metadata": {"generation": 1}, "value": 5, "preemptionPolicy": "PreemptLowerPriority"},
    ),
    (
        "secret",
        f"{CORE}/secrets",
        named("s", stringData={"a": "b"}),
        {"metadata": {}, "data": {"a": "Yg=="}, "type": "Opaque"},
    ),
    ("service_account", f"{CORE}/serviceaccounts", named("sa"), {"metadata": {}}),
    (
        "validating_webhooks",
        "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
        named(
            "{ns}",
            webhooks=[
                {
                    "name": "a.example.com",
                    "sideEffects": "None",
                    "admissionReviewVersions": ["v1"],
                    "clientConfig": {"service": {"name": "a", "namespace": "b"}},
                    "rules": [
                        {
                            "apiGroups": ["nobody.example.com"],
                            "apiVersions": ["v1"],
                            "resources": ["things"],
                            "operations": ["CREATE"],
                        }
                    ],
                }
            ],
        ),
        {
            "metadata": {"generation": 1},
            "webhooks": [
                {
                    "name": "a.example.com",
                    "clientConfig": {"service": {"namespace": "b", "name": "a", "port": 443}},
                    "rules": [
                        {
                            "operations": ["CREATE"],
                            "apiGroups": ["nobody.example.com"],
                            "apiVersions": ["v1"],
                            "resources": ["things"],
                            "scope": "*",
                        }
                    ],
                    "failurePolicy": "Fail",
                    "matchPolicy": "Equivalent",
                    "namespaceSelector": {},
                    "objectSelector": {},
                    "sideEffects": "None",
                    "timeoutSeconds": 10,
                    "admissionReviewVersions": ["v1"],
                }
            ],
        },
    ),
    (
        "mutating_webhooks",
        "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations",
        named(
            "{ns}",
            webhooks=[
                {
                    "name": "a.example.com",
                    "sideEffects": "None",
                    "admissionReviewVersions": ["v1"],
                    "clientConfig": {"service": {"name": "a", "namespace": "b"}},
                    "rules": [
                        {
                            "apiGroups": ["nobody.example.com"],
                            "apiVersions": ["v1"],
                            "resources": ["things"],
                            "operations": ["CREATE"],
                        }
                    ],
                }
            ],
        ),
        {
            "metadata": {"generation": 1},
            "webhooks": [
                {
                    "name": "a.example.com",
                    "clientConfig": {"service": {"namespace": "b", "name": "a", "port": 443}},
                    "rules": [
                        {
                            "operations": ["CREATE"],
                            "apiGroups": ["nobody.example.com"],
                            "apiVersions": ["v1"],
                            "resources": ["things"],
                            "scope": "*",
                        }
                    ],
                    "failurePolicy": "Fail",
                    "matchPolicy": "Equivalent",
                    "namespaceSelector": {},
                    "objectSelector": {},
                    "sideEffects": "None",
                    "timeoutSeconds": 10,
                    "admissionReviewVersions": ["v1"],
                    "reinvocationPolicy": "Never",
                }
            ],
        },
    ),
)


@pytest.mark.parametrize(
    ("path", "body", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
async def test_an_object_is_completed(server: Server, path: str, body: Obj, expected: Obj) -> None:
    answer = await server.ask(f"POST {path}", body)
    assert answer.code == 201, answer.body
    assert shown(answer.masked) == expected


async def test_a_volume_claim_is_protected_while_it_is_used(server: Server) -> None:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    made = await server.made(f"{CORE}/persistentvolumeclaims", named("pvc", spec=spec))
    assert made["metadata"].get("finalizers") == server.differing("claim-protection")
