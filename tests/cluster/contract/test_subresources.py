"""scale, status, binding, token and reviews."""

import pytest

from tests.cluster.contract.cases import NO_SUCH_PATH, NOT_ALLOWED, Case, check, done, invalid, refused
from tests.cluster.contract.objects import APPS, CORE, DEPLOYMENTS, PODS
from tests.cluster.contract.server import JSON, MERGE, STRATEGIC, Server

CASES = (
    Case(
        "scale of nothing",
        f"GET {DEPLOYMENTS}/ghost/scale",
        expected=refused(
            404,
            "NotFound",
            'deployments.apps "ghost" not found',
            {"name": "ghost", "group": "apps", "kind": "deployments"},
        ),
    ),
    Case(
        "scale negative",
        f"PUT {DEPLOYMENTS}/web/scale",
        body={"metadata": {"name": "web"}, "spec": {"replicas": -1}},
        given=("deployment",),
        expected=invalid(
            "Scale.autoscaling",
            "web",
            ("FieldValueInvalid", "spec.replicas", "Invalid value: -1: must be greater than or equal to 0"),
        ),
    ),
    Case(
        "scale text",
        f"PUT {DEPLOYMENTS}/web/scale",
        body={"metadata": {"name": "web"}, "spec": {"replicas": "x"}},
        given=("deployment",),
        expected=refused(
            400,
            "BadRequest",
            (
                'Scale in version "v1" cannot be handled as a Scale: json: cannot unmarshal string '
                "into Go struct field ScaleSpec.spec.replicas of type int32"
            ),
        ),
    ),
    Case(
        "scale no name",
        f"PUT {DEPLOYMENTS}/web/scale",
        body={"spec": {"replicas": 2}},
        given=("deployment",),
        expected=refused(
            400,
            "BadRequest",
            "the name of the object (web based on URL) was undeterminable: name must be provided",
        ),
    ),
    Case(
        "scale another name",
        f"PUT {DEPLOYMENTS}/web/scale",
        body={"metadata": {"name": "other"}, "spec": {"replicas": 2}},
        given=("deployment",),
        expected=refused(
            400, "BadRequest", "the name of the object (other) does not match the name on the URL (web)"
        ),
    ),
    Case(
        "scale stale",
        f"PUT {DEPLOYMENTS}/web/scale",
        body={"metadata": {"name": "web", "resourceVersion": "1"}, "spec": {"replicas": 2}},
        given=("deployment",),
        expected=refused(
            409,
            "Conflict",
            (
                'Operation cannot be fulfilled on deployments.apps "web": the object has been '
                "modified; please apply your changes to the latest version and try again"
            ),
            {"name": "web", "group": "apps", "kind": "deployments"},
        ),
    ),
    Case(
        "scale uid",
        f"PUT {DEPLOYMENTS}/web/scale",
        body={"metadata": {"name": "web", "uid": "no"}, "spec": {"replicas": 2}},
        given=("deployment",),
        expected=refused(
            409,
            "Conflict",
            (
                'Operation cannot be fulfilled on deployments.apps "web": StorageError: invalid '
                "object, Code: 4, Key: /registry/deployments/{ns}/web, ResourceVersion: 0, "
                "AdditionalErrorMsg: Precondition failed: UID in precondition: no, UID in object "
                "meta: UID"
            ),
            {"name": "web", "group": "apps", "kind": "deployments"},
        ),
    ),
    Case(
        "scale kind",
        f"PUT {DEPLOYMENTS}/web/scale",
        body={"kind": "Deployment", "apiVersion": "apps/v1", "metadata": {"name": "web"}},
        given=("deployment",),
        expected=refused(
            400,
            "BadRequest",
            (
                'Deployment in version "v1" cannot be handled as a Scale: converting (v1.Deployment) '
                "to (autoscaling.Scale): unknown conversion"
            ),
        ),
    ),
    Case(
        "scale patch stale",
        f"PATCH {DEPLOYMENTS}/web/scale",
        body={"metadata": {"resourceVersion": "1"}, "spec": {"replicas": 2}},
        given=("deployment",),
        sent_as=MERGE,
        expected=refused(
            409,
            "Conflict",
            (
                'Operation cannot be fulfilled on deployments.apps "web": the object has been '
                "modified; please apply your changes to the latest version and try again"
            ),
            {"name": "web", "group": "apps", "kind": "deployments"},
        ),
    ),
    Case(
        "scale patch negative",
        f"PATCH {DEPLOYMENTS}/web/scale",
        body={"spec": {"replicas": -2}},
        given=("deployment",),
        sent_as=MERGE,
        expected=invalid(
            "Scale.autoscaling",
            "web",
            ("FieldValueInvalid", "spec.replicas", "Invalid value: -2: must be greater than or equal to 0"),
        ),
    ),
    Case(
        "scale patch type",
        f"PATCH {DEPLOYMENTS}/web/scale",
        body={},
        given=("deployment",),
        sent_as=JSON,
        expected=refused(415, "UnsupportedMediaType", "415: Unsupported Media Type", {}),
    ),
    Case("scale post", f"POST {DEPLOYMENTS}/web/scale", body={}, given=("deployment",), expected=NOT_ALLOWED),
    Case("scale delete", f"DELETE {DEPLOYMENTS}/web/scale", given=("deployment",), expected=NOT_ALLOWED),
    Case("scale of a daemon set", f"GET {APPS}/daemonsets/x/scale", expected=NO_SUCH_PATH),
    Case(
        "status of nothing",
        f"GET {DEPLOYMENTS}/ghost/status",
        expected=refused(
            404,
            "NotFound",
            'deployments.apps "ghost" not found',
            {"name": "ghost", "group": "apps", "kind": "deployments"},
        ),
    ),
    Case(
        "status post", f"POST {DEPLOYMENTS}/web/status", body={}, given=("deployment",), expected=NOT_ALLOWED
    ),
    Case("status delete", f"DELETE {DEPLOYMENTS}/web/status", given=("deployment",), expected=NOT_ALLOWED),
    Case(
        "binding",
        f"POST {PODS}/p/binding",
        body={
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": "p"},
            "target": {"kind": "Node", "name": "n1"},
        },
        given=("pod",),
        expected=done(201, kind="Status"),
    ),
    Case(
        "binding twice",
        f"POST {PODS}/p/binding",
        body={
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": "p"},
            "target": {"kind": "Node", "name": "n2"},
        },
        given=("placed pod",),
        expected=refused(
            409,
            "Conflict",
            ('Operation cannot be fulfilled on pods/binding "p": pod p is already assigned to node "n1"'),
            {"name": "p", "kind": "pods/binding"},
        ),
    ),
    Case(
        "binding of nothing",
        f"POST {PODS}/ghost/binding",
        body={
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": "ghost"},
            "target": {"kind": "Node", "name": "n2"},
        },
        expected=refused(404, "NotFound", 'pods "ghost" not found', {"name": "ghost", "kind": "pods"}),
    ),
    Case(
        "binding to a pod",
        f"POST {PODS}/p/binding",
        body={
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": "p"},
            "target": {"kind": "Pod", "name": "n2"},
        },
        given=("pod",),
        expected=refused(
            500, None, 'target.kind: Unsupported value: "Pod": supported values: "Node", "<empty>"'
        ),
    ),
    Case(
        "binding without target",
        f"POST {PODS}/p/binding",
        body={"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "p"}, "target": {"kind": "Node"}},
        given=("pod",),
        expected=refused(500, None, "target.name: Required value"),
    ),
    Case(
        "token of nothing",
        f"POST {CORE}/serviceaccounts/ghost/token",
        body={"spec": {}},
        expected=refused(
            404, "NotFound", 'serviceaccounts "ghost" not found', {"name": "ghost", "kind": "serviceaccounts"}
        ),
    ),
    Case(
        "token too short",
        f"POST {CORE}/serviceaccounts/robot/token",
        body={"spec": {"expirationSeconds": 60}},
        given=("account",),
        expected=invalid(
            "TokenRequest.authentication.k8s.io",
            "",
            (
                "FieldValueInvalid",
                "spec.expirationSeconds",
                "Invalid value: 60: may not specify a duration less than 10 minutes",
            ),
        ),
    ),
    Case("token get", f"GET {CORE}/serviceaccounts/robot/token", given=("account",), expected=NOT_ALLOWED),
    Case(
        "access review empty",
        "POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
        body={"spec": {}},
        expected=invalid(
            ".authorization.k8s.io",
            "",
            (
                "FieldValueInvalid",
                "spec.resourceAttributes",
                (
                    'Invalid value: "null": exactly one of nonResourceAttributes or resourceAttributes '
                    "must be specified"
                ),
            ),
        ),
    ),
    Case(
        "access review both",
        "POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
        body={"spec": {"resourceAttributes": {"verb": "get"}, "nonResourceAttributes": {"verb": "get"}}},
        expected=invalid(
            ".authorization.k8s.io",
            "",
            (
                "FieldValueInvalid",
                "spec.nonResourceAttributes",
                "Invalid value: DUMP: cannot be specified in combination with resourceAttributes",
            ),
        ),
    ),
    Case(
        "access review get",
        "GET /apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
        expected=NOT_ALLOWED,
    ),
    Case(
        "rules review empty",
        "POST /apis/authorization.k8s.io/v1/selfsubjectrulesreviews",
        body={"spec": {}},
        expected=refused(400, "BadRequest", "no namespace on request"),
    ),
    Case(
        "access review kind",
        "POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
        body={"kind": "Pod", "apiVersion": "v1"},
        expected=refused(
            400,
            "BadRequest",
            (
                'Pod in version "v1" cannot be handled as a SelfSubjectAccessReview: converting '
                "(v1.Pod) to (authorization.SelfSubjectAccessReview): unknown conversion"
            ),
        ),
    ),
    Case(
        "ephemeral of nothing",
        f"PATCH {PODS}/ghost/ephemeralcontainers",
        body={},
        sent_as=STRATEGIC,
        expected=refused(404, "NotFound", 'pods "ghost" not found', {"name": "ghost", "kind": "pods"}),
    ),
    Case(
        "resize of nothing",
        f"PATCH {PODS}/ghost/resize",
        body={},
        sent_as=STRATEGIC,
        expected=refused(404, "NotFound", 'pods "ghost" not found', {"name": "ghost", "kind": "pods"}),
    ),
)


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_a_subresource_answers(server: Server, case: Case) -> None:
    await check(server, case)
