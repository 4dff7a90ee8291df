"""Images, scheduling, volumes, workloads, nodes and Services: causes, look-alikes, and healthy furniture."""

from typing import Any

import pytest

from aiops_eks.diagnosis.objects import Ref
from tests.eks.diagnosis.worlds import (
    NS,
    Obj,
    ago,
    codes,
    crashing,
    deployment,
    diagnosed,
    died,
    happened,
    missing,
    node,
    only,
    pod,
    running,
    service,
    waiting,
    world,
)

PULL = 'failed to pull and unpack image "registry.example.com/cart:9": failed to resolve reference '
PULL += '"registry.example.com/cart:9": '
IMAGE = {"image": "registry.example.com/cart:9"}


def pulling(answer: str, **more: Any) -> Obj:
    return pod(
        state=waiting("ImagePullBackOff", f"Back-off pulling image: {answer}"), container=IMAGE, **more
    )


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (PULL + "registry.example.com/cart:9: not found", "IMAGE_NOT_FOUND"),
        (PULL + "unexpected status: 401 Unauthorized", "IMAGE_AUTH"),
        (
            PULL
            + "pull access denied, repository does not exist or may require authorization: server message: "
            "insufficient_scope: authorization failed",
            "IMAGE_AUTH",
        ),
        (PULL + "no basic auth credentials", "IMAGE_AUTH"),
        (PULL + "429 Too Many Requests - toomanyrequests: rate exceeded", "IMAGE_RATE_LIMITED"),
        (PULL + "dial tcp: lookup registry.example.com: no such host", "REGISTRY_DNS"),
        (PULL + "x509: certificate has expired or is not yet valid", "REGISTRY_TLS"),
        ("no match for platform in manifest: not found", "IMAGE_WRONG_PLATFORM"),
        ("something new", "IMAGE_PULL_FAILED"),
    ],
)
def test_the_registrys_answer_gives_the_code(answer: str, code: str) -> None:
    facts = world(pulling(answer), happened("Failed", f'Failed to pull image "x": {answer}'))
    found = only(facts)
    assert (found.code, found.kind, found.name) == (code, "Deployment", "cart")


def test_the_cause_is_read_from_the_event_when_the_status_only_says_back_off() -> None:
    said = 'Failed to pull image "x": ' + PULL + "not found"
    assert only(world(pulling(""), happened("Failed", said, ago_s=1200))).code == "IMAGE_NOT_FOUND"


def test_words_inside_the_images_own_name_are_not_read_as_the_registrys_answer() -> None:
    named = pod(
        state=waiting("ImagePullBackOff", 'Back-off pulling image "denied/forbidden:x509"'),
        container={"image": "denied/forbidden:x509"},
    )
    assert only(world(named)).code == "IMAGE_PULL_FAILED"


def test_a_pull_secret_that_does_not_exist_is_where_the_fault_is() -> None:
    facts = world(
        pulling(
            PULL + "unexpected status: 401 Unauthorized", spec={"imagePullSecrets": [{"name": "regcred"}]}
        ),
        lookups=[missing("regcred", kind="Secret")],
    )
    found = only(facts)
    assert (found.code, found.kind, found.name) == ("IMAGE_AUTH", "Secret", "regcred")


def test_a_bad_new_revision_beside_pods_that_still_serve_is_medium() -> None:
    facts = world(
        pod(name="cart-old-1", state=running(90_000), ready=True),
        pulling(PULL + "not found"),
        deployment(ready=1, replicas=1),
    )
    assert only(facts).severity == "medium"


def unscheduled(message: str, **more: Any) -> Obj:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    return pod(state=waiting(""), phase="Pending", conditions=[condition], spec={"nodeName": "", **more})


@pytest.mark.parametrize(
    ("refusals", "code"),
    [
        ("6 Insufficient cpu", "INSUFFICIENT_CPU"),
        ("3 node(s) had untolerated taint {gpu: true}, 3 Insufficient memory", "INSUFFICIENT_MEMORY"),
        (
            "2 node(s) didn't match Pod's node affinity/selector, 4 Insufficient nvidia.com/gpu",
            "INSUFFICIENT_GPU",
        ),
        ("6 Too many pods", "TOO_MANY_PODS"),
        ("6 node(s) didn't match Pod's node affinity/selector", "NODE_SELECTOR_UNMATCHED"),
        ("6 node(s) had untolerated taint {dedicated: infra}", "TAINT_NOT_TOLERATED"),
        ("6 node(s) didn't match pod anti-affinity rules", "ANTI_AFFINITY_CONFLICT"),
        ("6 node(s) didn't match pod topology spread constraints", "TOPOLOGY_SPREAD_CONFLICT"),
        ("3 node(s) had volume node affinity conflict, 3 Insufficient cpu", "VOLUME_ZONE_CONFLICT"),
        ("6 node(s) were unschedulable", "NODES_CORDONED"),
        ("6 node(s) were struck by lightning", "UNSCHEDULABLE"),
    ],
)
def test_the_filter_nearest_to_a_fit_gives_the_code(refusals: str, code: str) -> None:
    said = f"0/6 nodes are available: {refusals}. preemption: 0/6 nodes are available: 6 Insufficient cpu."
    assert only(world(unscheduled(said), happened("FailedScheduling", said))).code == code


