"""Whom a failing program tried to reach, read from its telling line.

Called by the rules of DNS, NetworkPolicies, Services and the mesh. The text only chooses among objects that
the cluster's own state holds (threat T7): a host that is no Service here stays a word.
"""

import re
from dataclasses import dataclass

from aiops_eks.diagnosis.facts import Facts
from aiops_eks.diagnosis.objects import Pod, Ref, Service, ServicePort

LONGEST = 2_000  # characters of a line that are looked at
_HOST = r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?"
_CALLS = (
    re.compile(rf"->({_HOST}):(\d{{1,5}})\b"),  # Go, read udp a:1->b:2
    re.compile(rf"host='({_HOST})', port=(\d{{1,5}})"),  # Python, urllib3
    re.compile(rf"server at \"({_HOST})\"[^,]{{0,60}}, port (\d{{1,5}})"),  # libpq
    re.compile(
        rf"(?:dial|connect to|ECONNREFUSED|ETIMEDOUT|ECONNRESET)\W+(?:tcp\W+)?({_HOST}):(\d{{1,5}})\b"
    ),
    re.compile(rf"://(?:[^\s/@]{{1,80}}@)?({_HOST}):(\d{{1,5}})\b"),
    re.compile(rf"(?<![\w.:/-])({_HOST}):(\d{{2,5}})\b(?!:)"),
)
_URL = re.compile(rf"\b(https?)://({_HOST})(?=[/\"'\s]|$)")
_BARE = re.compile(rf"(?:dial|connect to|ECONNREFUSED|ETIMEDOUT|server|host)\W+({_HOST})\b")
_NAMES = (
    re.compile(rf"lookup ({_HOST})\.? "),
    re.compile(rf"lookup ({_HOST})\.?:"),
    re.compile(rf"(?:ENOTFOUND|EAI_AGAIN) ({_HOST})\b"),
    re.compile(rf"UnknownHostException: ({_HOST})\b"),
    re.compile(rf"host name \"({_HOST})\""),
    re.compile(rf"[Ff]ailed to resolve '({_HOST})'"),
    re.compile(rf"resolve host:? ['\"]?({_HOST})\b"),
    re.compile(rf"host='({_HOST})'"),
)
_SERVER = re.compile(r"lookup \S+ on ([0-9a-fA-F.:]{3,45}):53\b")
_IP = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")
_LETTER = re.compile(r"[A-Za-z]")


@dataclass(frozen=True, slots=True)
class Call:
    """A host with a port; 0 where the line names none."""

    host: str
    port: int = 0


def called(line: str) -> tuple[Call, ...]:
    """Every host and port that the line names, the most telling form first."""
    line, found = line[:LONGEST], dict[Call, None]()
    for pattern in _CALLS:
        for host, port in pattern.findall(line):
            if is_address(host) or _LETTER.search(host):
                found[Call(host, int(port))] = None
    for scheme, host in _URL.findall(line):
        found[Call(host, 443 if scheme == "https" else 80)] = None
    if not found:
        found.update({Call(host): None for host in _BARE.findall(line)})
    return tuple(found)


def name_looked_up(line: str) -> str:
    """The host name whose resolution failed; empty when the line names none."""
    found = (pattern.search(line[:LONGEST]) for pattern in _NAMES)
    return next((match[1].rstrip(".") for match in found if match), "")


def name_server(line: str) -> str:
    """The address of the name server that the line names."""
    found = _SERVER.search(line[:LONGEST])
    return found[1] if found else ""


def is_address(host: str) -> bool:
    """Whether the host is an IPv4 address."""
    return bool(_IP.fullmatch(host))


def is_number(target: str) -> bool:
    """Whether a target port is a number; anything else is a port's name."""
    return target.isascii() and target.isdecimal() and len(target) < 6


def service_of(facts: Facts, home: str, host: str) -> Service | None:
    """The Service of that name or cluster address, as a pod of namespace `home` would resolve it."""
    if is_address(host):
        return next((s for s in facts.services if s.cluster_ip == host), None)
    name, _, rest = host.partition(".")
    space, _, zone = rest.partition(".")
    if zone and zone.split(".")[0] != "svc":
        return None
    wanted = Ref("Service", space or home, name)
    return next((s for s in facts.services if s.ref == wanted), None)


def through(facts: Facts, home: str, line: str) -> tuple[Service, Call] | None:
    """The first Service of this cluster that the line says was called."""
    for call in called(line):
        if (service := service_of(facts, home, call.host)) is not None:
            return service, call
    return None


def port_of(service: Service, number: int) -> ServicePort | None:
    """The Service's port of that number; its only one where the line names none."""
    if not number:
        return service.ports[0] if len(service.ports) == 1 else None
    return next((port for port in service.ports if port.port == number), None)


def numbers(port: ServicePort, pods: tuple[Pod, ...]) -> frozenset[int]:
    """The container port numbers that a Service's port leads to."""
    if is_number(port.target):
        return frozenset({int(port.target)})
    return frozenset(n for pod in pods for c in pod.containers for name, n in c.ports if name == port.target)
