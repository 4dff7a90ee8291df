"""Defaults and refusals of the objects that clients send."""

from typing import Any

import pytest

from aiops_lab.kube.admission.pod_defaults import qos_class
from aiops_lab.kube.quantities import parse_quantity
from aiops_lab.kube.store import ApiError, Store
from aiops_lab.kube.wire import clone
from tests.lab.kube.objects import RUNNING, Obj, config_map, deployment, node, pod


def put(obj: Obj, path: str, value: Any) -> Obj:
    """A copy with one field changed; `path` like `spec.template.spec.containers.0.image`."""
    changed = clone(obj)
    at: Any = changed
    *steps, last = path.split(".")
    for step in steps:
        at = at[int(step)] if isinstance(at, list) else at.setdefault(step, {})
    at[int(last) if isinstance(at, list) else last] = value
    return changed


CONTAINER = "spec.template.spec.containers.0"
BASE: dict[str, Obj] = {
    "deployment": deployment(),
    "pod": pod("a"),
    "map": config_map(),
    "node": node("n"),
    "service": {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "s", "namespace": "shop"},
        "spec": {"ports": [{"port": 80}]},
    },
    "hpa": {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "h", "namespace": "shop"},
        "spec": {"maxReplicas": 3, "scaleTargetRef": {"kind": "Deployment", "name": "web"}},
    },
    "job": {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "j", "namespace": "shop"},
        "spec": {
            "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "a", "image": "i"}]}}
        },
    },
    "pdb": {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "p", "namespace": "shop"},
        "spec": {"minAvailable": 1},
    },
}


@pytest.mark.parametrize(
    ("base", "path", "value", "said"),
    [
        (
            "deployment",
            "spec.replicas",
            -1,
            "spec.replicas: Invalid value: -1: must be greater than or equal to 0",
        ),
        ("deployment", "spec.selector", None, "spec.selector: Required value"),
        (
            "deployment",
            "spec.selector",
            {"matchLabels": {"x": "y"}},
            "`selector` does not match template `labels`",
        ),
        ("deployment", "spec.selector", {"matchExpressions": [{"key": "a"}]}, "operator: Unsupported value"),
        ("deployment", "spec.selector", {"matchExpressions": [{"operator": "In"}]}, "key: Required value"),
        ("deployment", "spec.template.spec.containers", [], "spec.template.spec.containers: Required value"),
        ("deployment", f"{CONTAINER}.image", "", "spec.template.spec.containers[0].image: Required value"),
        ("deployment", f"{CONTAINER}.name", "Upper", "RFC 1123 label"),
        ("deployment", f"{CONTAINER}.name", "sidecar", 'containers[1].name: Duplicate value: "sidecar"'),
        (
            "deployment",
            f"{CONTAINER}.resources.requests.memory",
            "1Gi",
            'requests: Invalid value: "1Gi": must be less than or equal to memory limit of 128Mi',
        ),
        ("deployment", f"{CONTAINER}.resources.limits.memory", "lots", "quantities must match"),
        ("deployment", f"{CONTAINER}.resources.limits.memory", "-5Mi", "must be greater than or equal to 0"),
        ("deployment", f"{CONTAINER}.volumeMounts", [{"name": "v", "mountPath": "/v"}], 'Not found: "v"'),
        ("deployment", f"{CONTAINER}.ports", [{"containerPort": 99999}], "must be between 1 and 65535"),
        ("deployment", "spec.template.spec.restartPolicy", "Never", 'Unsupported value: "Never"'),
        ("deployment", "metadata.labels", {"a b": "c"}, "name part must consist of"),
        ("deployment", "metadata.labels", {"a": "not ok!"}, "a valid label must be"),
        (
            "deployment",
            "metadata.annotations",
            {"a": "x" * 300_000},
            "Too long: may not be more than 262144 bytes",
        ),
        ("map", "metadata.name", "Bad_Name", "RFC 1123 subdomain"),
        ("map", "metadata.name", "..", "RFC 1123 subdomain"),
        ("map", "metadata.name", "a" * 254, "must be no more than 253 characters"),
        ("service", "metadata.name", "1st", "DNS-1035 label"),
        ("service", "spec.ports", [], "spec.ports: Required value"),
        ("service", "spec.type", "Magic", "Unsupported value"),
        ("hpa", "spec.maxReplicas", 0, "must be greater than 0"),
        ("hpa", "spec.minReplicas", 9, "must be greater than or equal to `minReplicas`"),
        ("job", "spec.template.spec.restartPolicy", "Always", "Unsupported value"),
        ("pdb", "spec.maxUnavailable", 1, "cannot be both set"),
        ("node", "spec.taints", [{"key": "a", "effect": "Never"}], "Unsupported value"),
    ],
)
def test_an_invalid_object_is_refused_with_its_field(
    store: Store, base: str, path: str, value: Any, said: str
) -> None:
    with pytest.raises(ApiError) as refused:
        store.create(put(BASE[base], path, value))
    error = refused.value
    assert (error.status, error.reason) == (422, "Invalid")
    assert said in error.message
    assert error.details is not None
    assert error.details["causes"][0]["field"] in error.message


