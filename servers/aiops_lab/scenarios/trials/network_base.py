"""What the trials of the network have in common: a backend, a caller, fronts and policies.

Called by the other `network_*` modules of this folder. The words of callers are those of the languages'
libraries; those of controllers outside this world are told with `say_at`.
"""

from collections.abc import Callable
from random import Random
from typing import Any

from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios.base import Build, Expect, Expected, Stage, nothing
from aiops_lab.scenarios.images import Image
from aiops_lab.scenarios.names import Names
from aiops_lab.scenarios.programs import Behaviour, Program, Run, Switch, failing, logfmt, serving
from aiops_lab.scenarios.shapes import container, deployment, http_probe, service, template
from aiops_lab.scenarios.trials.base import Role, Trial, trial

HOME, SYSTEM = "production", "kube-system"
DAY_S, HOUR_S, MIN_S = 86_400.0, 3600.0, 60.0
NETWORKING, GATEWAY = "networking.k8s.io/v1", "gateway.networking.k8s.io"
CLUSTER_KINDS = frozenset({"IngressClass", "GatewayClass", "Node"})
Tell = Callable[[Stage, Names, Random], None]


def expects(
    code: str, kind: str, name: Callable[[Names], str], *, home: str = HOME, hurts: str = ""
) -> Expect:
    """One finding at an object whose name the cast decides."""

    def expect(names: Names) -> tuple[Expected, ...]:
        space = "" if kind in CLUSTER_KINDS else home
        return (Expected(code, kind, space, name(names), hurts_name=hurts or names.api),)

    return expect


def api(names: Names) -> str:
    """The name of the story's workload and its Service."""
    return names.api


def back(names: Names) -> str:
    """The name of the workload that the api calls."""
    return f"{names.worker}-db"


def since(rng: Random) -> float:
    """A quarter of an hour ago, more or less."""
    return rng.uniform(14, 25) * MIN_S


def put_back(stage: Stage, names: Names, before_s: float, port: int = 5432, **front: Any) -> None:
    """What the api calls, with its Service on the same port; keywords go into the Service."""
    image = stage.publish(names.image(back(names), "15.4"), Image(serving(back(names))))
    probe = {**http_probe(), "tcpSocket": {"port": port}}
    del probe["httpGet"]
    main = container("db", image, readinessProbe=probe)
    main["ports"] = [{"name": "sql", "containerPort": port, "protocol": "TCP"}]
    made = template({"app": back(names), "role": "storage"}, [main])
    ports = front.pop("ports", [{"name": "sql", "port": port, "targetPort": "sql"}])
    stage.put_at(before_s, deployment(HOME, back(names), 2, made))
    stage.put_at(before_s, service(HOME, back(names), back(names), ports=ports, **front))


def put_api(stage: Stage, names: Names, before_s: float, program: Program, **pod: Any) -> None:
    """The story's workload with its Service; further keywords go into the pod."""
    stage.publish(names.api_image, Image(program))
    main = container("app", names.api_image, readinessProbe=http_probe())
    made = template({"app": names.api}, [main], **pod)
    front = service(HOME, names.api, names.api)
    stage.put_at(before_s, deployment(HOME, names.api, names.api_replicas, made), front)


def turns(stage: Stage, names: Names, bad: Program, at_s: float, *, mended_s: float = 0.0) -> None:
    """A day of health; from `at_s` on the api fails as `bad` does, until it is mended."""
    good = serving(names.api)
    later = Switch(bad, good)
    program = Switch(good, later)
    put_api(stage, names, DAY_S, program)
    stage.at(at_s - 5, program.turn)
    if mended_s:
        stage.at(mended_s, later.turn)
    stage.replace_pods_at(at_s - 10, HOME, names.api)


def dying(names: Names, *lines: str, code: int = 1) -> Program:
    """A program that says why and ends."""
    return failing(logfmt("info", f"starting {names.api}"), *lines, code=code, after_s=8)


def never_ready(names: Names, *lines: str) -> Program:
    """A program that runs, complains, and never gets ready."""

    def run(start: Run) -> Behaviour:
        calm = serving(names.api)(start)
        said = tuple((5.0 + place, line) for place, line in enumerate(lines))
        return Behaviour(lines=(*calm.lines[:1], *said), ready_after_s=None, memory=calm.memory)

    return run


def policy(name: str, app: str, *, egress: list[Obj] | None = None, ingress: list[Obj] | None = None) -> Obj:
    """A NetworkPolicy over the pods labelled `app`; a direction that is given is restricted."""
    types = [kind for kind, rules in (("Ingress", ingress), ("Egress", egress)) if rules is not None]
    chosen = {"matchLabels": {"app": app}} if app else {}
    rules = {kind: found for kind, found in (("ingress", ingress), ("egress", egress)) if found}
    return {
        "apiVersion": NETWORKING,
        "kind": "NetworkPolicy",
        "metadata": {"name": name, "namespace": HOME},
        "spec": {"podSelector": chosen, "policyTypes": types, **rules},
    }


def to_port(*ports: int, protocol: str = "TCP", **peer: Obj) -> Obj:
    """A rule that lets through these ports; `to` or `from_` is its one peer."""
    rule: Obj = {"ports": [{"port": port, "protocol": protocol} for port in ports]}
    for key, value in peer.items():
        rule[key.rstrip("_")] = [value]
    return rule


def ingress_class(name: str, controller: str = "k8s.io/ingress-nginx", *, default: bool = False) -> Obj:
    """An IngressClass."""
    notes = {"ingressclass.kubernetes.io/is-default-class": "true"} if default else {}
    return {
        "apiVersion": NETWORKING,
        "kind": "IngressClass",
        "metadata": {"name": name, "annotations": notes},
        "spec": {"controller": controller},
    }


def ingress(name: str, to: str, of: str | None = "nginx", *, host: str, **spec: Any) -> Obj:
    """An Ingress with one rule; `notes` are its annotations, `path` and `port` those of the rule."""
    notes, path, port = spec.pop("notes", {}), spec.pop("path", "/"), spec.pop("port", None)
    leads = {"service": {"name": to, "port": port or {"number": 80}}}
    rule = {"host": host, "http": {"paths": [{"path": path, "pathType": "Prefix", "backend": leads}]}}
    wanted = {} if of is None else {"ingressClassName": of}
    return {
        "apiVersion": NETWORKING,
        "kind": "Ingress",
        "metadata": {"name": name, "namespace": HOME, "annotations": notes},
        "spec": {**wanted, "rules": [rule], **spec},
    }


def addressed(found: Obj) -> None:
    """A load balancer has its address."""
    name = f"k8s-{found['metadata']['name'][:12]}-0a1b2c3d.us-east-1.elb.amazonaws.com"
    found.setdefault("status", {})["loadBalancer"] = {"ingress": [{"hostname": name}]}


def build(*parts: Tell) -> Build:
    """One story of several parts."""

    def play(stage: Stage, names: Names, rng: Random) -> None:
        for part in parts:
            part(stage, names, rng)

    return play


def played(
    code: str, role: Role, says: str, *parts: Tell, expect: Expect = nothing, variant: str = ""
) -> Trial:
    """A trial of several parts."""
    return trial(code, role, build(*parts), expect, says=says, variant=variant)
