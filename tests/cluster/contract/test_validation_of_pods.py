"""Validation of pods and workloads: one 422 with a cause for each field."""

import pytest

from tests.cluster.contract.cases import Case, check, done, invalid, refused
from tests.cluster.contract.objects import CONTAINER, DEPLOYMENTS, PODS, deployment, pod
from tests.cluster.contract.server import Obj, Server

MAKING_POD, MAKING_DEPLOYMENT = f"POST {PODS}", f"POST {DEPLOYMENTS}"


def containing(**fields: object) -> Obj:
    """A pod whose one container has these fields."""
    return pod(containers=[{**CONTAINER, **fields}])


CASES = (
    Case(
        "no containers",
        MAKING_POD,
        body={"metadata": {"name": "x"}, "spec": {"containers": []}},
        expected=invalid("Pod", "x", ("FieldValueRequired", "spec.containers", "Required value")),
    ),
    Case(
        "no spec",
        MAKING_POD,
        body={"metadata": {"name": "x"}},
        expected=invalid("Pod", "x", ("FieldValueRequired", "spec.containers", "Required value")),
    ),
    Case(
        "no image",
        MAKING_POD,
        body=pod(containers=[{"name": "app"}]),
        expected=invalid("Pod", "p", ("FieldValueRequired", "spec.containers[0].image", "Required value")),
    ),
    Case(
        "no container name",
        MAKING_POD,
        body=pod(containers=[{"image": "a"}]),
        expected=invalid("Pod", "p", ("FieldValueRequired", "spec.containers[0].name", "Required value")),
    ),
    Case(
        "same container twice",
        MAKING_POD,
        body=pod(containers=[CONTAINER, CONTAINER]),
        expected=invalid(
            "Pod", "p", ("FieldValueDuplicate", "spec.containers[1].name", 'Duplicate value: "app"')
        ),
    ),
    Case(
        "upper case container",
        MAKING_POD,
        body=pod(containers=[{**CONTAINER, "name": "App"}]),
        expected=invalid(
            "Pod",
            "p",
            (
                "FieldValueInvalid",
                "spec.containers[0].name",
                (
                    'Invalid value: "App": a lowercase RFC 1123 label must consist of lower case '
                    "alphanumeric characters or '-', and must start and end with an alphanumeric "
                    "character (e.g. 'my-name',  or '123-abc', regex used for validation is "
                    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
                ),
            ),
        ),
    ),
    Case(
        "requests over limits",
        MAKING_POD,
        body=containing(resources={"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}),
        expected=invalid(
            "Pod",
            "p",
            (
                "FieldValueInvalid",
                "spec.containers[0].resources.requests",
                'Invalid value: "2": must be less than or equal to cpu limit of 1',
            ),
        ),
    ),
    Case(
        "no quantity",
        MAKING_POD,
        body=containing(resources={"requests": {"cpu": "much"}}),
        difference="rules-not-played",
    ),
    Case(
        "negative quantity",
        MAKING_POD,
        body=containing(resources={"requests": {"cpu": "-1"}}),
        expected=invalid(
            "Pod",
            "p",
            (
                "FieldValueInvalid",
                "spec.containers[0].resources.requests[cpu]",
                'Invalid value: "-1": must be greater than or equal to 0',
            ),
        ),
    ),
    Case(
        "unknown resource",
        MAKING_POD,
        body=containing(resources={"requests": {"nonsense": "1"}}),
        difference="rules-not-played",
    ),
    Case(
        "port too high",
        MAKING_POD,
        body=containing(ports=[{"containerPort": 70000}]),
        expected=invalid(
            "Pod",
            "p",
            (
                "FieldValueInvalid",
                "spec.containers[0].ports[0].containerPort",
                "Invalid value: 70000: must be between 1 and 65535, inclusive",
            ),
        ),
    ),
    Case(
        "port zero",
        MAKING_POD,
        body=containing(ports=[{}]),
        expected=invalid(
            "Pod", "p", ("FieldValueRequired", "spec.containers[0].ports[0].containerPort", "Required value")
        ),
    ),
    Case(
        "unknown protocol",
        MAKING_POD,
        body=containing(ports=[{"containerPort": 80, "protocol": "ICMP"}]),
        expected=invalid(
            "Pod",
            "p",
            (
                "FieldValueNotSupported",
                "spec.containers[0].ports[0].protocol",
                'Unsupported value: "ICMP": supported values: "SCTP", "TCP", "UDP"',
            ),
        ),
    ),
    Case(
        "unknown restart policy",
        MAKING_POD,
        body=pod(restartPolicy="Sometimes"),
        expected=invalid(
            "Pod",
            "p",
            (
                "FieldValueNotSupported",
                "spec.restartPolicy",
                'Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"',
            ),
        ),
    ),
    Case(
        "unknown pull policy",
        MAKING_POD,
        body=containing(imagePullPolicy="Sometimes"),
        expected=invalid(
            "Pod",
            "p",
            (
                "FieldValueNotSupported",
                "spec.containers[0].imagePullPolicy",
                'Unsupported value: "Sometimes": supported values: "Always", "IfNotPresent", "Never"',
            ),
        ),
    ),
    Case(
        "missing volume",
        MAKING_POD,
        body=containing(volumeMounts=[{"name": "v", "mountPath": "/v"}]),
        expected=invalid(
            "Pod", "p", ("FieldValueNotFound", "spec.containers[0].volumeMounts[0].name", 'Not found: "v"')
        ),
    ),
    Case(
        "volume twice",
        MAKING_POD,
        body=pod(volumes=[{"name": "v", "emptyDir": {}}, {"name": "v", "emptyDir": {}}]),
        expected=invalid("Pod", "p", ("FieldValueDuplicate", "spec.volumes[1].name", 'Duplicate value: "v"')),
    ),
    Case(
        "probe without handler", MAKING_POD, body=containing(livenessProbe={}), difference="rules-not-played"
    ),
    Case(
        "probe with two handlers",
        MAKING_POD,
        body=containing(livenessProbe={"tcpSocket": {"port": 1}, "exec": {"command": ["a"]}}),
        difference="rules-not-played",
    ),
    Case(
        "env name",
        MAKING_POD,
        body=containing(env=[{"name": "a=b", "value": "c"}]),
        difference="rules-not-played",
    ),
    Case(
        "env without name",
        MAKING_POD,
        body=containing(env=[{"value": "c"}]),
        expected=invalid(
            "Pod", "p", ("FieldValueRequired", "spec.containers[0].env[0].name", "Required value")
        ),
    ),
    Case(
        "negative grace",
        MAKING_POD,
        body=pod(terminationGracePeriodSeconds=-1),
        expected=done(201, kind="Pod", name="p"),
    ),
    Case("unknown dns", MAKING_POD, body=pod(dnsPolicy="Maybe"), difference="rules-not-played"),
    Case(
        "taint toleration",
        MAKING_POD,
        body=pod(tolerations=[{"key": "a", "operator": "Exists", "value": "b"}]),
        difference="rules-not-played",
    ),
    Case(
        "unknown priority",
        MAKING_POD,
        body=pod(priorityClassName="missing"),
        expected=refused(
            403,
            "Forbidden",
            'pods "p" is forbidden: no PriorityClass with name missing was found',
            {"name": "p", "kind": "pods"},
        ),
    ),
    Case(
        "no selector",
        MAKING_DEPLOYMENT,
        body=deployment(selector=None),
        expected=invalid(
            "Deployment.apps",
            "web",
            ("FieldValueRequired", "spec.selector", "Required value"),
            (
                "FieldValueInvalid",
                "spec.template.metadata.labels",
                "Invalid value: DUMP: `selector` does not match template `labels`",
            ),
        ),
    ),
    Case(
        "empty selector",
        MAKING_DEPLOYMENT,
        body=deployment(selector={}),
        expected=invalid(
            "Deployment.apps",
            "web",
            (
                "FieldValueInvalid",
                "spec.selector",
                "Invalid value: DUMP: empty selector is invalid for deployment",
            ),
        ),
    ),
    Case(
        "selector mismatch",
        MAKING_DEPLOYMENT,
        body=deployment(selector={"matchLabels": {"x": "y"}}),
        expected=invalid(
            "Deployment.apps",
            "web",
            (
                "FieldValueInvalid",
                "spec.template.metadata.labels",
                "Invalid value: DUMP: `selector` does not match template `labels`",
            ),
        ),
    ),
    Case(
        "negative replicas",
        MAKING_DEPLOYMENT,
        body=deployment(replicas=-1),
        expected=invalid(
            "Deployment.apps",
            "web",
            ("FieldValueInvalid", "spec.replicas", "Invalid value: -1: must be greater than or equal to 0"),
        ),
    ),
    Case(
        "replicas no number",
        MAKING_DEPLOYMENT,
        body=deployment(replicas="two"),
        expected=refused(
            400,
            "BadRequest",
            (
                'Deployment in version "v1" cannot be handled as a Deployment: json: cannot '
                "unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32"
            ),
        ),
    ),
    Case(
        "never restart",
        MAKING_DEPLOYMENT,
        body=deployment(
            template={
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [CONTAINER], "restartPolicy": "Never"},
            }
        ),
        expected=invalid(
            "Deployment.apps",
            "web",
            (
                "FieldValueNotSupported",
                "spec.template.spec.restartPolicy",
                'Unsupported value: "Never": supported values: "Always"',
            ),
        ),
    ),
    Case(
        "surge and unavailable zero",
        MAKING_DEPLOYMENT,
        body=deployment(strategy={"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}}),
        difference="rules-not-played",
    ),
    Case(
        "unknown strategy",
        MAKING_DEPLOYMENT,
        body=deployment(strategy={"type": "Maybe"}),
        difference="rules-not-played",
    ),
    Case(
        "rolling recreate",
        MAKING_DEPLOYMENT,
        body=deployment(strategy={"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}),
        difference="rules-not-played",
    ),
)


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_a_wrong_pod_or_workload_is_refused(server: Server, case: Case) -> None:
    await check(server, case)
