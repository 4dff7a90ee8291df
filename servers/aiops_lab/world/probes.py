"""Startup, readiness and liveness probes of one container, answered by what its program does.

Owned by a `ContainerRun`. A probe is first sent after `initialDelaySeconds`, then every `periodSeconds`; the
failure texts are the kubelet's (`pkg/kubelet/prober`, `pkg/probe/http`).
"""

from collections.abc import Callable
from typing import Protocol

from aiops_lab.scenarios.programs import Behaviour
from aiops_lab.world.objects import Obj, meta


class Home(Protocol):
    """The pod around the container."""

    @property
    def pod(self) -> Obj:
        """As it is now."""
        ...

    def changed(self) -> None:
        """The pod's status is to be written anew."""


class Probed(Protocol):
    """A container as its probes see it; `container_run.ContainerRun` fulfils it."""

    spec: Obj
    name: str
    ready: bool
    started: bool
    stopping: bool

    @property
    def home(self) -> Home:
        """The pod around it."""
        ...

    @property
    def running(self) -> bool:
        """Whether its process runs."""
        ...

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """Do something, unless the process has ended by then."""

    def say(self, reason: str, message: str, *, warning: bool = False) -> None:
        """An event about it."""

    def stop(self, grace_s: float) -> None:
        """Ask the process to end."""


def first_probe_at(probe: Obj, not_before_s: float, since_s: float = 0.0) -> float:
    """When the first probe at or after `not_before_s` is sent, in seconds since the container's start."""
    first = since_s + float(probe.get("initialDelaySeconds") or 0)
    period = float(probe.get("periodSeconds") or 10)
    late = max(0.0, not_before_s - first)
    return first + period * -(-late // period)


class Probing:
    """Sends the probes of the run that is on."""

    def __init__(self, container: Probed) -> None:
        self._container = container

    def begin(self, behaviour: Behaviour) -> None:
        """A process started: plan its probes."""
        startup = self._container.spec.get("startupProbe")
        if startup is None:
            self._started(behaviour, 0.0)
            return
        ready_at = self._answers_from(startup, behaviour)
        tries = int(startup.get("failureThreshold") or 3)
        give_up = first_probe_at(startup, 0.0) + (tries - 1) * float(startup.get("periodSeconds") or 10)
        succeeds = None if ready_at is None else first_probe_at(startup, ready_at)
        if succeeds is not None and succeeds <= give_up:
            self._container.later(succeeds, lambda: self._started(behaviour, succeeds))
        else:
            self._fail("startup", startup, behaviour, 0.0, first_probe_at(startup, 0.0))

    def _started(self, behaviour: Behaviour, since_s: float) -> None:
        self._container.started = True
        self._plan_ready(behaviour, since_s)
        self._plan_alive(behaviour, since_s)
        self._container.home.changed()

    def _plan_ready(self, behaviour: Behaviour, since_s: float) -> None:
        probe = self._container.spec.get("readinessProbe")
        if probe is None:
            self._container.ready = True
            return
        ready_at = self._answers_from(probe, behaviour)
        first = first_probe_at(probe, since_s, since_s)
        succeeds = None if ready_at is None else first_probe_at(probe, ready_at, since_s)
        if succeeds is None or succeeds > first:
            self._container.later(first - since_s, lambda: self._unready(probe, behaviour, first, succeeds))
        if succeeds is not None:
            self._container.later(succeeds - since_s, self._ready)

    def _ready(self) -> None:
        self._container.ready = True
        self._container.home.changed()

    def _unready(self, probe: Obj, behaviour: Behaviour, at_s: float, until_s: float | None) -> None:
        self._unhealthy("Readiness", probe, behaviour)
        period = float(probe.get("periodSeconds") or 10)
        if until_s is None or at_s + period < until_s:
            self._container.later(period, lambda: self._unready(probe, behaviour, at_s + period, until_s))

    def _plan_alive(self, behaviour: Behaviour, since_s: float) -> None:
        probe = self._container.spec.get("livenessProbe")
        if probe is None:
            return
        dies_at = 0.0 if self._refused(probe, behaviour) else behaviour.alive_until_s
        slow = first_probe_at(probe, since_s, since_s)
        if dies_at is None and behaviour.ready_after_s is not None and behaviour.ready_after_s > slow:
            dies_at = self._slow_start(probe, behaviour.ready_after_s, slow)
        if dies_at is not None:
            self._fail("liveness", probe, behaviour, since_s, first_probe_at(probe, dies_at, since_s))

    @staticmethod
    def _slow_start(probe: Obj, ready_after_s: float, first_s: float) -> float | None:
        period, tries = float(probe.get("periodSeconds") or 10), int(probe.get("failureThreshold") or 3)
        return first_s if first_s + (tries - 1) * period < ready_after_s else None

    def _fail(self, what: str, probe: Obj, behaviour: Behaviour, since_s: float, first_s: float) -> None:
        period, tries = float(probe.get("periodSeconds") or 10), int(probe.get("failureThreshold") or 3)
        for attempt in range(tries):
            at = first_s - since_s + attempt * period
            self._container.later(at, lambda: self._unhealthy(what.capitalize(), probe, behaviour))
        self._container.later(
            first_s - since_s + (tries - 1) * period + 0.01, lambda: self._kill(what, probe)
        )

    def _kill(self, what: str, probe: Obj) -> None:
        container = self._container
        if container.stopping:
            return
        words = f"Container {container.name} failed {what} probe, will be restarted"
        container.say("Killing", words)
        grace = container.home.pod["spec"].get("terminationGracePeriodSeconds", 30)
        container.stop(float(probe.get("terminationGracePeriodSeconds") or grace))

    def _unhealthy(self, what: str, probe: Obj, behaviour: Behaviour) -> None:
        if self._container.running and not self._container.stopping:
            words = (
                self._refusal(probe) if self._refused(probe, behaviour) else self._failure(probe, behaviour)
            )
            self._container.say("Unhealthy", f"{what} probe failed: {words}", warning=True)

    def _answers_from(self, probe: Obj, behaviour: Behaviour) -> float | None:
        return None if self._refused(probe, behaviour) else behaviour.ready_after_s

    def _refused(self, probe: Obj, behaviour: Behaviour) -> bool:
        port = self._port(probe)
        return behaviour.port is not None and port is not None and port != behaviour.port

    def _port(self, probe: Obj) -> int | None:
        where = probe.get("httpGet") or probe.get("tcpSocket") or probe.get("grpc")
        if where is None:
            return None
        named = {each.get("name"): each["containerPort"] for each in self._container.spec.get("ports") or ()}
        port = where["port"]
        return named.get(port) if isinstance(port, str) and not port.isdigit() else int(port)

    def _address(self, probe: Obj) -> str:
        pod = self._container.home.pod
        return f"{(pod.get('status') or {}).get('podIP') or meta(pod)['name']}:{self._port(probe)}"

    def _failure(self, probe: Obj, behaviour: Behaviour) -> str:
        return behaviour.probe_error.replace("{address}", self._address(probe))

    def _refusal(self, probe: Obj) -> str:
        target, http = self._address(probe), probe.get("httpGet")
        dial = f"dial tcp {target}: connect: connection refused"
        return f'Get "http://{target}{http.get("path", "/")}": {dial}' if http else dial
