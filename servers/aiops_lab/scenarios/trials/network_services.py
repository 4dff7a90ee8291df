"""Trials of Services: what they select, which port they lead to, and who makes their load balancer."""

from collections.abc import Callable
from random import Random

from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios.base import Build, Stage
from aiops_lab.scenarios.names import Names
from aiops_lab.scenarios.programs import serving
from aiops_lab.scenarios.shapes import service
from aiops_lab.scenarios.trials.base import Trial, trial
from aiops_lab.scenarios.trials.network_base import (
    DAY_S,
    HOME,
    HOUR_S,
    MIN_S,
    addressed,
    api,
    back,
    dying,
    expects,
    put_api,
    put_back,
    since,
    turns,
)

# aws-load-balancer-controller, pkg/networking/subnet_resolver.go and service/ingress reconcilers
_NO_SUBNETS = (
    "Failed build model due to unable to resolve at least one subnet (0 match VPC and tags: "
    "[kubernetes.io/role/elb])"
)
_NO_SUBNETS_EITHER = (
    "Failed build model due to couldn't auto-discover subnets: unable to resolve at least one subnet (0 "
    "match VPC and tags: [kubernetes.io/role/internal-elb])"
)
_LEGACY = (
    "Error syncing load balancer: failed to ensure load balancer: could not find any suitable subnets for "
    "creating the ELB"
)
_DENIED = (
    "Failed deploy model due to AccessDenied: User: arn:aws:sts::111122223333:assumed-role/lbc is not "
    "authorized to perform: elasticloadbalancing:CreateLoadBalancer"
)
_BAD_NOTE = (
    "Failed build model due to failed to parse stringMap annotation, "
    "service.beta.kubernetes.io/aws-load-balancer-additional-resource-tags: team"
)


# SERVICE_SELECTOR_MISMATCH


def _asleep(stage: Stage, names: Names, rng: Random) -> None:
    """Scaled to zero on purpose: the Service selects nothing."""
    put_api(stage, names, rng.uniform(2, 9) * DAY_S, serving(names.api))
    stage.change_at(rng.uniform(1, 30) * HOUR_S, "Deployment", HOME, names.api, _to_zero)


def _to_zero(found: Obj) -> None:
    found["spec"]["replicas"] = 0


def _selector_mended(stage: Stage, names: Names, rng: Random) -> None:
    put_api(stage, names, 2 * DAY_S, serving(names.api))

    def select(app: str) -> Callable[[Obj], None]:
        def change(found: Obj) -> None:
            found["spec"]["selector"] = {"app": app}

        return change

    stage.change_at(55 * MIN_S, "Service", HOME, names.api, select(f"{names.api}s"))
    stage.change_at(rng.uniform(15, 40) * MIN_S, "Service", HOME, names.api, select(names.api))


# SERVICE_PORT_MISMATCH


def _leads_to(target: str | int) -> Callable[[Obj], None]:
    def change(found: Obj) -> None:
        found["spec"]["ports"][0]["targetPort"] = target

    return change


def _wrong_port(*, by_name: bool, mended: bool = False) -> Build:
    def build(stage: Stage, names: Names, rng: Random) -> None:
        put_api(stage, names, rng.uniform(2, 9) * DAY_S, serving(names.api))
        target: str | int = ("web", "https", "app")[names.seed % 3]
        if not by_name:
            target = rng.choice((80, 8000, 8081, 3000))
        stage.change_at(55 * MIN_S, "Service", HOME, names.api, _leads_to(target))
        if mended:
            stage.change_at(rng.uniform(15, 40) * MIN_S, "Service", HOME, names.api, _leads_to("http"))

    return build


def _refused(stage: Stage, names: Names, rng: Random) -> None:
    """The backend's Service has two ports, one of them led wrong; its caller is refused there."""
    ports = [
        {"name": "sql", "port": 5432, "targetPort": 5433},
        {"name": "again", "port": 15432, "targetPort": "sql"},
    ]
    put_back(stage, names, 2 * DAY_S, ports=ports)
    host = f"{back(names)}.{HOME}.svc.cluster.local"
    ways = (
        f"fatal: cannot connect: dial tcp {back(names)}:5432: connect: connection refused",
        f"Error: connect ECONNREFUSED {host}:5432",
        f'connection to server at "{back(names)}" (172.20.9.8), port 5432 failed: Connection refused',
    )
    turns(stage, names, dying(names, ways[names.seed % len(ways)]), since(rng))


def _second_service(stage: Stage, names: Names, rng: Random) -> None:
    """A port that no container declares, for metrics, beside the Service of the declared one."""
    put_api(stage, names, rng.uniform(2, 9) * DAY_S, serving(names.api))
    ports = [{"name": "metrics", "port": 9090, "targetPort": rng.choice((9090, 9102, 15020))}]
    stage.put_at(DAY_S, service(HOME, f"{names.api}-metrics", names.api, ports=ports))


# load balancers


