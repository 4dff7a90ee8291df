"""Trials of NetworkPolicies and of a mesh that wants mutual TLS: what used to work and is kept away now."""

from collections.abc import Callable
from dataclasses import replace
from random import Random

from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios.base import Stage
from aiops_lab.scenarios.images import Image
from aiops_lab.scenarios.names import Names
from aiops_lab.scenarios.programs import Behaviour, Exit, Run, logfmt, serving
from aiops_lab.scenarios.shapes import container, deployment, http_probe, service, template
from aiops_lab.scenarios.trials.base import Trial
from aiops_lab.scenarios.trials.network_base import (
    DAY_S,
    HOME,
    MIN_S,
    Tell,
    api,
    back,
    dying,
    expects,
    never_ready,
    played,
    policy,
    put_api,
    put_back,
    to_port,
    turns,
)

_ISTIO = "security.istio.io"
_DNS_RULE = {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]}


def _when(names: Names) -> float:
    """When somebody changed a policy, and the trouble began."""
    return (15 + names.seed % 9) * MIN_S


def _timeout(names: Names) -> str:
    host = f"{back(names)}.{HOME}.svc.cluster.local"
    ways = (
        logfmt("fatal", f"cannot reach database: dial tcp {back(names)}:5432: i/o timeout"),
        f"Error: connect ETIMEDOUT {host}:5432",
        f'connection to server at "{back(names)}" (172.20.9.8), port 5432 failed: Connection timed out',
        f"java.net.SocketTimeoutException: connect timed out: {back(names)}:5432",
    )
    return ways[names.seed % len(ways)]


def _unresolved(names: Names) -> str:
    ways = (
        f"fatal: lookup {back(names)} on 172.20.0.10:53: read udp 10.0.1.5:1->172.20.0.10:53: i/o timeout",
        f"Error: getaddrinfo EAI_AGAIN {back(names)}",
        f'could not translate host name "{back(names)}" to address: Temporary failure in name resolution',
    )
    return ways[names.seed % len(ways)]


def _backed(stage: Stage, names: Names, rng: Random) -> None:
    put_back(stage, names, rng.uniform(3, 9) * DAY_S)


def _fails(line: Callable[[Names], str], *, mended_s: float = 0.0, ready: bool = True) -> Tell:
    """The api turns bad a moment after the policy changed."""

    def tell(stage: Stage, names: Names, rng: Random) -> None:
        at_s = (50 * MIN_S if mended_s else _when(names)) - rng.uniform(5, 60)
        bad = dying(names, line(names)) if ready else never_ready(names, f"error: {line(names)}")
        turns(stage, names, bad, at_s, mended_s=mended_s)

    return tell


def _policy(made: Callable[[Names], Obj], at: Callable[[Names], float] = _when, gone_s: float = 0.0) -> Tell:
    def tell(stage: Stage, names: Names, rng: Random) -> None:
        del rng
        found = made(names)
        stage.put_at(at(names), found)
        if gone_s:
            name = found["metadata"]["name"]
            stage.delete_at(gone_s, "NetworkPolicy", HOME, name, names.cleaner)

    return tell


def _deny_egress(names: Names) -> Obj:
    """Everything out is closed but the name server and, sometimes, another port."""
    more = [to_port(443)] if names.seed % 2 else []
    return policy("default-deny-egress", ("", names.api)[names.seed % 2], egress=[_DNS_RULE, *more])


def _deny_to_back(names: Names) -> Obj:
    """The backend takes calls of another app only."""
    peer = {"podSelector": {"matchLabels": {"app": f"{names.worker}-other"}}}
    return policy(f"{back(names)}-callers", back(names), ingress=[to_port(5432, from_=peer)])


def _allow_all_needed(names: Names) -> Obj:
    peer = {"podSelector": {"matchLabels": {"role": "storage"}}}
    return policy(f"{names.api}-egress", names.api, egress=[_DNS_RULE, to_port(5432, to=peer)])


def _no_dns(names: Names) -> Obj:
    """Out to its own namespace only: the name server lives in another one."""
    return policy(f"{names.api}-egress", names.api, egress=[{"to": [{"podSelector": {}}]}])


def _dns_allowed(names: Names) -> Obj:
    return policy(f"{names.api}-egress", names.api, egress=[_DNS_RULE])


def _long_ago(names: Names) -> float:
    return (3 + names.seed % 5) * DAY_S


def _later(names: Names) -> float:
    """Well after the trouble began: somebody tries something."""
    return 40.0 + names.seed % 30


def _worked_till_now(line: Callable[[Names], str]) -> Tell:
    """The same pods that ran for days end now, and cannot get on: not by a policy of last week."""

    def tell(stage: Stage, names: Names, rng: Random) -> None:
        began_s = rng.uniform(12, 20) * MIN_S
        bad = dying(names, line(names))

        def run(start: Run) -> Behaviour:
            if start.restart:
                return bad(start)
            calm = serving(names.api)(start)
            lost = (DAY_S - began_s - 1, logfmt("error", "lost connection to database, exiting"))
            return replace(calm, lines=(*calm.lines, lost), exit=Exit(DAY_S - began_s, 1))

        put_api(stage, names, DAY_S, run)

    return tell


def _refused(names: Names) -> str:
    return f"fatal: dial tcp {back(names)}:5432: connect: connection refused"


# the mesh


