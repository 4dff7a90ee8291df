"""Trials of rights that a program lacks, and of an API server that takes no more.

The refusals are client-go's and the API server's: `forbiddenMessage` in
`k8s.io/apiserver/pkg/endpoints/handlers/responsewriters/errors.go`, `rest/request.go`, `api/errors`.
"""

from random import Random
from typing import Any

from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios.base import Stage
from aiops_lab.scenarios.images import Image
from aiops_lab.scenarios.names import Names
from aiops_lab.scenarios.programs import Program, Switch, failing, logfmt, serving
from aiops_lab.scenarios.shapes import container, deployment, http_probe, template
from aiops_lab.scenarios.trials.base import HOME, Trial, at, trial

HOUR_S = 3600.0
RBAC = "rbac.authorization.k8s.io"
REFUSED = logfmt("fatal", "cannot reach backend: dial tcp 10.3.0.9:5432: connect: connection refused")


def _account(names: Names) -> Obj:
    head = {"name": f"{names.api}-sa", "namespace": HOME}
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": head}


def _role(names: Names, *verbs: str) -> Obj:
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "Role",
        "metadata": {"name": f"{names.api}-reader", "namespace": HOME},
        "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": list(verbs)}],
    }


def _binding(names: Names) -> Obj:
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": f"{names.api}-reader", "namespace": HOME},
        "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": f"{names.api}-reader"},
        "subjects": [{"kind": "ServiceAccount", "name": f"{names.api}-sa", "namespace": HOME}],
    }


def _refusal(names: Names) -> str:
    user = f"system:serviceaccount:{HOME}:{names.api}-sa"
    return (
        f'configmaps is forbidden: User "{user}" cannot list resource "configmaps" in API group "" '
        f'in the namespace "{HOME}"'
    )


def _says(names: Names, words: str) -> str:
    ways = (
        f"E1122 02:41:07.120381       1 reflector.go:200] failed to list *v1.ConfigMap: {words}",
        f"Error: {words}",
        f"panic: {words}",
    )
    return ways[names.seed % len(ways)]


def _run(stage: Stage, names: Names, since_s: float, program: Program, replicas: int = 2) -> None:
    image = stage.publish(names.image(names.api, "4.0.0"), Image(program))
    main = container("app", image, readinessProbe=http_probe())
    pod = template({"app": names.api}, [main], serviceAccountName=f"{names.api}-sa")
    stage.put_at(since_s + 5, _account(names))
    stage.put_at(since_s, deployment(HOME, names.api, replicas, pod))


def _now(rng: Random) -> float:
    return rng.uniform(15, 28) * 60


def _dying(names: Names, rng: Random, *lines: str) -> Program:
    return failing(logfmt("info", f"starting {names.api}"), *lines, after_s=rng.uniform(2, 8))


# RBAC_FORBIDDEN


def _unbound(stage: Stage, names: Names, rng: Random) -> None:
    _run(stage, names, _now(rng), _dying(names, rng, _says(names, _refusal(names))))


def _lost_role(stage: Stage, names: Names, rng: Random) -> None:
    stage.put_at(20 * HOUR_S, _binding(names))
    _unbound(stage, names, rng)


def _narrow_role(stage: Stage, names: Names, rng: Random) -> None:
    stage.put_at(20 * HOUR_S, _role(names, *rng.choice((("get",), ("get", "watch")))), _binding(names))
    _unbound(stage, names, rng)


def _warned_only(stage: Stage, names: Names, rng: Random) -> None:
    """It can live without that right; it dies of something else."""
    words = logfmt("warn", _refusal(names).replace('"', "'"))
    _run(stage, names, _now(rng), _dying(names, rng, words, _refusal(names), REFUSED))


def _allowed_since(stage: Stage, names: Names, rng: Random) -> None:
    program = Switch(_dying(names, rng, _says(names, _refusal(names))), serving(names.api))
    since_s = rng.uniform(40, 55) * 60
    _run(stage, names, since_s, program)
    end_s = since_s - rng.uniform(100, 300)
    stage.put_at(end_s, _role(names, "get", "list", "watch"), _binding(names))
    stage.at(end_s, program.turn)


# API_THROTTLED, CLIENT_THROTTLED, ETCD_SPACE_EXCEEDED

TOO_MANY = "the server has received too many requests and has asked us to try again later (get configmaps)"
FULL = "etcdserver: mvcc: database space exceeded"


def _answered(words: str) -> Any:
    def build(stage: Stage, names: Names, rng: Random) -> None:
        _run(stage, names, _now(rng), _dying(names, rng, _says(names, words)))

    return build


