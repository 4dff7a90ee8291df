"""Trials of CoreDNS: down, looping, misconfigured, or told to answer wrongly."""

from collections.abc import Callable
from random import Random

from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios.base import Stage
from aiops_lab.scenarios.images import Image
from aiops_lab.scenarios.names import Names
from aiops_lab.scenarios.programs import Behaviour, Run, Switch, failing, serving
from aiops_lab.scenarios.shapes import config_map
from aiops_lab.scenarios.trials.base import Trial
from aiops_lab.scenarios.trials.network_base import (
    DAY_S,
    MIN_S,
    SYSTEM,
    Tell,
    api,
    dying,
    expects,
    played,
    turns,
)

_IMAGE = "602401143452.dkr.ecr.us-east-1.amazonaws.com/eks/coredns:v1.12.4-eksbuild.1"
_HEAD = """.:53 {
    errors
    health {
       lameduck 5s
    }
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
    }
"""
_TAIL = """    cache 30
    loop
    reload
    loadbalance
}
"""
_RESOLV = "    forward . /etc/resolv.conf\n"


def _at(names: Names) -> float:
    return (14 + names.seed % 8) * MIN_S


def _partner(names: Names) -> str:
    return f"api.{names.worker}.partner.example"


def _no_name(names: Names) -> str:
    ways = (
        f"fatal: dial tcp: lookup {_partner(names)} on 172.20.0.10:53: no such host",
        f"Error: getaddrinfo ENOTFOUND {_partner(names)}",
        f"java.net.UnknownHostException: {_partner(names)}",
    )
    return ways[names.seed % len(ways)]


def _no_server(names: Names) -> str:
    ways = (
        f"lookup {_partner(names)} on 172.20.0.10:53: read udp 10.0.1.5:1->172.20.0.10:53: i/o timeout",
        f"Error: getaddrinfo EAI_AGAIN {_partner(names)}",
        f'could not translate host name "{_partner(names)}" to address: Temporary failure in name resolution',
    )
    return ways[names.seed % len(ways)]


def _servfail(names: Names) -> str:
    ways = (
        f"fatal: dial tcp: lookup {_partner(names)} on 172.20.0.10:53: server misbehaving",
        f"Error: getaddrinfo EAI_AGAIN {_partner(names)}",
    )
    return ways[names.seed % len(ways)]


def _asks(line: Callable[[Names], str], *, mended_s: float = 0.0) -> Tell:
    """The api ends because a name does not resolve."""

    def tell(stage: Stage, names: Names, rng: Random) -> None:
        at_s = (50 * MIN_S if mended_s else _at(names)) - rng.uniform(5, 60)
        turns(stage, names, dying(names, line(names)), at_s, mended_s=mended_s)

    return tell


def _replicas(count: int) -> Callable[[Obj], None]:
    def change(found: Obj) -> None:
        found["spec"]["replicas"] = count

    return change


def _scaled_away(stage: Stage, names: Names, rng: Random) -> None:
    del rng
    stage.change_at(_at(names), "Deployment", SYSTEM, "coredns", _replicas(0))


def _scaled_back(stage: Stage, names: Names, rng: Random) -> None:
    del names, rng
    stage.change_at(51 * MIN_S, "Deployment", SYSTEM, "coredns", _replicas(0))
    stage.change_at(30 * MIN_S, "Deployment", SYSTEM, "coredns", _replicas(2))


# CoreDNS' own words (plugin/loop, caddyfile)
def _loop(names: Names) -> str:
    return (
        f'[FATAL] plugin/loop: Loop (127.0.0.1:{40000 + names.seed} -> :53) detected for zone ".", see '
        f'https://coredns.io/plugins/loop#troubleshooting. Query: "HINFO 45678{names.seed}.1234."'
    )


def _unreadable(names: Names) -> str:
    words = ("Unknown directive 'forwrad'", "Wrong argument count or unexpected line ending after 'cache'")
    return f"/etc/coredns/Corefile:{10 + names.seed % 4} - Error during parsing: {words[names.seed % 2]}"


def _other(names: Names) -> str:
    return f"[FATAL] plugin/kubernetes: cannot list namespaces: shard {names.seed} is corrupt"


def _dies(words: Callable[[Names], str], *, again: int = 0) -> Tell:
    """All pods of CoreDNS start anew and end; `again` times, or for ever."""

    def tell(stage: Stage, names: Names, rng: Random) -> None:
        good = serving("coredns", memory_mi=25)
        bad = failing(".:53", words(names), after_s=2)

        def run(start: Run) -> Behaviour:
            return good(start) if again and start.restart >= again else bad(start)

        program = Switch(good, run)

        def publish() -> None:
            stage.publish(_IMAGE, Image(program))

        stage.at(2 * DAY_S, publish)
        at_s = 52 * MIN_S if again else _at(names) + rng.uniform(20, 80)
        stage.at(at_s + 5, program.turn)
        stage.replace_pods_at(at_s, SYSTEM, "coredns")

    return tell