def _cut_off(names: Names) -> str:
    ways = (
        f"fatal: read tcp 10.0.1.9:4242->{back(names)}:5432: read: connection reset by peer",
        f"Error: connect ECONNRESET {back(names)}:5432",
        f'error: Get "http://{back(names)}:5432/": EOF',
    )
    return ways[names.seed % len(ways)]


def _meshed(stage: Stage, names: Names, rng: Random) -> None:
    """A backend with a sidecar."""
    image = stage.publish(names.image(back(names), "15.4"), Image(serving(back(names))))
    proxy = stage.publish("docker.io/istio/proxyv2:1.28.0", Image(serving("istio-proxy")))
    main = container("db", image, readinessProbe=http_probe())
    main["ports"] = [{"name": "http", "containerPort": 5432, "protocol": "TCP"}]
    side = container("istio-proxy", proxy)
    side["ports"] = [{"name": "http-envoy-prom", "containerPort": 15090, "protocol": "TCP"}]
    made = template({"app": back(names)}, [main, side])
    ports = [{"name": "http", "port": 5432, "targetPort": "http"}]
    front = service(HOME, back(names), back(names), ports=ports)
    stage.put_at(rng.uniform(3, 8) * DAY_S, deployment(HOME, back(names), 2, made), front)


def _mode(mode: str, at: Callable[[Names], float] = _when, mended_s: float = 0.0) -> Tell:
    def tell(stage: Stage, names: Names, rng: Random) -> None:
        del rng
        head = {"name": "default", "namespace": HOME}
        stage.put_at(
            at(names),
            {
                "apiVersion": f"{_ISTIO}/v1",
                "kind": "PeerAuthentication",
                "metadata": head,
                "spec": {"mtls": {"mode": mode}},
            },
        )
        if mended_s:

            def permit(found: Obj) -> None:
                found["spec"]["mtls"]["mode"] = "PERMISSIVE"

            stage.change_at(mended_s, "PeerAuthentication", HOME, "default", permit)

    return tell


def _an_hour_ago(names: Names) -> float:
    del names
    return 51 * MIN_S


_EGRESS = expects("NETWORK_POLICY_BLOCKS", "NetworkPolicy", lambda names: "default-deny-egress")
_INGRESS = expects("NETWORK_POLICY_BLOCKS", "NetworkPolicy", lambda names: f"{back(names)}-callers")
_DNS = expects("NETWORK_POLICY_BLOCKS_DNS", "NetworkPolicy", lambda names: f"{names.api}-egress")
_PLAIN = expects("DEPENDENCY_UNREACHABLE", "Deployment", api)
_MESH = expects("MESH_MTLS_REFUSED", "PeerAuthentication", lambda names: "default")
_B, _D, _M = "NETWORK_POLICY_BLOCKS", "NETWORK_POLICY_BLOCKS_DNS", "MESH_MTLS_REFUSED"

TRIALS: tuple[Trial, ...] = (
    played(_B, "positive", "None out.", _backed, _policy(_deny_egress), _fails(_timeout), expect=_EGRESS),
    played(
        _B,
        "positive",
        "The backend takes others only.",
        _backed,
        _policy(_deny_to_back),
        _fails(_timeout),
        expect=_INGRESS,
        variant="ingress",
    ),
    played(
        _B, "look_alike", "Allowed.", _backed, _policy(_allow_all_needed), _fails(_timeout), expect=_PLAIN
    ),
    played(
        _B,
        "look_alike",
        "The same pods worked under it for days.",
        _backed,
        _policy(_deny_egress, _long_ago),
        _worked_till_now(_timeout),
        expect=_PLAIN,
        variant="old",
    ),
    played(
        _B,
        "look_alike",
        "It came after the trouble began.",
        _backed,
        _policy(_deny_egress, _later),
        _fails(_timeout),
        expect=_PLAIN,
        variant="later",
    ),
    played(
        _B,
        "look_alike",
        "Refused, which no policy does.",
        _backed,
        _policy(_deny_egress),
        _fails(_refused),
        expect=_PLAIN,
        variant="refused",
    ),
    played(
        _B,
        "recovered",
        "The policy is gone.",
        _backed,
        _policy(_deny_egress, _an_hour_ago, gone_s=30 * MIN_S),
        _fails(_timeout, mended_s=29 * MIN_S),
    ),
    played(
        _D, "positive", "Names are out of reach.", _backed, _policy(_no_dns), _fails(_unresolved), expect=_DNS
    ),
    played(_D, "look_alike", "Allowed.", _backed, _policy(_dns_allowed), _fails(_unresolved), expect=_PLAIN),
    played(
        _D,
        "recovered",
        "The policy is gone.",
        _backed,
        _policy(_no_dns, _an_hour_ago, gone_s=30 * MIN_S),
        _fails(_unresolved, mended_s=29 * MIN_S),
    ),
    played(_M, "positive", "STRICT since then.", _meshed, _mode("STRICT"), _fails(_cut_off), expect=_MESH),
    played(
        _M,
        "look_alike",
        "Plain text is taken.",
        _meshed,
        _mode("PERMISSIVE"),
        _fails(_cut_off),
        expect=expects("APP_ERROR", "Deployment", api),
    ),
    played(
        _M,
        "recovered",
        "It was opened again.",
        _meshed,
        _mode("STRICT", _an_hour_ago, mended_s=30 * MIN_S),
        _fails(_cut_off, mended_s=29 * MIN_S),
    ),
)
