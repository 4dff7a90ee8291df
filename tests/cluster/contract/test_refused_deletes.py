"""What a DELETE may not say, and that refusing it costs nothing."""

import pytest

from tests.cluster.contract.cases import NO_SUCH_PATH, NOT_ALLOWED, Case, check, done, invalid, refused
from tests.cluster.contract.objects import MAPS, PODS
from tests.cluster.contract.server import Server

CASES = (
    Case(
        "wrong uid",
        f"DELETE {MAPS}/cm",
        body={"preconditions": {"uid": "no"}},
        given=("map",),
        expected=refused(
            409,
            "Conflict",
            (
                'Operation cannot be fulfilled on ConfigMap "cm": the UID in the precondition (no) '
                "does not match the UID in record (UID). The object might have been deleted and then "
                "recreated"
            ),
            {"name": "cm", "kind": "ConfigMap"},
        ),
    ),
    Case(
        "wrong version",
        f"DELETE {MAPS}/cm",
        body={"preconditions": {"resourceVersion": "1"}},
        given=("map",),
        expected=refused(
            409,
            "Conflict",
            (
                'Operation cannot be fulfilled on ConfigMap "cm": the ResourceVersion in the '
                "precondition (1) does not match the ResourceVersion in record (RV). The object "
                "might have been modified"
            ),
            {"name": "cm", "kind": "ConfigMap"},
        ),
    ),
    Case(
        "missing",
        f"DELETE {MAPS}/ghost",
        expected=refused(
            404, "NotFound", 'configmaps "ghost" not found', {"name": "ghost", "kind": "configmaps"}
        ),
    ),
    Case(
        "unknown propagation",
        f"DELETE {MAPS}/cm",
        body={"propagationPolicy": "Sideways"},
        given=("map",),
        expected=invalid(
            "DeleteOptions.meta.k8s.io",
            "",
            (
                "FieldValueNotSupported",
                "propagationPolicy",
                (
                    'Unsupported value: "Sideways": supported values: "Foreground", "Background", '
                    '"Orphan", "nil"'
                ),
            ),
        ),
    ),
    Case(
        "unknown propagation in the query",
        f"DELETE {MAPS}/cm?propagationPolicy=Sideways",
        given=("map",),
        expected=invalid(
            "DeleteOptions.meta.k8s.io",
            "",
            (
                "FieldValueNotSupported",
                "propagationPolicy",
                (
                    'Unsupported value: "Sideways": supported values: "Foreground", "Background", '
                    '"Orphan", "nil"'
                ),
            ),
        ),
    ),
    Case(
        "both ways to orphan",
        f"DELETE {MAPS}/cm",
        body={"propagationPolicy": "Orphan", "orphanDependents": True},
        given=("map",),
        expected=invalid(
            "DeleteOptions.meta.k8s.io",
            "",
            (
                "FieldValueInvalid",
                "propagationPolicy",
                'Invalid value: "Orphan": orphanDependents and deletionPropagation cannot be both set',
            ),
        ),
    ),
    Case(
        "negative grace",
        f"DELETE {MAPS}/cm",
        body={"gracePeriodSeconds": -1},
        given=("map",),
        expected=done(200, kind="Status"),
    ),
    Case(
        "negative grace of a pod",
        f"DELETE {PODS}/p",
        body={"gracePeriodSeconds": -1},
        given=("placed pod",),
        expected=done(200, kind="Pod", name="p"),
    ),
    Case(
        "grace that is no number",
        f"DELETE {MAPS}/cm?gracePeriodSeconds=soon",
        given=("map",),
        expected=refused(400, "BadRequest", 'strconv.ParseInt: parsing "soon": invalid syntax'),
    ),
    Case(
        "dry run that is no list",
        f"DELETE {MAPS}/cm",
        body={"dryRun": "All"},
        given=("map",),
        expected=refused(
            500,
            None,
            ("json: cannot unmarshal string into Go struct field DeleteOptions.dryRun of type []string"),
        ),
    ),
    Case(
        "unknown dry run",
        f"DELETE {MAPS}/cm",
        body={"dryRun": ["Some"]},
        given=("map",),
        expected=invalid(
            "DeleteOptions.meta.k8s.io",
            "",
            ("FieldValueNotSupported", "dryRun", 'Unsupported value: DUMP: supported values: "All"'),
        ),
    ),
    Case(
        "unknown dry run in the query",
        f"DELETE {MAPS}/cm?dryRun=Some",
        given=("map",),
        expected=invalid(
            "DeleteOptions.meta.k8s.io",
            "",
            ("FieldValueNotSupported", "dryRun", 'Unsupported value: DUMP: supported values: "All"'),
        ),
    ),
    Case(
        "body that is no JSON",
        f"DELETE {MAPS}/cm",
        body=b"{",
        given=("map",),
        expected=refused(
            500, None, "couldn't get version/kind; json parse error: unexpected end of JSON input"
        ),
    ),
    Case(
        "body of another kind",
        f"DELETE {MAPS}/cm",
        body={"kind": "Pod", "apiVersion": "v1"},
        given=("map",),
        expected=refused(
            500, None, 'no kind "Pod" is registered for version "v1" in scheme "pkg/runtime/scheme.go:110"'
        ),
    ),
    Case(
        "unknown media type",
        f"DELETE {MAPS}/cm",
        body=b"x",
        given=("map",),
        sent_as="text/plain",
        expected=refused(
            415,
            "UnsupportedMediaType",
            (
                "the body of the request was in an unknown format - accepted media types include: "
                "application/json, application/yaml, application/vnd.kubernetes.protobuf"
            ),
        ),
    ),
    Case(
        "unknown option",
        f"DELETE {MAPS}/cm",
        body={"kind": "DeleteOptions", "apiVersion": "v1", "dryrun": ["All"], "nonsense": 1},
        given=("map",),
        expected=done(200, kind="Status"),
    ),
    Case(
        "immortal namespace",
        "DELETE /api/v1/namespaces/kube-system",
        expected=refused(
            403,
            "Forbidden",
            'namespaces "kube-system" is forbidden: this namespace may not be deleted',
            {"name": "kube-system", "kind": "namespaces"},
        ),
    ),
    Case("all namespaces", "DELETE /api/v1/namespaces", expected=NOT_ALLOWED),
    Case("across namespaces", "DELETE /api/v1/configmaps", expected=NOT_ALLOWED),
    Case(
        "collection by a bad selector",
        f"DELETE {MAPS}?labelSelector=a==b==c",
        expected=refused(400, "BadRequest", "found '==', expected: ',' or 'end of string'"),
    ),
    Case(
        "collection by an unknown field",
        f"DELETE {MAPS}?fieldSelector=data.a=b",
        expected=refused(
            400,
            "BadRequest",
            '"data.a" is not a known field selector: only "metadata.name", "metadata.namespace"',
        ),
    ),
    Case(
        "group in another version",
        "DELETE /apis/apps/v1beta1/namespaces/{ns}/deployments/web",
        expected=NO_SUCH_PATH,
    ),
    Case(
        "escaped dot dot name",
        "DELETE /api/v1/namespaces/{ns}/configmaps/%2e%2e",
        expected=refused(400, "BadRequest", "Name parameter invalid: \"..\": may not be '..'"),
    ),
    Case("escaped slash name", "DELETE /api/v1/namespaces/{ns}/configmaps/a%2fb", expected=NO_SUCH_PATH),
)


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_a_delete_answers(server: Server, case: Case) -> None:
    await check(server, case)