def _quoted_by_a_sound_one(words: str) -> Any:
    def build(stage: Stage, names: Names, rng: Random) -> None:
        lines = (logfmt("warn", words), logfmt("info", "trying again", attempt=2))
        _run(stage, names, rng.uniform(3, 40) * HOUR_S, serving(names.api, lines=lines))

    return build


def _answered_before(words: str) -> Any:
    def build(stage: Stage, names: Names, rng: Random) -> None:
        program = Switch(_dying(names, rng, _says(names, words)), serving(names.api))
        since_s = rng.uniform(40, 55) * 60
        _run(stage, names, since_s, program)
        stage.at(since_s - rng.uniform(100, 300), program.turn)

    return build


def _waits(rng: Random) -> tuple[str, ...]:
    # k8s.io/client-go/rest/request.go
    path = "https://172.20.0.1:443/apis/apps/v1/deployments"
    words = "Waited for {:.6f}s due to client-side throttling, not priority and fairness, request: GET:{}"
    return tuple(
        f"I1122 02:4{place}:07.120381       1 request.go:700] " + words.format(rng.uniform(1, 9), path)
        for place in range(rng.randint(4, 9))
    )


def _lease(names: Names) -> str:
    ways = ("leaderelection lost", "failed to renew lease production/leader: context deadline exceeded")
    return f"E1122 02:51:07.120381       1 leaderelection.go:441] {ways[names.seed % 2]}"


def _loses_lease(stage: Stage, names: Names, rng: Random) -> None:
    _run(stage, names, _now(rng), _dying(names, rng, *_waits(rng), _lease(names)))


def _slow_and_dying(stage: Stage, names: Names, rng: Random) -> None:
    _run(stage, names, _now(rng), _dying(names, rng, *_waits(rng), REFUSED))


def _kept_lease(stage: Stage, names: Names, rng: Random) -> None:
    program = Switch(_dying(names, rng, *_waits(rng), _lease(names)), serving(names.api))
    since_s = rng.uniform(40, 55) * 60
    _run(stage, names, since_s, program)
    stage.at(since_s - rng.uniform(100, 300), program.turn)


DEPENDENCY = at("DEPENDENCY_UNREACHABLE", "Deployment", "{api}")


def _api_server(code: str) -> Any:
    return at(code, "Service", "kubernetes", "default")


TRIALS: tuple[Trial, ...] = (
    trial(
        "RBAC_FORBIDDEN",
        "positive",
        _unbound,
        at("RBAC_FORBIDDEN", "ServiceAccount", "{api}-sa"),
        says="Nothing binds its account.",
    ),
    trial(
        "RBAC_FORBIDDEN",
        "positive",
        _lost_role,
        at("RBAC_FORBIDDEN", "RoleBinding", "{api}-reader"),
        says="The role of its binding was deleted.",
        variant="role",
    ),
    trial(
        "RBAC_FORBIDDEN",
        "positive",
        _narrow_role,
        at("RBAC_FORBIDDEN", "Role", "{api}-reader"),
        says="Its role lacks the verb.",
        variant="verb",
    ),
    trial("RBAC_FORBIDDEN", "look_alike", _warned_only, DEPENDENCY, says="It dies of something else."),
    trial("RBAC_FORBIDDEN", "recovered", _allowed_since, says="The right was given."),
    trial(
        "API_THROTTLED",
        "positive",
        _answered(TOO_MANY),
        _api_server("API_THROTTLED"),
        says="The API server turns it away.",
    ),
    trial("API_THROTTLED", "look_alike", _quoted_by_a_sound_one(TOO_MANY), says="It tried again."),
    trial("API_THROTTLED", "recovered", _answered_before(TOO_MANY), says="It is served again."),
    trial(
        "ETCD_SPACE_EXCEEDED",
        "positive",
        _answered(FULL),
        _api_server("ETCD_SPACE_EXCEEDED"),
        says="The store of the API server is full.",
    ),
    trial("ETCD_SPACE_EXCEEDED", "look_alike", _quoted_by_a_sound_one(FULL), says="Said in passing."),
    trial("ETCD_SPACE_EXCEEDED", "recovered", _answered_before(FULL), says="There is room again."),
    trial(
        "CLIENT_THROTTLED",
        "positive",
        _loses_lease,
        at("CLIENT_THROTTLED", "Deployment", "{api}"),
        says="It throttles itself out of its lease.",
    ),
    trial("CLIENT_THROTTLED", "look_alike", _slow_and_dying, DEPENDENCY, says="It dies of something else."),
    trial("CLIENT_THROTTLED", "recovered", _kept_lease, says="It keeps its lease."),
)