def _fronted(stage: Stage, names: Names, before_s: float, **spec: object) -> None:
    put_api(stage, names, 2 * DAY_S, serving(names.api))
    ports = [{"name": "http", "port": 443, "targetPort": "http"}]
    front = service(HOME, f"{names.api}-public", names.api, type="LoadBalancer", ports=ports, **spec)
    stage.put_at(before_s, front)


def _public(names: Names) -> str:
    return f"{names.api}-public"


def _said(stage: Stage, names: Names, start_s: float, end_s: float, words: str, reason: str) -> None:
    """A controller repeats itself, ever slower."""
    at_s, gap_s = start_s, 20.0
    while at_s > end_s:
        stage.say_at(at_s, "Service", HOME, _public(names), reason, words)
        at_s, gap_s = at_s - gap_s, min(gap_s * 2, 300.0)


def _refusing(*words: tuple[str, str], mended: bool = False) -> Build:
    def build(stage: Stage, names: Names, rng: Random) -> None:
        reason, said = words[names.seed % len(words)]
        start_s = rng.uniform(45, 55) * MIN_S if mended else since(rng)
        end_s = 30 * MIN_S if mended else 0.0
        _fronted(stage, names, start_s)
        _said(stage, names, start_s - 3, end_s, said, reason)
        if mended:
            stage.change_at(end_s, "Service", HOME, _public(names), addressed)
            done = "SuccessfullyReconciled", "Successfully reconciled"
            stage.say_at(end_s - 2, "Service", HOME, _public(names), *done)

    return build


def _nobody(stage: Stage, names: Names, rng: Random) -> None:
    kinds: tuple[dict[str, object], ...] = ({}, {"loadBalancerClass": "example.com/own-lb"})
    _fronted(stage, names, since(rng), **kinds[names.seed % 2])


def _just_made(stage: Stage, names: Names, rng: Random) -> None:
    _fronted(stage, names, rng.uniform(60, 200))


_SUBNETS = (
    ("FailedBuildModel", _NO_SUBNETS),
    ("FailedBuildModel", _NO_SUBNETS_EITHER),
    ("SyncLoadBalancerFailed", _LEGACY),
)
_OTHERS = (("FailedDeployModel", _DENIED), ("FailedBuildModel", _BAD_NOTE))
_UNTAGGED = expects("LOAD_BALANCER_SUBNETS_UNRESOLVED", "Service", _public)
_FAILED = expects("LOAD_BALANCER_FAILED", "Service", _public)
_PENDING = expects("LOAD_BALANCER_PENDING", "Service", _public)
_PORT = expects("SERVICE_PORT_MISMATCH", "Service", api)
_BACK_PORT = expects("SERVICE_PORT_MISMATCH", "Service", back)

TRIALS: tuple[Trial, ...] = (
    trial("SERVICE_SELECTOR_MISMATCH", "look_alike", _asleep, says="The workload sleeps on purpose."),
    trial("SERVICE_SELECTOR_MISMATCH", "recovered", _selector_mended, says="The selector was corrected."),
    trial("SERVICE_PORT_MISMATCH", "positive", _wrong_port(by_name=True), _PORT, says="No such name."),
    trial(
        "SERVICE_PORT_MISMATCH",
        "positive",
        _wrong_port(by_name=False),
        _PORT,
        says="A number that no container declares, and the declared one that nobody leads to.",
        variant="number",
    ),
    trial(
        "SERVICE_PORT_MISMATCH",
        "positive",
        _refused,
        _BACK_PORT,
        says="Its caller is refused there.",
        variant="refused",
    ),
    trial("SERVICE_PORT_MISMATCH", "look_alike", _second_service, says="A port for metrics, not declared."),
    trial(
        "SERVICE_PORT_MISMATCH", "recovered", _wrong_port(by_name=True, mended=True), says="It was corrected."
    ),
    trial(
        "LOAD_BALANCER_SUBNETS_UNRESOLVED",
        "positive",
        _refusing(*_SUBNETS),
        _UNTAGGED,
        says="No tags.",
    ),
    trial(
        "LOAD_BALANCER_SUBNETS_UNRESOLVED",
        "look_alike",
        _refusing(*_OTHERS),
        _FAILED,
        says="Another.",
    ),
    trial(
        "LOAD_BALANCER_SUBNETS_UNRESOLVED",
        "recovered",
        _refusing(*_SUBNETS, mended=True),
        says="Tagged.",
    ),
    trial("LOAD_BALANCER_FAILED", "positive", _refusing(*_OTHERS), _FAILED, says="The controller may not."),
    trial("LOAD_BALANCER_FAILED", "look_alike", _refusing(*_SUBNETS), _UNTAGGED, says="It is the subnets."),
    trial("LOAD_BALANCER_FAILED", "recovered", _refusing(*_OTHERS, mended=True), says="It may by now."),
    trial("LOAD_BALANCER_PENDING", "positive", _nobody, _PENDING, says="Nobody acts on it."),
    trial("LOAD_BALANCER_PENDING", "look_alike", _refusing(*_OTHERS), _FAILED, says="Somebody says why."),
    trial("LOAD_BALANCER_PENDING", "recovered", _just_made, says="It was made a moment ago."),
)
