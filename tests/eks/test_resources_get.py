"""One object: what matters of it, without noise or secrets, with what belongs to it."""

import pytest

from tests.eks.reading import ask, on, records, refused, tokens
from tests.fakes.kube import FakeClusters, FakeSensitive, Obj, before, crashing, made, owned_by, pod

CANARY = "canary-hunter2-not-real"


def world() -> FakeClusters:
    """A crashing pod of a Deployment, with everything that may stand around one."""
    worker = crashing("pay-5b7c9-abcde")
    worker["metadata"]["ownerReferences"] = owned_by("ReplicaSet", "pay-5b7c9")
    worker["spec"]["containers"][0] |= {
        "resources": {"limits": {"memory": "256Mi"}, "requests": {"memory": "128Mi"}},
        "readinessProbe": {"httpGet": {"port": 8080, "path": "/ready"}},
        "env": [
            {"name": "DB_PASSWORD", "value": CANARY},
            {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "pay-token", "key": "t"}}},
        ],
        "envFrom": [{"configMapRef": {"name": "pay-config", "optional": True}}],
    }
    template = {"metadata": {"labels": {"app": "app"}}, "spec": worker["spec"]}
    deployment = made(
        "Deployment",
        "pay",
        api="apps/v1",
        spec={"replicas": 1, "selector": {"matchLabels": {"app": "app"}}, "template": template},
        metadata={
            "managedFields": [{"manager": "kubectl"}],
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": CANARY},
        },
    )
    budget = made(
        "PodDisruptionBudget",
        "pay",
        api="policy/v1",
        spec={"selector": {"matchLabels": {"app": "app"}}},
        status={"disruptionsAllowed": 0},
    )
    scaler = made(
        "HorizontalPodAutoscaler",
        "pay",
        api="autoscaling/v2",
        spec={"scaleTargetRef": {"kind": "Deployment", "name": "pay"}, "maxReplicas": 5},
        status={"currentReplicas": 1},
    )
    return on(
        worker,
        made(
            "ReplicaSet",
            "pay-5b7c9",
            api="apps/v1",
            metadata={"ownerReferences": owned_by("Deployment", "pay")},
        ),
        deployment,
        budget,
        scaler,
        made("Service", "pay", spec={"type": "ClusterIP", "selector": {"app": "app"}}),
        made("Service", "other", spec={"selector": {"app": "else"}}),
        made("Secret", "pay-token", data={"t": "Q0FOQVJZ"}),
        event("BackOff", "Warning", 41),
    )


def event(reason: str, kind: str, times: int) -> Obj:
    about = {"kind": "Pod", "name": "pay-5b7c9-abcde", "namespace": "production"}
    return made(
        "Event",
        f"e-{reason.lower()}",
        involvedObject=about,
        reason=reason,
        type=kind,
        count=times,
        message="Back-off restarting failed container",
        firstTimestamp=before(minutes=22),
        lastTimestamp=before(seconds=20),
    )


async def test_a_pod_comes_with_owners_relations_and_events() -> None:
    answer = await ask(world(), "get_resource", kind="pod", name="pay-5b7c9-abcde", namespace="production")
    assert answer["summary"] == (
        "Pod production/pay-5b7c9-abcde: CrashLoopBackOff (OOMKilled), 6 restarts; owned by "
        "ReplicaSet/pay-5b7c9 ← Deployment/pay; refers to missing ConfigMap pay-config (optional)."
    )
    assert answer["owners"] == ["ReplicaSet/pay-5b7c9", "Deployment/pay"]
    related = {(row["kind"], row["name"]): row["state"] for row in records(answer["related"])}
    assert related == {
        ("Service", "pay"): "ClusterIP",
        ("PodDisruptionBudget", "pay"): "allows 0 disruptions",
        ("HorizontalPodAutoscaler", "pay"): "1-5 replicas, now 1",
        ("ConfigMap", "pay-config"): "missing, optional",
        ("Secret", "pay-token"): "exists",
        ("Node", "node-1"): "gone",
    }
    assert records(answer["events"])[0] | {"message": ""} == {
        "last": "20s",
        "type": "Warning",
        "reason": "BackOff",
        "count": 41,
        "message": "",
        "first": "22m",
    }
    facts = {row["fact"]: row["value"] for row in records(answer["facts"])}
    assert facts["app resources"] == "requests memory=128Mi; limits memory=256Mi"
    assert facts["app probes"] == "readiness HTTP :8080/ready every 10s x3"
    assert "last run ended OOMKilled 2m ago after 70s" in facts["container app"]
    assert tokens(answer) <= 1_500


@pytest.mark.threat("T6")
@pytest.mark.parametrize("view", ["summary", "yaml"])
@pytest.mark.parametrize(("kind", "name"), [("pod", "pay-5b7c9-abcde"), ("deploy", "pay")])
async def test_noise_and_secrets_are_not_shown(view: str, kind: str, name: str) -> None:
    answer = await ask(world(), "get_resource", kind=kind, name=name, namespace="production", view=view)
    for hidden in (CANARY, "managedFields", "last-applied", "Q0FOQVJZ"):
        assert hidden not in str(answer)


