"""Pod Security Admission: the levels, the words, and who is only warned."""

import pytest

from aiops_lab.kube.admission.pod_security import violations
from aiops_lab.kube.store import ApiError
from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios.shapes import container, deployment, namespace, template
from aiops_lab.world.world import World
from tests.lab.admission.test_quota import pod
from tests.lab.world.stage import events, load

ENFORCE = "pod-security.kubernetes.io/enforce"
SAFE = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}


@pytest.fixture
def world() -> World:
    return load("healthy", furnished=False)


def spec(**main: object) -> Obj:
    return {"containers": [{"name": "app", "image": "repo/app:1", **main}]}


def test_an_ordinary_pod_is_not_restricted_enough() -> None:
    assert violations({ENFORCE: "restricted"}, "enforce", spec()) == (
        '"restricted:latest": allowPrivilegeEscalation != false (container "app" must set '
        'securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container "app" must '
        'set securityContext.capabilities.drop=["ALL"]), runAsNonRoot != true (pod or container "app" must '
        'set securityContext.runAsNonRoot=true), seccompProfile (pod or container "app" must set '
        'securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")'
    )


def test_a_careful_pod_passes_every_level() -> None:
    for level in ("privileged", "baseline", "restricted"):
        assert violations({ENFORCE: level}, "enforce", spec(securityContext=SAFE)) == ""


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (
            spec(securityContext={"privileged": True}),
            'privileged (container "app" must not set securityContext.privileged=true)',
        ),
        (
            {**spec(), "hostNetwork": True, "hostPID": True},
            "host namespaces (hostNetwork=true, hostPID=true)",
        ),
        (
            spec(ports=[{"containerPort": 80, "hostPort": 80}, {"containerPort": 81, "hostPort": 81}]),
            'hostPort (container "app" uses hostPorts 80, 81)',
        ),
        (
            {**spec(), "volumes": [{"name": "logs", "hostPath": {"path": "/var/log"}}]},
            'hostPath volumes (volume "logs")',
        ),
        (
            spec(securityContext={"capabilities": {"add": ["SYS_ADMIN", "NET_ADMIN"]}}),
            (
                'non-default capabilities (container "app" must not include "NET_ADMIN", "SYS_ADMIN" in '
                "securityContext.capabilities.add)"
            ),
        ),
        (
            {**spec(), "securityContext": {"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}},
            "forbidden sysctls (kernel.msgmax)",
        ),
    ],
)
def test_the_baseline_names_what_is_wrong(broken: Obj, says: str) -> None:
    assert violations({ENFORCE: "baseline"}, "enforce", broken) == f'"baseline:latest": {says}'


def test_pods_are_refused_and_their_owners_only_told_by_the_event(world: World) -> None:
    world.put(namespace("locked", **{ENFORCE: "baseline"}))
    world.clock.advance(1)
    main = container("app", world.publish("repo/app:1"), securityContext={"privileged": True})
    world.put(deployment("locked", "app", 1, template({"app": "app"}, [main])))
    world.clock.advance(5)
    assert world.store.list("Pod", "locked") == []
    said = events(world, "app", "FailedCreate", "locked")
    assert 'violates PodSecurity "baseline:latest": privileged (' in said[0]["message"]
    bare = pod("bare", hostIPC=True)
    bare["metadata"]["namespace"] = "locked"
    with pytest.raises(ApiError) as refused:
        world.put(bare)
    assert refused.value.message == (
        'pods "bare" is forbidden: violates PodSecurity "baseline:latest": host namespaces (hostIPC=true)'
    )


def test_warn_lets_it_pass_with_a_warning(world: World) -> None:
    world.put(namespace("watched", **{"pod-security.kubernetes.io/warn": "baseline"}))
    world.clock.advance(1)
    bare = pod("bare", hostIPC=True)
    bare["metadata"]["namespace"] = "watched"
    warnings: list[str] = []
    world.store.create(bare, warnings=warnings)
    assert warnings == ['would violate PodSecurity "baseline:latest": host namespaces (hostIPC=true)']


def test_who_enforces_and_says_nothing_else_warns_owners_of_what_will_be_refused(world: World) -> None:
    world.put(namespace("locked", **{ENFORCE: "baseline"}))
    world.clock.advance(1)
    main = container("app", "repo/app:1", securityContext={"privileged": True})
    warnings: list[str] = []
    made = deployment("locked", "app", 1, template({"app": "app"}, [main]))
    world.store.create(made, warnings=warnings)
    assert warnings[0].startswith('would violate PodSecurity "baseline:latest": privileged (')