def _corefile(text: Callable[[Names], str], at: Callable[[Names], float] = _at) -> Tell:
    """CoreDNS is told something else."""

    def tell(stage: Stage, names: Names, rng: Random) -> None:
        del rng
        usual = f"{_HEAD}{_RESOLV}{_TAIL}"
        stage.put_at(20 * DAY_S, config_map(SYSTEM, "coredns", {"Corefile": usual}))

        def change(found: Obj) -> None:
            found["data"]["Corefile"] = text(names)

        stage.change_at(at(names) + 20, "ConfigMap", SYSTEM, "coredns", change)

    return tell


def _upstream(names: Names) -> str:
    zones = (".", "partner.example")
    more = _RESOLV if names.seed % 2 else ""
    servers = f"10.99.{names.seed}.2 10.99.{names.seed}.3"
    return f"{_HEAD}{more}    forward {zones[names.seed % 2]} {servers}\n{_TAIL}"


def _usual(names: Names) -> str:
    tail = _TAIL.replace("30", str(30 + names.seed))
    return f"{_HEAD}{_RESOLV}    log . {{\n       class error\n    }}\n{tail}"


def _template(names: Names) -> str:
    zone = ("partner.example", f"{names.worker}.partner.example")[names.seed % 2]
    block = f"    template IN ANY {zone} {{\n       rcode NXDOMAIN\n    }}\n"
    return f"{_HEAD}{block}{_RESOLV}{_TAIL}"


def _other_template(names: Names) -> str:
    del names
    block = "    template IN ANY internal.example {\n       rcode NXDOMAIN\n    }\n"
    return f"{_HEAD}{block}{_RESOLV}{_TAIL}"


def _mended(stage: Stage, names: Names, rng: Random) -> None:
    del rng

    def change(found: Obj) -> None:
        found["data"]["Corefile"] = _usual(names)

    stage.change_at(30 * MIN_S, "ConfigMap", SYSTEM, "coredns", change)


def _an_hour_ago(names: Names) -> float:
    del names
    return 51 * MIN_S


_DOWN = expects("DNS_DOWN", "Service", lambda names: "kube-dns", home=SYSTEM)
_LOOP = expects("DNS_FORWARD_LOOP", "ConfigMap", lambda names: "coredns", home=SYSTEM)
_PARSE = expects("COREFILE_INVALID", "ConfigMap", lambda names: "coredns", home=SYSTEM)
_APP = expects("APP_ERROR", "Deployment", lambda names: "coredns", home=SYSTEM)
_UP = expects("DNS_UPSTREAM_WRONG", "ConfigMap", lambda names: "coredns", home=SYSTEM)
_NX = expects("DNS_NXDOMAIN_TEMPLATE", "ConfigMap", lambda names: "coredns", home=SYSTEM)
_PLAIN = expects("DEPENDENCY_UNREACHABLE", "Deployment", api)
_SOON = 29 * MIN_S

TRIALS: tuple[Trial, ...] = (
    played("DNS_DOWN", "positive", "Somebody scaled it away.", _scaled_away, _asks(_no_server), expect=_DOWN),
    played("DNS_DOWN", "look_alike", "Its pods crash.", _dies(_other), _asks(_no_server), expect=_APP),
    played("DNS_DOWN", "recovered", "It is back.", _scaled_back, _asks(_no_server, mended_s=_SOON)),
    played("DNS_FORWARD_LOOP", "positive", "It asks itself.", _dies(_loop), _asks(_no_server), expect=_LOOP),
    played(
        "DNS_FORWARD_LOOP", "look_alike", "Another.", _dies(_unreadable), _asks(_no_server), expect=_PARSE
    ),
    played(
        "DNS_FORWARD_LOOP", "recovered", "Over.", _dies(_loop, again=4), _asks(_no_server, mended_s=_SOON)
    ),
    played("COREFILE_INVALID", "positive", "Bad line.", _dies(_unreadable), _asks(_no_server), expect=_PARSE),
    played("COREFILE_INVALID", "look_alike", "Another.", _dies(_other), _asks(_no_server), expect=_APP),
    played("COREFILE_INVALID", "recovered", "Over.", _dies(_unreadable, again=4)),
    played(
        "DNS_UPSTREAM_WRONG",
        "positive",
        "Dead.",
        _corefile(_upstream),
        _asks(_servfail),
        expect=_UP,
    ),
    played(
        "DNS_UPSTREAM_WRONG",
        "look_alike",
        "Usual.",
        _corefile(_usual),
        _asks(_servfail),
        expect=_PLAIN,
    ),
    played(
        "DNS_UPSTREAM_WRONG",
        "recovered",
        "It was mended.",
        _corefile(_upstream, _an_hour_ago),
        _mended,
        _asks(_servfail, mended_s=_SOON),
    ),
    played("DNS_NXDOMAIN_TEMPLATE", "positive", "Told.", _corefile(_template), _asks(_no_name), expect=_NX),
    played(
        "DNS_NXDOMAIN_TEMPLATE",
        "look_alike",
        "Told so of another zone.",
        _corefile(_other_template),
        _asks(_no_name),
        expect=_PLAIN,
    ),
    played(
        "DNS_NXDOMAIN_TEMPLATE",
        "recovered",
        "It was mended.",
        _corefile(_template, _an_hour_ago),
        _mended,
        _asks(_no_name, mended_s=_SOON),
    ),
)
