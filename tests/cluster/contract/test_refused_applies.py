"""What a server-side apply may not say, and whom it conflicts with."""

import pytest

from tests.cluster.contract.cases import Case, check, done, invalid, refused
from tests.cluster.contract.objects import DEPLOYMENTS, deployment
from tests.cluster.contract.server import APPLY, MERGE, Obj, Server

APPLYING = f"PATCH {DEPLOYMENTS}/web?fieldManager=me"
NAMED: Obj = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}}


CASES = (
    Case(
        "no manager",
        f"PATCH {DEPLOYMENTS}/web",
        body=deployment(),
        sent_as=APPLY,
        expected=invalid(
            "PatchOptions.meta.k8s.io",
            "",
            ("FieldValueRequired", "fieldManager", "Required value: is required for apply patch"),
        ),
    ),
    Case(
        "no kind",
        APPLYING,
        body={"spec": {}},
        sent_as=APPLY,
        expected=refused(400, "BadRequest", "invalid object type: /, Kind="),
    ),
    Case(
        "no version",
        APPLYING,
        body={"kind": "Deployment", "metadata": {"name": "web"}},
        sent_as=APPLY,
        expected=refused(400, "BadRequest", "invalid object type: /, Kind=Deployment"),
    ),
    Case(
        "another kind",
        APPLYING,
        body={"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}},
        sent_as=APPLY,
        expected=refused(400, "BadRequest", "invalid object type: /v1, Kind=Pod"),
    ),
    Case(
        "another name",
        APPLYING,
        body=NAMED | {"metadata": {"name": "other"}},
        sent_as=APPLY,
        expected=refused(
            400, "BadRequest", "the name of the object (other) does not match the name on the URL (web)"
        ),
    ),
    Case(
        "another namespace",
        APPLYING,
        body=NAMED | {"metadata": {"name": "web", "namespace": "other"}},
        sent_as=APPLY,
        expected=refused(
            400,
            "BadRequest",
            ("the namespace of the provided object does not match the namespace sent on the request"),
        ),
    ),
    Case(
        "managed fields",
        APPLYING,
        body=NAMED | {"metadata": {"name": "web", "managedFields": [{"manager": "x"}]}},
        given=("deployment",),
        sent_as=APPLY,
        expected=refused(400, "BadRequest", "metadata.managedFields must be nil"),
    ),
    Case(
        "wrong uid",
        APPLYING,
        body=NAMED | {"metadata": {"name": "web", "uid": "no"}},
        given=("deployment",),
        sent_as=APPLY,
        expected=invalid(
            "Deployment.apps",
            "web",
            ("FieldValueInvalid", "metadata.uid", 'Invalid value: "no": field is immutable'),
            ("FieldValueInvalid", "metadata.uid", 'Invalid value: "no": field is immutable'),
        ),
    ),
    Case(
        "uid of nothing",
        APPLYING,
        body=NAMED | {"metadata": {"name": "web", "uid": "no"}},
        sent_as=APPLY,
        expected=refused(
            409,
            "Conflict",
            (
                'Operation cannot be fulfilled on deployments.apps "web": uid mismatch: the provided '
                "object specified uid no, and no existing object was found"
            ),
            {"name": "web", "group": "apps", "kind": "deployments"},
        ),
    ),
    Case(
        "wrong version number",
        APPLYING,
        body=NAMED | {"metadata": {"name": "web", "resourceVersion": "1"}},
        given=("deployment",),
        sent_as=APPLY,
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
        "version of nothing",
        APPLYING,
        body=deployment() | {"metadata": {"name": "web", "resourceVersion": "1"}},
        sent_as=APPLY,
        expected=done(201, kind="Deployment", name="web"),
    ),
    Case(
        "conflict",
        APPLYING,
        body=NAMED | {"spec": {"replicas": 5}},
        given=("scaled",),
        sent_as=APPLY,
        expected=refused(
            409,
            "Conflict",
            'Apply failed with 1 conflict: conflict with "contract" using apps/v1: .spec.replicas',
            {
                "causes": [
                    {
                        "reason": "FieldManagerConflict",
                        "message": 'conflict with "contract" using apps/v1',
                        "field": ".spec.replicas",
                    }
                ]
            },
        ),
    ),
    Case(
        "conflicts",
        APPLYING,
        body=NAMED | {"metadata": {"name": "web", "labels": {"x": "2"}}, "spec": {"replicas": 5}},
        given=("scaled",),
        sent_as=APPLY,
        expected=refused(
            409,
            "Conflict",
            (
                'Apply failed with 2 conflicts: conflicts with "contract" using apps/v1:\n- '
                ".metadata.labels.x\n- .spec.replicas"
            ),
            {
                "causes": [
                    {
                        "reason": "FieldManagerConflict",
                        "message": 'conflict with "contract" using apps/v1',
                        "field": ".metadata.labels.x",
                    },
                    {
                        "reason": "FieldManagerConflict",
                        "message": 'conflict with "contract" using apps/v1',
                        "field": ".spec.replicas",
                    },
                ]
            },
        ),
    ),
    Case(
        "conflict in a list",
        APPLYING,
        body=NAMED | {"spec": {"template": {"spec": {"containers": [{"name": "app", "image": "x:2"}]}}}},
        given=("deployment",),
        sent_as=APPLY,
        expected=refused(
            409,
            "Conflict",
            (
                'Apply failed with 1 conflict: conflict with "contract" using apps/v1: '
                '.spec.template.spec.containers[name="app"].image'
            ),
            {
                "causes": [
                    {
                        "reason": "FieldManagerConflict",
                        "message": 'conflict with "contract" using apps/v1',
                        "field": '.spec.template.spec.containers[name="app"].image',
                    }
                ]
            },
        ),
    ),
    Case(
        "twice the same container",
        APPLYING,
        body=NAMED | {"spec": {"template": {"spec": {"containers": [{"name": "app"}, {"name": "app"}]}}}},
        given=("deployment",),
        sent_as=APPLY,
        expected=refused(
            500,
            None,
            (
                "failed to create typed patch object (/web; apps/v1, Kind=Deployment): "
                '.spec.template.spec.containers: duplicate entries for key [name="app"]'
            ),
        ),
    ),
    Case(
        "container without its key",
        APPLYING,
        body=NAMED | {"spec": {"template": {"spec": {"containers": [{"image": "x"}]}}}},
        given=("deployment",),
        sent_as=APPLY,
        expected=invalid(
            "Deployment.apps",
            "web",
            ("FieldValueRequired", "spec.template.spec.containers[1].name", "Required value"),
        ),
    ),
    Case(
        "unknown field",
        APPLYING,
        body=NAMED | {"spec": {"replcas": 5}},
        given=("deployment",),
        sent_as=APPLY,
        expected=refused(
            500,
            None,
            (
                "failed to create typed patch object (/web; apps/v1, Kind=Deployment): "
                ".spec.replcas: field not declared in schema"
            ),
        ),
    ),
    Case(
        "unknown field strict",
        APPLYING + "&fieldValidation=Strict",
        body=NAMED | {"spec": {"replcas": 5}},
        given=("deployment",),
        sent_as=APPLY,
        expected=refused(
            500,
            None,
            (
                "failed to create typed patch object (/web; apps/v1, Kind=Deployment): "
                ".spec.replcas: field not declared in schema"
            ),
        ),
    ),
    Case(
        "wrong type",
        APPLYING,
        body=NAMED | {"spec": {"replicas": "five"}},
        given=("deployment",),
        sent_as=APPLY,
        expected=refused(
            500,
            None,
            (
                "failed to create typed patch object (/web; apps/v1, Kind=Deployment): "
                ".spec.replicas: expected numeric (int or float), got string"
            ),
        ),
    ),
    Case(
        "not an object",
        APPLYING,
        body=[1],
        given=("deployment",),
        sent_as=APPLY,
        expected=refused(
            400,
            "BadRequest",
            (
                "error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot "
                "unmarshal array into Go value of type map[string]interface {}"
            ),
        ),
    ),
    Case("no YAML", APPLYING, body=b"a: [", given=("deployment",), sent_as=APPLY, difference="yaml-errors"),
    Case(
        "to status of nothing",
        f"PATCH {DEPLOYMENTS}/web/status?fieldManager=me",
        body=NAMED,
        sent_as=APPLY,
        expected=refused(
            404,
            "NotFound",
            'deployments.apps "web" not found',
            {"name": "web", "group": "apps", "kind": "deployments"},
        ),
    ),
    Case(
        "invalid new",
        APPLYING,
        body=NAMED,
        sent_as=APPLY,
        expected=invalid(
            "Deployment.apps",
            "web",
            ("FieldValueRequired", "spec.selector", "Required value"),
            (
                "FieldValueInvalid",
                "spec.template.metadata.labels",
                "Invalid value: map[string]string(nil): `selector` does not match template `labels`",
            ),
            ("FieldValueRequired", "spec.template.spec.containers", "Required value"),
        ),
    ),
    Case(
        "immutable selector",
        APPLYING + "&force=true",
        body=NAMED | {"spec": {"selector": {"matchLabels": {"app": "other"}}}},
        given=("deployment",),
        sent_as=APPLY,
        expected=invalid(
            "Deployment.apps",
            "web",
            (
                "FieldValueInvalid",
                "spec.template.metadata.labels",
                "Invalid value: DUMP: `selector` does not match template `labels`",
            ),
            ("FieldValueInvalid", "spec.selector", "Invalid value: DUMP: field is immutable"),
        ),
    ),
    Case(
        "force that is no boolean",
        APPLYING + "&force=maybe",
        body=NAMED,
        given=("deployment",),
        sent_as=APPLY,
        expected=done(200, kind="Deployment", name="web"),
    ),
    Case(
        "manager too long",
        f"PATCH {DEPLOYMENTS}/web?fieldManager={'m' * 129}",
        body=NAMED,
        given=("deployment",),
        sent_as=APPLY,
        expected=invalid(
            "PatchOptions.meta.k8s.io",
            "",
            ("FieldValueTooLong", "fieldManager", "Too long: may not be more than 128 bytes"),
        ),
    ),
    Case(
        "manager unprintable",
        f"PATCH {DEPLOYMENTS}/web?fieldManager=a%07b",
        body=NAMED,
        given=("deployment",),
        sent_as=APPLY,
        expected=invalid(
            "PatchOptions.meta.k8s.io",
            "",
            (
                "FieldValueInvalid",
                "fieldManager",
                'Invalid value: "a\\ab": invalid character U+0007 (at position 1)',
            ),
        ),
    ),
    Case(
        "force without apply",
        f"PATCH {DEPLOYMENTS}/web?force=true",
        body={},
        given=("deployment",),
        sent_as=MERGE,
        expected=invalid(
            "PatchOptions.meta.k8s.io",
            "",
            ("FieldValueForbidden", "force", "Forbidden: may not be specified for non-apply patch"),
        ),
    ),
    Case(
        "dry run unknown",
        APPLYING + "&dryRun=Some",
        body=NAMED,
        given=("deployment",),
        sent_as=APPLY,
        expected=invalid(
            "PatchOptions.meta.k8s.io",
            "",
            ("FieldValueNotSupported", "dryRun", 'Unsupported value: DUMP: supported values: "All"'),
        ),
    ),
)


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_an_apply_answers(server: Server, case: Case) -> None:
    await check(server, case)