def claim(phase: str = "Pending", age_s: float = 900) -> Obj:
    meta = {"name": "data", "namespace": NS, "creationTimestamp": ago(age_s)}
    spec = {"storageClassName": "fast"}
    return {"kind": "PersistentVolumeClaim", "metadata": meta, "spec": spec, "status": {"phase": phase}}


def test_an_unbound_claim_and_the_pod_that_waits_for_it_are_one_finding_at_the_claim() -> None:
    said = "0/6 nodes are available: pod has unbound immediate PersistentVolumeClaims."
    waits = unscheduled(said, volumes=[{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}])
    found = only(world(waits, claim()))
    assert (found.code, found.kind, found.name) == ("PVC_PENDING", "PersistentVolumeClaim", "data")
    assert any(symptom.startswith("Pod ") for symptom in found.symptoms)


def test_a_claim_that_does_not_exist_is_where_the_fault_is() -> None:
    said = '0/6 nodes are available: persistentvolumeclaim "data" not found.'
    found = only(world(unscheduled(said)))
    assert (found.code, found.name) == ("PVC_UNBOUND", "data")


def test_a_volume_that_another_node_holds_is_said() -> None:
    stuck = pod(state=waiting("ContainerCreating"), phase="Pending")
    said = 'Multi-Attach error for volume "pvc-1" Volume is already exclusively attached to one node'
    assert only(world(stuck, happened("FailedAttachVolume", said))).code == "VOLUME_MULTI_ATTACH"


def test_a_sandbox_without_an_address_is_said() -> None:
    stuck = pod(state=waiting("ContainerCreating"), phase="Pending")
    said = 'plugin type="aws-cni" failed (add): add cmd: failed to assign an IP address to container'
    assert only(world(stuck, happened("FailedCreatePodSandBox", said))).code == "POD_IP_UNAVAILABLE"


def test_a_pod_that_is_still_young_is_no_finding() -> None:
    young = pod(state=waiting("ContainerCreating"), phase="Pending", metadata={"creationTimestamp": ago(30)})
    assert codes(world(young)) == []


# workloads


def test_a_controller_that_may_not_create_pods_says_why() -> None:
    said = 'Error creating: pods "cart-x" is forbidden: exceeded quota: compute, requested: limits.memory=1Gi'
    short = deployment(ready=0)
    facts = world(short, happened("FailedCreate", said, about=short))
    assert only(facts).code == "QUOTA_EXCEEDED"


def test_a_rollout_past_its_deadline_hangs_on_the_finding_of_its_pods() -> None:
    late = [
        {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "late"}
    ]
    facts = world(pulling(PULL + "not found"), deployment(ready=0, conditions=late))
    found = only(facts)
    assert found.code == "IMAGE_NOT_FOUND"
    assert "Deployment" in found.kind


def test_a_rollout_past_its_deadline_stands_alone_when_no_pod_says_why() -> None:
    late = [
        {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "late"}
    ]
    assert only(world(deployment(ready=0, conditions=late))).code == "ROLLOUT_STUCK"


def test_a_rollout_within_its_deadline_and_a_workload_at_zero_are_no_findings() -> None:
    going = [{"type": "Progressing", "status": "True", "reason": "ReplicaSetUpdated"}]
    asleep = deployment("night", ready=0, replicas=0)
    facts = world(deployment(ready=1, replicas=3, conditions=going), asleep, service("night"))
    assert codes(facts) == []


def job(name: str, *, failed: bool, age_s: float, failures: int = 1) -> Obj:
    kind = "Failed" if failed else "Complete"
    condition = {"type": kind, "status": "True", "reason": "R", "lastTransitionTime": ago(age_s)}
    owner = {"kind": "CronJob", "name": "report", "controller": True}
    meta = {"name": name, "namespace": NS, "creationTimestamp": ago(age_s + 60), "ownerReferences": [owner]}
    return {
        "kind": "Job",
        "metadata": meta,
        "spec": {},
        "status": {"conditions": [condition], "failed": failures},
    }


def failed_pod(job_name: str) -> Obj:
    owner = {"kind": "Job", "name": job_name, "controller": True}
    return pod(
        state=died(ago_s=30_000),
        phase="Failed",
        metadata={"ownerReferences": [owner]},
        spec={"restartPolicy": "Never"},
    )


def test_a_failed_job_is_held_by_the_finding_of_its_pod() -> None:
    found = only(world(job("report-1", failed=True, age_s=600), failed_pod("report-1"), log=["error: boom"]))
    assert found.code == "APP_ERROR"
    assert "Job shop/report-1" in found.symptoms


def test_a_failed_run_that_a_later_one_made_good_is_no_finding() -> None:
    facts = world(
        job("report-1", failed=True, age_s=30_000),
        job("report-2", failed=False, age_s=600),
        failed_pod("report-1"),
    )
    assert codes(facts) == []


# nodes


