"""What merge and strategic patches may not say."""

import pytest

from tests.cluster.contract.cases import Case, check, invalid, refused
from tests.cluster.contract.objects import DEPLOYMENTS, MAPS
from tests.cluster.contract.server import JSON, JSON_PATCH, MERGE, STRATEGIC, Server

WEB = f"PATCH {DEPLOYMENTS}/web"
MAP = f"PATCH {MAPS}/cm"


CASES = (
    Case(
        "plain JSON",
        WEB,
        body={},
        given=("deployment",),
        sent_as=JSON,
        expected=refused(415, "UnsupportedMediaType", "415: Unsupported Media Type", {}),
    ),
    Case(
        "no type",
        WEB,
        body=b"{}",
        given=("deployment",),
        sent_as="",
        expected=refused(415, "UnsupportedMediaType", "415: Unsupported Media Type", {}),
    ),
    Case(
        "missing merge",
        WEB,
        body={},
        sent_as=MERGE,
        expected=refused(
            404,
            "NotFound",
            'deployments.apps "web" not found',
            {"name": "web", "group": "apps", "kind": "deployments"},
        ),
    ),
    Case(
        "missing strategic",
        WEB,
        body={},
        sent_as=STRATEGIC,
        expected=refused(
            404,
            "NotFound",
            'deployments.apps "web" not found',
            {"name": "web", "group": "apps", "kind": "deployments"},
        ),
    ),
    Case(
        "missing json",
        WEB,
        body=[],
        sent_as=JSON_PATCH,
        expected=refused(
            404,
            "NotFound",
            'deployments.apps "web" not found',
            {"name": "web", "group": "apps", "kind": "deployments"},
        ),
    ),
    Case(
        "stale version",
        WEB,
        body={"metadata": {"resourceVersion": "1"}},
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
        "another uid",
        WEB,
        body={"metadata": {"uid": "no"}},
        given=("deployment",),
        sent_as=MERGE,
        expected=invalid(
            "Deployment.apps",
            "web",
            ("FieldValueInvalid", "metadata.uid", 'Invalid value: "no": field is immutable'),
            ("FieldValueInvalid", "metadata.uid", 'Invalid value: "no": field is immutable'),
        ),
    ),
    Case(
        "another name",
        WEB,
        body={"metadata": {"name": "x"}},
        given=("deployment",),
        sent_as=MERGE,
        expected=refused(
            400, "BadRequest", "the name of the object (x) does not match the name on the URL (web)"
        ),
    ),
    Case(
        "another namespace",
        WEB,
        body={"metadata": {"namespace": "x"}},
        given=("deployment",),
        sent_as=MERGE,
        expected=refused(
            400,
            "BadRequest",
            ("the namespace of the provided object does not match the namespace sent on the request"),
        ),
    ),
    Case(
        "merge list",
        WEB,
        body=[],
        given=("deployment",),
        sent_as=MERGE,
        expected=refused(
            400,
            "BadRequest",
            (
                "error decoding patch: json: cannot unmarshal array into Go value of type "
                "map[string]interface {}"
            ),
        ),
    ),
    Case(
        "merge no JSON",
        WEB,
        body=b"{",
        given=("deployment",),
        sent_as=MERGE,
        expected=refused(400, "BadRequest", "error decoding patch: unexpected end of JSON input"),
    ),
    Case(
        "merge empty",
        WEB,
        body=b"",
        given=("deployment",),
        sent_as=MERGE,
        expected=refused(400, "BadRequest", "error decoding patch: unexpected end of JSON input"),
    ),
    Case(
        "strategic no JSON",
        WEB,
        body=b"{",
        given=("deployment",),
        sent_as=STRATEGIC,
        expected=refused(400, "BadRequest", "unexpected end of JSON input"),
    ),
    Case(
        "strategic list",
        WEB,
        body=[],
        given=("deployment",),
        sent_as=STRATEGIC,
        expected=refused(
            400, "BadRequest", "json: cannot unmarshal array into Go value of type map[string]interface {}"
        ),
    ),
    Case(
        "strategic unknown directive",
        WEB,
        body={"spec": {"$patch": "explode"}},
        given=("deployment",),
        sent_as=STRATEGIC,
        expected=refused(500, None, "unknown patch type: explode in map: map[$patch:explode]"),
    ),
    Case(
        "strategic no key",
        WEB,
        body={"spec": {"template": {"spec": {"containers": [{"image": "x"}]}}}},
        given=("deployment",),
        sent_as=STRATEGIC,
        expected=refused(500, None, "map: map[image:x] does not contain declared merge key: name"),
    ),
    Case(
        "wrong type",
        WEB,
        body={"spec": {"replicas": "five"}},
        given=("deployment",),
        sent_as=MERGE,
        expected=invalid(
            "",
            "",
            (
                "FieldValueInvalid",
                "patch",
                (
                    "Invalid value: DUMP: json: cannot unmarshal string into Go struct field "
                    "DeploymentSpec.spec.replicas of type int32"
                ),
            ),
        ),
    ),
    Case(
        "wrong type strategic",
        WEB,
        body={"spec": {"replicas": "five"}},
        given=("deployment",),
        sent_as=STRATEGIC,
        expected=invalid(
            "", "", ("FieldValueInvalid", "patch", "Invalid value: DUMP: unrecognized type: int32")
        ),
    ),
    Case(
        "metadata wrong type",
        WEB,
        body={"metadata": 5},
        given=("deployment",),
        sent_as=MERGE,
        expected=invalid(
            "",
            "",
            (
                "FieldValueInvalid",
                "patch",
                (
                    "Invalid value: DUMP: json: cannot unmarshal number into Go struct field "
                    "Deployment.metadata of type v1.ObjectMeta"
                ),
            ),
        ),
    ),
    Case(
        "spec wrong type strategic",
        WEB,
        body={"spec": 5},
        given=("deployment",),
        sent_as=STRATEGIC,
        expected=invalid(
            "", "", ("FieldValueInvalid", "patch", "Invalid value: DUMP: cannot restore struct from: int64")
        ),
    ),
    Case(
        "labels wrong type",
        WEB,
        body={"metadata": {"labels": {"a": 1}}},
        given=("deployment",),
        sent_as=MERGE,
        expected=invalid(
            "",
            "",
            (
                "FieldValueInvalid",
                "patch",
                (
                    "Invalid value: DUMP: json: cannot unmarshal number into Go struct field "
                    "ObjectMeta.metadata.labels of type string"
                ),
            ),
        ),
    ),
    Case(
        "unknown field strict",
        WEB + "?fieldValidation=Strict",
        body={"spec": {"replcas": 5}},
        given=("deployment",),
        sent_as=MERGE,
        expected=invalid(
            "",
            "",
            (
                "FieldValueInvalid",
                "patch",
                'Invalid value: DUMP: strict decoding error: unknown field "spec.replcas"',
            ),
        ),
    ),
    Case(
        "unknown field strict strategic",
        WEB + "?fieldValidation=Strict",
        body={"spec": {"replcas": 5}},
        given=("deployment",),
        sent_as=STRATEGIC,
        expected=invalid(
            "",
            "",
            (
                "FieldValueInvalid",
                "patch",
                'Invalid value: DUMP: strict decoding error: unknown field "spec.replcas"',
            ),
        ),
    ),
    Case(
        "unknown field validation",
        WEB + "?fieldValidation=Sometimes",
        body={"spec": {"replcas": 5}},
        given=("deployment",),
        sent_as=MERGE,
        expected=invalid(
            "PatchOptions.meta.k8s.io",
            "",
            (
                "FieldValueNotSupported",
                "fieldValidation",
                'Unsupported value: "Sometimes": supported values: "", "Ignore", "Strict", "Warn"',
            ),
        ),
    ),
)


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_a_patch_answers(server: Server, case: Case) -> None:
    await check(server, case)