@pytest.mark.threat("T6")
@pytest.mark.parametrize("view", ["summary", "yaml"])
@pytest.mark.parametrize(
    "holder",
    [
        made("Secret", "x", type="Opaque", data={"password": CANARY}, stringData={"other": CANARY}),
        made("Secret", "x", type="helm.sh/release.v1", data={"release": CANARY}),
        made("SealedSecret", "x", api="bitnami.com/v1alpha1", spec={"encryptedData": {"password": CANARY}}),
        made("ConfigMap", "x", data={"release": CANARY}, metadata={"labels": {"owner": "helm"}}),
    ],
)
async def test_kinds_that_hold_secrets_show_names_only(holder: Obj, view: str) -> None:
    answer = await ask(on(holder), "get_resource", kind=holder["kind"], name="x", view=view)
    assert CANARY not in str(answer)
    if holder["kind"] != "ConfigMap":
        assert "release" in str(answer) or "password" in str(answer)


async def test_a_secret_a_pod_refers_to_is_never_read() -> None:
    clusters = world()
    await ask(clusters, "get_resource", kind="pod", name="pay-5b7c9-abcde", namespace="production")
    asked = [each for each in clusters.kubes[0].requests if " secrets " in each]
    assert asked == ["table secrets production"]


async def test_without_sensitive_reads_events_are_left_out_and_that_is_said() -> None:
    from tests.eks.reading import connect

    gate = FakeSensitive(allowed=False)
    async with connect(world(), gate) as client:
        answer = await client.call_tool("get_resource", {"kind": "deploy", "name": "pay"})
    assert "AIOPS_SENSITIVE_READS" in (answer.structured_content or {})["warnings"][-1]
    assert gate.asked == []


async def test_one_forbidden_look_up_is_a_warning() -> None:
    clusters = world()
    clusters.kubes[0].denied = frozenset({"PodDisruptionBudget"})
    answer = await ask(clusters, "get_resource", kind="pod", name="pay-5b7c9-abcde", namespace="production")
    assert answer["warnings"] == ["PodDisruptionBudgets not looked at: the identity may not"]


async def test_the_only_namespace_need_not_be_named() -> None:
    answer = await ask(world(), "get_resource", kind="deploy", name="pay")
    assert answer["summary"].startswith("Deployment production/pay: 0/1 ready")


async def test_a_name_in_several_namespaces_must_say_which() -> None:
    said = await refused(on(pod("a", "dev"), pod("a", "test")), "get_resource", kind="Pod", name="a")
    assert said == "[invalid_input] namespace: Pod a is in several; give one of: dev, test"


async def test_a_wrong_name_gets_the_nearest() -> None:
    said = await refused(on(pod("api-1")), "get_resource", kind="Pod", name="api-2", namespace="production")
    assert said == "[not_found] Pod production/api-2: not found; nearest: api-1"


async def test_a_deployment_says_how_its_pods_are() -> None:
    answer = await ask(world(), "get_resource", kind="deploy", name="pay", namespace="production")
    pods = [(row["name"], row["state"]) for row in records(answer["related"]) if row["kind"] == "Pod"]
    assert pods == [("1 in all", "0 healthy"), ("pay-5b7c9-abcde", "CrashLoopBackOff")]


@pytest.mark.parametrize(
    ("obj", "facts"),
    [
        (
            made("Service", "s", spec={"type": "ClusterIP", "ports": [{"port": 80, "targetPort": "http"}]}),
            {"type": "ClusterIP", "selector": "none"},
        ),
        (
            made("PersistentVolumeClaim", "c", spec={"storageClassName": "gp3"}, status={"phase": "Pending"}),
            {"phase": "Pending", "class": "gp3"},
        ),
        (made("ConfigMap", "m", data={"LEVEL": "info"}), {"data LEVEL": "info"}),
        (
            made("Node", "n", "", spec={"unschedulable": True}, status={"allocatable": {"cpu": "4"}}),
            {"unschedulable": "true", "allocatable": "cpu=4"},
        ),
        (made("EndpointSlice", "e", addressType="IPv4"), {"age": "3d"}),
    ],
)
async def test_each_kind_shows_what_matters_of_it(obj: Obj, facts: dict[str, str]) -> None:
    answer = await ask(on(obj), "get_resource", kind=obj["kind"], name=obj["metadata"]["name"])
    shown = {row["fact"]: row["value"] for row in records(answer["facts"])}
    assert facts.items() <= shown.items()


@pytest.mark.threat("T14")
async def test_a_misshapen_object_is_shown_and_not_a_crash() -> None:
    broken = made("Pod", "x", spec={"containers": [None, {"name": 7}]}, status={"containerStatuses": "no"})
    answer = await ask(on(broken), "get_resource", kind="Pod", name="x")
    assert answer["summary"].startswith("Pod production/x")
