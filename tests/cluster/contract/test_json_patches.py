"""What JSON patches may not say, and what no patch may change."""

import pytest

from tests.cluster.contract.cases import Case, check, done, invalid, refused
from tests.cluster.contract.objects import BATCH, BUDGETS, CORE, DEPLOYMENTS, MAPS, PODS, SERVICES
from tests.cluster.contract.server import JSON_PATCH, MERGE, Server

WEB = f"PATCH {DEPLOYMENTS}/web"
MAP = f"PATCH {MAPS}/cm"


CASES = (
    Case(
        "json test fails",
        MAP,
        body=[{"op": "test", "path": "/data/a", "value": "2"}],
        given=("map",),
        sent_as=JSON_PATCH,
        expected=refused(
            422, "Invalid", "the server rejected our request due to an error in our request", {}
        ),
    ),
    Case(
        "json remove of nothing",
        MAP,
        body=[{"op": "remove", "path": "/data/z"}],
        given=("map",),
        sent_as=JSON_PATCH,
        expected=refused(
            422, "Invalid", "the server rejected our request due to an error in our request", {}
        ),
    ),
    Case(
        "json replace of nothing",
        MAP,
        body=[{"op": "replace", "path": "/data/z", "value": "1"}],
        given=("map",),
        sent_as=JSON_PATCH,
        expected=done(200, kind="ConfigMap", name="cm"),
    ),
    Case(
        "json unknown operation",
        MAP,
        body=[{"op": "explode", "path": "/data/a"}],
        given=("map",),
        sent_as=JSON_PATCH,
        expected=refused(
            422, "Invalid", "the server rejected our request due to an error in our request", {}
        ),
    ),
    Case(
        "json no list",
        MAP,
        body={"op": "test"},
        given=("map",),
        sent_as=JSON_PATCH,
        expected=refused(
            400,
            "BadRequest",
            (
                "error decoding patch: json: cannot unmarshal object into Go value of type "
                "[]handlers.jsonPatchOp"
            ),
        ),
    ),
    Case(
        "json bad pointer",
        MAP,
        body=[{"op": "add", "path": "data", "value": 1}],
        given=("map",),
        sent_as=JSON_PATCH,
        expected=refused(
            422, "Invalid", "the server rejected our request due to an error in our request", {}
        ),
    ),
    Case(
        "json add under nothing",
        MAP,
        body=[{"op": "add", "path": "/spec/x/y", "value": "1"}],
        given=("map",),
        sent_as=JSON_PATCH,
        expected=refused(
            422, "Invalid", "the server rejected our request due to an error in our request", {}
        ),
    ),
    Case(
        "json too many",
        MAP,
        body=[{"op": "test", "path": "/data/a", "value": "1"}] * 10001,
        given=("map",),
        sent_as=JSON_PATCH,
        expected=refused(
            413,
            "RequestEntityTooLarge",
            ("Request entity too large: The allowed maximum operations in a JSON patch is 10000, got 10001"),
        ),
    ),
    Case(
        "json position too far",
        WEB,
        body=[{"op": "add", "path": "/spec/template/spec/containers/9", "value": {}}],
        given=("deployment",),
        sent_as=JSON_PATCH,
        expected=refused(
            422, "Invalid", "the server rejected our request due to an error in our request", {}
        ),
    ),
    Case(
        "json wrong type",
        MAP,
        body=[{"op": "add", "path": "/data", "value": []}],
        given=("map",),
        sent_as=JSON_PATCH,
        expected=invalid(
            "",
            "",
            (
                "FieldValueInvalid",
                "patch",
                (
                    "Invalid value: DUMP: json: cannot unmarshal array into Go struct field "
                    "ConfigMap.data of type map[string]string"
                ),
            ),
        ),
    ),
    Case(
        "json no path",
        MAP,
        body=[{"op": "add", "value": "1"}],
        given=("map",),
        sent_as=JSON_PATCH,
        expected=refused(
            422, "Invalid", "the server rejected our request due to an error in our request", {}
        ),
    ),
    Case(
        "immutable map",
        f"PATCH {MAPS}/fixed",
        body={"data": {"a": "2"}},
        given=("fixed map",),
        sent_as=MERGE,
        expected=invalid(
            "ConfigMap",
            "fixed",
            ("FieldValueForbidden", "data", "Forbidden: field is immutable when `immutable` is set"),
        ),
    ),
    Case(
        "immutable map mutable",
        f"PATCH {MAPS}/fixed",
        body={"immutable": False},
        given=("fixed map",),
        sent_as=MERGE,
        expected=invalid(
            "ConfigMap",
            "fixed",
            ("FieldValueForbidden", "immutable", "Forbidden: field is immutable when `immutable` is set"),
        ),
    ),
    Case(
        "secret type",
        f"PATCH {CORE}/secrets/s",
        body={"type": "Opaque"},
        given=("secret",),
        sent_as=MERGE,
        expected=invalid(
            "Secret", "s", ("FieldValueInvalid", "type", 'Invalid value: "Opaque": field is immutable')
        ),
    ),
    Case(
        "selector of a deployment",
        WEB,
        body={
            "spec": {
                "selector": {"matchLabels": {"b": "c"}},
                "template": {"metadata": {"labels": {"b": "c"}}},
            }
        },
        given=("deployment",),
        sent_as=MERGE,
        expected=invalid(
            "Deployment.apps",
            "web",
            ("FieldValueInvalid", "spec.selector", "Invalid value: DUMP: field is immutable"),
        ),
    ),
    Case(
        "pod node",
        f"PATCH {PODS}/p",
        body={"spec": {"nodeName": "n2"}},
        given=("placed pod",),
        sent_as=MERGE,
        expected=invalid(
            "Pod",
            "p",
            (
                "FieldValueForbidden",
                "spec",
                (
                    "Forbidden: pod updates may not change fields other than "
                    "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSecond"
                    "s`,`spec.tolerations` (only additions to existing "
                    "tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it "
                    "was previously negative)"
                ),
            ),
        ),
    ),
    Case(
        "pod containers",
        f"PATCH {PODS}/p",
        body={"spec": {"containers": [{"name": "app", "image": "x", "command": ["y"]}]}},
        given=("pod",),
        sent_as=MERGE,
        expected=invalid(
            "Pod",
            "p",
            (
                "FieldValueForbidden",
                "spec",
                (
                    "Forbidden: pod updates may not change fields other than "
                    "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSecond"
                    "s`,`spec.tolerations` (only additions to existing "
                    "tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it "
                    "was previously negative)"
                ),
            ),
        ),
    ),
    Case(
        "job template",
        f"PATCH {BATCH}/jobs/once",
        body={"spec": {"template": {"spec": {"dnsPolicy": "Default"}}}},
        given=("job",),
        sent_as=MERGE,
        expected=invalid(
            "Job.batch",
            "once",
            ("FieldValueInvalid", "spec.template", "Invalid value: DUMP: field is immutable"),
        ),
    ),
    Case(
        "cluster address",
        f"PATCH {SERVICES}/svc",
        body={"spec": {"clusterIP": "10.96.0.77", "clusterIPs": ["10.96.0.77"]}},
        given=("service",),
        sent_as=MERGE,
        expected=invalid(
            "Service",
            "svc",
            ("FieldValueInvalid", "spec.clusterIPs[0]", "Invalid value: DUMP: may not change once set"),
        ),
    ),
    Case(
        "budget both",
        f"PATCH {BUDGETS}/pdb",
        body={"spec": {"maxUnavailable": 1}},
        given=("budget",),
        sent_as=MERGE,
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
)


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_a_json_patch_or_a_change_of_what_is_fixed_answers(server: Server, case: Case) -> None:
    await check(server, case)