def test_a_node_that_stopped_reporting_holds_its_pods() -> None:
    facts = world(node(Ready="Unknown"), pod(state=running(900), ready=False))
    found = only(facts)
    assert (found.code, found.severity, found.name) == ("NODE_KUBELET_SILENT", "critical", "node-a")


@pytest.mark.parametrize("kind", ["MemoryPressure", "DiskPressure", "PIDPressure"])
def test_pressure_counts_while_it_holds(kind: str) -> None:
    assert codes(world(node(**{kind: "True"}))) == [f"NODE_{kind.removesuffix('Pressure').upper()}_PRESSURE"]
    assert codes(world(node(**{kind: "False"}))) == []


def test_an_evicted_pod_is_told_at_its_node() -> None:
    gone = pod(
        state=died(137, ago_s=300),
        phase="Failed",
        reason="Evicted",
        message="The node was low on resource: memory.",
    )
    codes_found = codes(world(node(), gone))
    assert "POD_EVICTED" in codes_found


def test_a_pod_that_does_not_go_away_names_its_finalizer() -> None:
    stays = pod(metadata={"deletionTimestamp": ago(3000), "finalizers": ["example.com/hold"]})
    found = only(world(stays))
    assert found.code == "STUCK_TERMINATING"
    assert "example.com/hold" in found.title


# Services


def test_a_selector_that_nearly_fits_is_told_at_the_service() -> None:
    facts = world(
        pod(state=running(90_000), ready=True, metadata={"labels": {"app": "cart", "tier": "web"}}),
        service(selector={"app": "cart", "tier": "wbe"}),
    )
    found = only(facts)
    assert (found.code, found.kind) == ("SERVICE_SELECTOR_MISMATCH", "Service")


@pytest.mark.parametrize(
    ("label", "wanted", "found"),
    [
        ("cart-api", "cart-apl", 1),
        ("cart", "cart-v2", 0),
        ("cart", "pay", 0),
        ("cart-1", "cart-2", 0),
        ("shop-web", "shopweb", 1),
    ],
)
def test_only_a_misspelling_is_taken_for_one(label: str, wanted: str, found: int) -> None:
    well = pod(state=running(90_000), ready=True, metadata={"labels": {"app": label}})
    assert len(codes(world(well, service("front", {"app": wanted})))) == found


def test_a_service_for_a_leader_while_nobody_leads_is_no_finding() -> None:
    well = pod(state=running(90_000), ready=True, metadata={"labels": {"app": "cart", "role": "standby"}})
    assert codes(world(well, service("front", {"app": "cart", "role": "leader"}))) == []


def test_a_target_port_that_no_container_names_is_told() -> None:
    ports = [{"port": 80, "targetPort": "web"}]
    facts = world(
        pod(
            state=running(90_000), ready=True, container={"ports": [{"name": "http", "containerPort": 8080}]}
        ),
        service(ports=ports),
        endpoints={"cart": 1},
    )
    assert only(facts).code == "SERVICE_PORT_MISMATCH"


def test_services_without_selector_without_pods_or_for_a_standby_are_no_findings() -> None:
    leader = service("leader", selector={"app": "cart", "role": "leader"})
    facts = world(
        service("outside", selector={}),
        service("nobody"),
        leader,
        pod(state=running(90_000), ready=True, metadata={"labels": {"app": "cart", "role": "leader"}}),
        endpoints={"leader": 1},
    )
    assert codes(facts) == []


# ranking and narrowing


def test_the_finding_that_hurts_users_comes_first() -> None:
    facts = world(
        crashing(), deployment(ready=0), service(), node(DiskPressure="True"), log=["level=fatal msg=bang"]
    )
    assert codes(facts) == ["APP_ERROR", "NODE_DISK_PRESSURE"]


def test_a_question_about_one_object_gets_only_what_touches_it() -> None:
    facts = world(crashing(), node("node-z", DiskPressure="True"), log=["level=fatal msg=bang"])
    about = diagnosed(facts, Ref("Deployment", NS, "cart"))
    assert [one.code for one in about.findings] == ["APP_ERROR"]
    assert diagnosed(facts, Ref("Node", "", "node-z")).findings[0].code == "NODE_DISK_PRESSURE"


def test_ten_findings_are_shown_the_rest_is_counted_and_the_answer_stays_small() -> None:
    many = [
        crashing(
            name=f"w{n}-5f6d7c8b9-aaaaa",
            metadata={"ownerReferences": [{"kind": "StatefulSet", "name": f"w{n}", "controller": True}]},
        )
        for n in range(25)
    ]
    answer = diagnosed(world(*many, log=["level=fatal msg=" + "x" * 500]))
    assert len(answer.findings) <= 10
    assert len(answer.findings) + answer.findings_omitted == 25
    assert answer.truncated
    assert len(answer.model_dump_json()) < 14_000


def test_an_eviction_hangs_on_the_pressure_that_explains_it() -> None:
    gone = pod(
        state=died(137, ago_s=300), phase="Failed", reason="Evicted", message="low on resource: memory"
    )
    assert codes(world(node(MemoryPressure="True"), gone)) == ["NODE_MEMORY_PRESSURE"]