@pytest.mark.parametrize(
    ("base", "path", "value"),
    [
        ("deployment", "spec", "text"),
        ("deployment", "spec.replicas", "three"),
        ("deployment", "spec.replicas", True),
        ("deployment", "spec.template.spec.containers", {"name": "app"}),
        ("deployment", "spec.template.spec.containers", ["app"]),
        ("deployment", "spec.template.spec.containers", [None]),
        ("deployment", f"{CONTAINER}.image", 5),
        ("deployment", "metadata.labels", {"a": 1}),
        ("deployment", "metadata.labels", ["a"]),
        ("deployment", "metadata.name", 7),
        ("pod", "metadata.ownerReferences", ["x"]),
        ("map", "data", {"a": 1}),
        ("map", "metadata", []),
    ],
)
def test_a_field_of_the_wrong_type_is_a_bad_request(store: Store, base: str, path: str, value: Any) -> None:
    with pytest.raises(ApiError) as refused:
        store.create(put(BASE[base], path, value))
    assert (refused.value.status, refused.value.reason) == (400, "BadRequest")


def test_a_selector_never_changes(store: Store) -> None:
    store.create(deployment())
    both = {"app": "web", "tier": "x"}
    change = {"spec": {"selector": {"matchLabels": both}, "template": {"metadata": {"labels": both}}}}
    with pytest.raises(ApiError, match="field is immutable"):
        store.patch("Deployment", "shop", "web", change, "merge")


def test_a_running_pod_changes_its_image_and_little_else(store: Store) -> None:
    store.create(pod("a"))
    bound = store.patch("Pod", "shop", "a", {"spec": {"nodeName": "n1"}}, "strategic", manager="scheduler")
    assert bound["spec"]["nodeName"] == "n1"
    store.set_status("Pod", "shop", "a", RUNNING)
    changed = {"spec": {"containers": [{"name": "app", "image": "x:2"}]}}
    assert store.patch("Pod", "shop", "a", changed, "strategic")["spec"]["containers"][0]["image"] == "x:2"
    for spec in (
        {"nodeName": "n2"},
        {"containers": [{"name": "app", "command": ["sh"]}]},
        {"hostNetwork": True},
    ):
        with pytest.raises(ApiError, match="pod updates may not change fields other than"):
            store.patch("Pod", "shop", "a", {"spec": spec}, "strategic")


def test_immutable_data_stays(store: Store) -> None:
    store.create({**config_map(a="1"), "immutable": True})
    with pytest.raises(ApiError, match="field is immutable when `immutable` is set"):
        store.patch("ConfigMap", "shop", "settings", {"data": {"a": "2"}}, "merge")


def test_a_deployment_and_its_pods_get_their_defaults(store: Store) -> None:
    bare = deployment()
    del bare["spec"]["replicas"]
    spec = store.create(bare)["spec"]
    assert (spec["replicas"], spec["strategy"]["rollingUpdate"]["maxSurge"]) == (1, "25%")
    template = spec["template"]["spec"]
    assert (template["restartPolicy"], template["terminationGracePeriodSeconds"]) == ("Always", 30)
    assert [c["imagePullPolicy"] for c in template["containers"]] == ["IfNotPresent", "IfNotPresent"]


def test_a_pod_asks_for_its_limit_where_it_asks_for_nothing(store: Store) -> None:
    limited = put(pod("a"), "spec.containers.0.resources", {"limits": {"memory": "64Mi", "cpu": "1"}})
    made = store.create(limited)
    assert made["spec"]["containers"][0]["resources"]["requests"] == {"memory": "64Mi", "cpu": "1"}
    assert made["status"] == {"phase": "Pending", "qosClass": "Guaranteed"}


def test_a_job_selects_its_own_pods(store: Store) -> None:
    made = store.create(BASE["job"])
    uid = made["metadata"]["uid"]
    assert made["spec"]["selector"]["matchLabels"] == {"batch.kubernetes.io/controller-uid": uid}
    assert made["spec"]["template"]["metadata"]["labels"]["job-name"] == "j"


def test_a_service_gets_an_address_and_keeps_it(store: Store) -> None:
    made = store.create(BASE["service"])
    assert made["spec"]["clusterIP"].startswith("172.20.")
    with pytest.raises(ApiError, match="may not change once set"):
        store.patch("Service", "shop", "s", {"spec": {"clusterIP": "172.20.9.9"}}, "merge")


def test_plain_secret_text_is_stored_encoded(store: Store) -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s", "namespace": "shop"},
        "stringData": {"a": "text"},
    }
    made = store.create(secret)
    assert (made["type"], made["data"]) == ("Opaque", {"a": "dGV4dA=="})
    assert "stringData" not in made


@pytest.mark.parametrize(
    ("text", "number"),
    [("500m", 0.5), ("2", 2), ("1Ki", 1024), ("1.5Gi", 1.5 * 2**30), ("3e2", 300), ("12n", 12e-9), (4, 4)],
)
def test_a_quantity_is_read_exactly(text: str | int, number: float) -> None:
    amount = parse_quantity(text)
    assert amount is not None
    assert float(amount) == pytest.approx(number)


@pytest.mark.parametrize("text", ["", "abc", "1 Gi", "1gi", "--1", None, True, [], "9" * 65])
def test_what_is_no_quantity_is_none(text: object) -> None:
    assert parse_quantity(text) is None


def test_qos_follows_requests_and_limits() -> None:
    assert qos_class({"containers": [{"name": "a"}]}) == "BestEffort"
    some = {"requests": {"cpu": "1"}}
    assert qos_class({"containers": [{"name": "a", "resources": some}]}) == "Burstable"
