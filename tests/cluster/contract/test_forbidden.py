"""403 in the words that clients parse, for every verb, and impersonation."""

import pytest

from tests.cluster.contract.cases import Case, check, forbidden, plain, refused
from tests.cluster.contract.objects import CORE, DEPLOYMENTS, MAPS, PODS, config_map
from tests.cluster.contract.server import APPLY, MERGE, Server

CASES = (
    Case("list", f"GET {PODS}", who="aiops-reader", expected=forbidden("list", "pods")),
    Case(
        "list across",
        "GET /api/v1/pods",
        who="aiops-reader",
        expected=forbidden("list", "pods", where="at the cluster scope"),
    ),
    Case(
        "get",
        f"GET {DEPLOYMENTS}/web",
        who="aiops-reader",
        expected=forbidden("get", "deployments", "web", group="apps"),
    ),
    Case("watch", f"GET {PODS}?watch=1", who="aiops-reader", expected=forbidden("watch", "pods")),
    Case(
        "list of one name",
        f"GET {PODS}?fieldSelector=metadata.name%3Dp",
        who="aiops-reader",
        expected=forbidden("list", "pods", "p"),
    ),
    Case("log", f"GET {PODS}/p/log", who="aiops-reader", expected=forbidden("get", "pods/log", "p")),
    Case(
        "evict",
        f"POST {PODS}/p/eviction",
        body={},
        who="aiops-reader",
        expected=forbidden("create", "pods/eviction", "p"),
    ),
    Case(
        "exec",
        f"POST {PODS}/p/exec?command=ls",
        who="aiops-reader",
        expected=forbidden("create", "pods/exec", "p"),
    ),
    Case(
        "portforward get",
        f"GET {PODS}/p/portforward",
        who="aiops-reader",
        expected=forbidden("get", "pods/portforward", "p"),
    ),
    Case(
        "create",
        f"POST {MAPS}",
        body=config_map(),
        who="aiops-reader",
        expected=forbidden("create", "configmaps"),
    ),
    Case(
        "dry run",
        f"POST {MAPS}?dryRun=All",
        body=config_map(),
        who="aiops-reader",
        expected=forbidden("create", "configmaps"),
    ),
    Case(
        "update",
        f"PUT {MAPS}/cm",
        body=config_map(),
        who="aiops-reader",
        expected=forbidden("update", "configmaps", "cm"),
    ),
    Case(
        "patch",
        f"PATCH {MAPS}/cm",
        body={},
        sent_as=MERGE,
        who="aiops-reader",
        expected=forbidden("patch", "configmaps", "cm"),
    ),
    Case(
        "apply",
        f"PATCH {MAPS}/cm",
        body={},
        sent_as=APPLY,
        who="aiops-reader",
        expected=forbidden("patch", "configmaps", "cm"),
    ),
    Case("delete", f"DELETE {MAPS}/cm", who="aiops-reader", expected=forbidden("delete", "configmaps", "cm")),
    Case(
        "deletecollection",
        f"DELETE {MAPS}",
        who="aiops-reader",
        expected=forbidden("deletecollection", "configmaps"),
    ),
    Case(
        "patch scale",
        f"PATCH {DEPLOYMENTS}/web/scale",
        body={},
        sent_as=MERGE,
        who="aiops-reader",
        expected=forbidden("patch", "deployments/scale", "web", group="apps"),
    ),
    Case(
        "update status",
        f"PUT {DEPLOYMENTS}/web/status",
        body={},
        who="aiops-reader",
        expected=forbidden("update", "deployments/status", "web", group="apps"),
    ),
    Case(
        "node",
        "GET /api/v1/nodes/n",
        who="aiops-reader",
        expected=forbidden("get", "nodes", "n", where="at the cluster scope"),
    ),
    Case(
        "nodes",
        "GET /api/v1/nodes",
        who="aiops-reader",
        expected=forbidden("list", "nodes", where="at the cluster scope"),
    ),
    Case(
        "namespace",
        "GET /api/v1/namespaces/{ns}",
        who="aiops-reader",
        expected=forbidden("get", "namespaces", "{ns}"),
    ),
    Case(
        "create namespace",
        "POST /api/v1/namespaces",
        body={},
        who="aiops-reader",
        expected=forbidden("create", "namespaces", where="at the cluster scope"),
    ),
    Case(
        "delete namespace",
        "DELETE /api/v1/namespaces/{ns}",
        who="aiops-reader",
        expected=forbidden("delete", "namespaces", "{ns}"),
    ),
    Case(
        "unknown kind in a known group",
        "GET /api/v1/namespaces/{ns}/nopes",
        who="aiops-reader",
        expected=forbidden("list", "nopes"),
    ),
    Case(
        "unknown group",
        "GET /apis/example.com/v1/namespaces/{ns}/nopes",
        who="aiops-reader",
        expected=forbidden("list", "nopes", group="example.com"),
    ),
    Case(
        "unknown path",
        "GET /nope",
        who="aiops-reader",
        expected=refused(403, "Forbidden", 'forbidden: User "aiops-reader" cannot get path "/nope"', {}),
    ),
    Case(
        "metrics path",
        "GET /metrics",
        who="aiops-reader",
        expected=refused(403, "Forbidden", 'forbidden: User "aiops-reader" cannot get path "/metrics"', {}),
    ),
    Case(
        "logs path",
        "GET /logs",
        who="aiops-reader",
        expected=refused(403, "Forbidden", 'forbidden: User "aiops-reader" cannot get path "/logs"', {}),
    ),
    Case(
        "token",
        f"POST {CORE}/serviceaccounts/robot/token",
        body={},
        who="aiops-reader",
        expected=forbidden("create", "serviceaccounts/token", "robot"),
    ),
    Case(
        "bind",
        f"POST {PODS}/p/binding",
        body={},
        who="aiops-reader",
        expected=forbidden("create", "pods/binding", "p"),
    ),
    Case(
        "node proxy",
        "GET /api/v1/nodes/n/proxy/stats/summary",
        who="aiops-reader",
        expected=forbidden("get", "nodes/proxy", "n", where="at the cluster scope"),
    ),
    Case(
        "impersonate user",
        f"GET {PODS}",
        headers={"impersonate-user": "alice"},
        who="aiops-reader",
        expected=forbidden("impersonate", "users", "alice", where="at the cluster scope"),
    ),
    Case(
        "impersonate group",
        f"GET {PODS}",
        headers={"impersonate-group": "system:masters"},
        who="aiops-reader",
        expected=plain(
            500,
            (
                'Internal Server Error: "/api/v1/namespaces/{ns}/pods": requested [{Group  '
                "system:masters    }] without impersonating a user\n"
            ),
        ),
    ),
    Case(
        "impersonate account",
        f"GET {PODS}",
        headers={"impersonate-user": "system:serviceaccount:kube-system:x"},
        who="aiops-reader",
        expected=forbidden("impersonate", "serviceaccounts", "x", where='in the namespace "kube-system"'),
    ),
    Case(
        "impersonated alice",
        f"GET {PODS}",
        headers={"impersonate-user": "alice"},
        expected=forbidden("list", "pods", user="alice"),
    ),
    Case(
        "impersonated account",
        f"GET {PODS}",
        headers={"impersonate-user": "system:serviceaccount:{ns}:robot"},
        expected=forbidden("list", "pods", user="system:serviceaccount:{ns}:robot"),
    ),
    Case(
        "impersonate group alone",
        f"GET {PODS}",
        headers={"impersonate-group": "a"},
        expected=plain(
            500,
            (
                'Internal Server Error: "/api/v1/namespaces/{ns}/pods": requested [{Group  a    }] '
                "without impersonating a user\n"
            ),
        ),
    ),
    Case(
        "impersonate uid alone",
        f"GET {PODS}",
        headers={"impersonate-uid": "a"},
        expected=plain(
            500,
            (
                'Internal Server Error: "/api/v1/namespaces/{ns}/pods": requested [{UID  a  '
                "authentication.k8s.io/v1  }] without impersonating a user\n"
            ),
        ),
    ),
    Case(
        "impersonated anonymous",
        f"GET {PODS}",
        headers={"impersonate-user": "system:anonymous"},
        expected=forbidden("list", "pods", user="system:anonymous"),
    ),
)


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_without_a_right(server: Server, case: Case) -> None:
    await check(server, case)
