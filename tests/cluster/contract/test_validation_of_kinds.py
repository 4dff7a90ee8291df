"""Validation of the other kinds."""

import pytest

from tests.cluster.contract.cases import Case, check, invalid
from tests.cluster.contract.objects import (
    APPS,
    BATCH,
    BUDGETS,
    CONTAINER,
    CORE,
    NETWORK,
    RBAC,
    SCALING,
    SERVICES,
    budget,
    deployment,
    job,
    service,
)
from tests.cluster.contract.server import Server

MAKING_SERVICE = f"POST {SERVICES}"
AUTOSCALERS, CLAIMS = f"{SCALING}/horizontalpodautoscalers", f"{CORE}/persistentvolumeclaims"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


CASES = (
    Case(
        "service without ports",
        MAKING_SERVICE,
        body=service(ports=[]),
        expected=invalid("Service", "svc", ("FieldValueRequired", "spec.ports", "Required value")),
    ),
    Case(
        "service port zero", MAKING_SERVICE, body=service(ports=[{"port": 0}]), difference="rules-not-played"
    ),
    Case(
        "service unnamed ports",
        MAKING_SERVICE,
        body=service(ports=[{"port": 1}, {"port": 2}]),
        expected=invalid(
            "Service",
            "svc",
            ("FieldValueRequired", "spec.ports[0].name", "Required value"),
            ("FieldValueRequired", "spec.ports[1].name", "Required value"),
        ),
    ),
    Case(
        "service same ports",
        MAKING_SERVICE,
        body=service(ports=[{"port": 1, "name": "a"}, {"port": 1, "name": "b"}]),
        difference="rules-not-played",
    ),
    Case(
        "service type",
        MAKING_SERVICE,
        body=service(type="Maybe"),
        expected=invalid(
            "Service",
            "svc",
            (
                "FieldValueNotSupported",
                "spec.type",
                (
                    'Unsupported value: "Maybe": supported values: "ClusterIP", "ExternalName", '
                    '"LoadBalancer", "NodePort"'
                ),
            ),
        ),
    ),
    Case(
        "service name",
        MAKING_SERVICE,
        body=service("1svc"),
        expected=invalid(
            "Service",
            "1svc",
            (
                "FieldValueInvalid",
                "metadata.name",
                (
                    'Invalid value: "1svc": a DNS-1035 label must consist of lower case alphanumeric '
                    "characters or '-', start with an alphabetic character, and end with an alphanumeric "
                    "character (e.g. 'my-name',  or 'abc-123', regex used for validation is "
                    "'[a-z]([-a-z0-9]*[a-z0-9])?')"
                ),
            ),
        ),
    ),
    Case(
        "service dot",
        MAKING_SERVICE,
        body=service("a.b"),
        expected=invalid(
            "Service",
            "a.b",
            (
                "FieldValueInvalid",
                "metadata.name",
                (
                    'Invalid value: "a.b": a DNS-1035 label must consist of lower case alphanumeric '
                    "characters or '-', start with an alphabetic character, and end with an alphanumeric "
                    "character (e.g. 'my-name',  or 'abc-123', regex used for validation is "
                    "'[a-z]([-a-z0-9]*[a-z0-9])?')"
                ),
            ),
        ),
    ),
    Case(
        "service cluster ip", MAKING_SERVICE, body=service(clusterIP="1.2.3.4"), difference="rules-not-played"
    ),
    Case(
        "service external name",
        MAKING_SERVICE,
        body=service(type="ExternalName"),
        difference="rules-not-played",
    ),
    Case(
        "job restarts",
        f"POST {BATCH}/jobs",
        body=job(template={"spec": {"containers": [CONTAINER], "restartPolicy": "Always"}}),
        difference="rules-not-played",
    ),
    Case(
        "job default restarts",
        f"POST {BATCH}/jobs",
        body=job(template={"spec": {"containers": [CONTAINER]}}),
        difference="rules-not-played",
    ),
    Case(
        "job negative",
        f"POST {BATCH}/jobs",
        body=job(backoffLimit=-1),
        expected=invalid(
            "Job.batch",
            "once",
            (
                "FieldValueInvalid",
                "spec.backoffLimit",
                "Invalid value: -1: must be greater than or equal to 0",
            ),
        ),
    ),
    Case(
        "cron job schedule",
        f"POST {BATCH}/cronjobs",
        body={
            "metadata": {"name": "c"},
            "spec": {"schedule": "often", "jobTemplate": {"spec": job()["spec"]}},
        },
        difference="rules-not-played",
    ),
    Case(
        "cron job no schedule",
        f"POST {BATCH}/cronjobs",
        body={"metadata": {"name": "c"}, "spec": {"jobTemplate": {"spec": job()["spec"]}}},
        expected=invalid("CronJob.batch", "c", ("FieldValueRequired", "spec.schedule", "Required value")),
    ),
    Case(
        "cron job policy",
        f"POST {BATCH}/cronjobs",
        body={
            "metadata": {"name": "c"},
            "spec": {
                "schedule": "* * * * *",
                "concurrencyPolicy": "Maybe",
                "jobTemplate": {"spec": job()["spec"]},
            },
        },
        difference="rules-not-played",
    ),
    Case(
        "autoscaler max",
        f"POST {SCALING}/horizontalpodautoscalers",
        body={
            "metadata": {"name": "h"},
            "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "web", "apiVersion": "apps/v1"}},
        },
        difference="rules-not-played",
    ),
    Case(
        "autoscaler min over max",
        f"POST {SCALING}/horizontalpodautoscalers",
        body={
            "metadata": {"name": "h"},
            "spec": {
                "minReplicas": 3,
                "maxReplicas": 2,
                "scaleTargetRef": {"kind": "Deployment", "name": "web"},
            },
        },
        expected=invalid(
            "HorizontalPodAutoscaler.autoscaling",
            "h",
            (
                "FieldValueInvalid",
                "spec.maxReplicas",
                "Invalid value: 2: must be greater than or equal to `minReplicas`",
            ),
        ),
    ),
    Case(
        "autoscaler no target",
        f"POST {SCALING}/horizontalpodautoscalers",
        body={"metadata": {"name": "h"}, "spec": {"maxReplicas": 2}},
        expected=invalid(
            "HorizontalPodAutoscaler.autoscaling",
            "h",
            ("FieldValueRequired", "spec.scaleTargetRef.kind", "Required value"),
            ("FieldValueRequired", "spec.scaleTargetRef.name", "Required value"),
        ),
    ),
    Case(
        "budget both",
        f"POST {BUDGETS}",
        body=budget(minAvailable=1, maxUnavailable=1),
        expected=invalid(
            "PodDisruptionBudget.policy",
            "pdb",
            (
                "FieldValueInvalid",
                "spec",
                "Invalid value: DUMP: minAvailable and maxUnavailable cannot be both set",
            ),
        ),
    ),
    Case("budget negative", f"POST {BUDGETS}", body=budget(minAvailable=-1), difference="rules-not-played"),
    Case(
        "budget percent", f"POST {BUDGETS}", body=budget(minAvailable="150%"), difference="rules-not-played"
    ),
    Case(
        "claim empty",
        f"POST {CORE}/persistentvolumeclaims",
        body={"metadata": {"name": "c"}, "spec": {}},
        expected=invalid(
            "PersistentVolumeClaim",
            "c",
            ("FieldValueRequired", "spec.accessModes", "Required value: at least 1 access mode is required"),
            ("FieldValueRequired", "spec.resources[storage]", "Required value"),
        ),
    ),
    Case(
        "claim mode",
        f"POST {CORE}/persistentvolumeclaims",
        body={
            "metadata": {"name": "c"},
            "spec": {"accessModes": ["Maybe"], "resources": {"requests": {"storage": "1Gi"}}},
        },
        difference="rules-not-played",
    ),
    Case(
        "ingress empty",
        f"POST {NETWORK}/ingresses",
        body={"metadata": {"name": "i"}, "spec": {}},
        difference="rules-not-played",
    ),
    Case(
        "ingress path type",
        f"POST {NETWORK}/ingresses",
        body={
            "metadata": {"name": "i"},
            "spec": {
                "rules": [
                    {
                        "http": {
                            "paths": [
                                {"path": "/", "backend": {"service": {"name": "a", "port": {"number": 80}}}}
                            ]
                        }
                    }
                ]
            },
        },
        difference="rules-not-played",
    ),
    Case(
        "policy type",
        f"POST {NETWORK}/networkpolicies",
        body={"metadata": {"name": "n"}, "spec": {"podSelector": {}, "policyTypes": ["Maybe"]}},
        difference="rules-not-played",
    ),
    Case(
        "role verb",
        f"POST {RBAC}/namespaces/{{ns}}/roles",
        body={"metadata": {"name": "r"}, "rules": [{"resources": ["pods"], "apiGroups": [""]}]},
        difference="rules-not-played",
    ),
    Case(
        "binding kind",
        f"POST {RBAC}/namespaces/{{ns}}/rolebindings",
        body={
            "metadata": {"name": "r"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Pod", "name": "x"},
        },
        difference="rules-not-played",
    ),
    Case(
        "binding no role",
        f"POST {RBAC}/namespaces/{{ns}}/rolebindings",
        body={"metadata": {"name": "r"}},
        difference="rules-not-played",
    ),
    Case(
        "secret data",
        f"POST {CORE}/secrets",
        body={"metadata": {"name": "s"}, "data": {"a": "not base64!"}},
        difference="rules-not-played",
    ),
    Case(
        "secret tls",
        f"POST {CORE}/secrets",
        body={"metadata": {"name": "s"}, "type": "kubernetes.io/tls", "data": {}},
        difference="rules-not-played",
    ),
    Case(
        "quota",
        f"POST {CORE}/resourcequotas",
        body={"metadata": {"name": "q"}, "spec": {"hard": {"pods": "-1"}}},
        difference="rules-not-played",
    ),
    Case(
        "limit range",
        f"POST {CORE}/limitranges",
        body={
            "metadata": {"name": "l"},
            "spec": {"limits": [{"type": "Container", "min": {"cpu": "2"}, "max": {"cpu": "1"}}]},
        },
        difference="rules-not-played",
    ),
    Case(
        "storage class",
        "POST /apis/storage.k8s.io/v1/storageclasses",
        body={"metadata": {"name": "{ns}"}},
        difference="rules-not-played",
    ),
    Case(
        "priority class",
        "POST /apis/scheduling.k8s.io/v1/priorityclasses",
        body={"metadata": {"name": "{ns}"}, "value": 2000000000},
        difference="rules-not-played",
    ),
    Case(
        "priority class system",
        "POST /apis/scheduling.k8s.io/v1/priorityclasses",
        body={"metadata": {"name": "system-{ns}"}, "value": 1},
        difference="rules-not-played",
    ),
    Case(
        "namespace name",
        "POST /api/v1/namespaces",
        body={"metadata": {"name": "a.b"}},
        expected=invalid(
            "Namespace",
            "a.b",
            ("FieldValueInvalid", "metadata.name", 'Invalid value: "a.b": must not contain dots'),
        ),
    ),
    Case(
        "stateful set template",
        f"POST {APPS}/statefulsets",
        body={
            "metadata": {"name": "s"},
            "spec": {
                "selector": {"matchLabels": {"a": "b"}},
                "template": {"metadata": {"labels": {"a": "c"}}, "spec": {"containers": [CONTAINER]}},
            },
        },
        expected=invalid(
            "StatefulSet.apps",
            "s",
            (
                "FieldValueInvalid",
                "spec.template.metadata.labels",
                "Invalid value: DUMP: `selector` does not match template `labels`",
            ),
        ),
    ),
    Case(
        "daemon set surge",
        f"POST {APPS}/daemonsets",
        body={
            "metadata": {"name": "s"},
            "spec": {
                "selector": {"matchLabels": {"app": "web"}},
                "updateStrategy": {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}},
                "template": deployment()["spec"]["template"],
            },
        },
        difference="rules-not-played",
    ),
    Case(
        "definition name",
        "POST /apis/apiextensions.k8s.io/v1/customresourcedefinitions",
        body={
            "metadata": {"name": "wrong.{ns}.example.com"},
            "spec": {
                "group": "{ns}.example.com",
                "scope": "Namespaced",
                "names": {"plural": "things", "kind": "Thing"},
                "versions": [
                    {
                        "name": "v1",
                        "served": True,
                        "storage": True,
                        "schema": {"openAPIV3Schema": {"type": "object"}},
                    }
                ],
            },
        },
        expected=invalid(
            "CustomResourceDefinition.apiextensions.k8s.io",
            "wrong.{ns}.example.com",
            (
                "FieldValueInvalid",
                "metadata.name",
                'Invalid value: "wrong.{ns}.example.com": must be spec.names.plural+"."+spec.group',
            ),
        ),
    ),
    Case(
        "definition no schema",
        "POST /apis/apiextensions.k8s.io/v1/customresourcedefinitions",
        body={
            "metadata": {"name": "things.{ns}.example.com"},
            "spec": {
                "group": "{ns}.example.com",
                "scope": "Namespaced",
                "names": {"plural": "things", "kind": "Thing"},
                "versions": [{"name": "v1", "served": True, "storage": True}],
            },
        },
        difference="rules-not-played",
    ),
    Case(
        "definition no storage",
        "POST /apis/apiextensions.k8s.io/v1/customresourcedefinitions",
        body={
            "metadata": {"name": "things.{ns}.example.com"},
            "spec": {
                "group": "{ns}.example.com",
                "scope": "Namespaced",
                "names": {"plural": "things", "kind": "Thing"},
                "versions": [
                    {
                        "name": "v1",
                        "served": True,
                        "storage": False,
                        "schema": {"openAPIV3Schema": {"type": "object"}},
                    }
                ],
            },
        },
        difference="rules-not-played",
    ),
)


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_a_wrong_object_is_refused(server: Server, case: Case) -> None:
    await check(server, case)
