"""The life of one container on its node: pull, configure, run its program, end, back off, start again.

Owned by a `PodRun`, which the kubelet keeps for every pod. Delays and texts are the kubelet's: crash back-off
10 s doubling to 300 s and forgotten after ten minutes of running (`pkg/kubelet/kuberuntime`), the same series
for image pulls (`pkg/kubelet/images`).
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from aiops_lab.clock import Timer
from aiops_lab.resources import quantity
from aiops_lab.scenarios.images import Image, PullError, canonical, split
from aiops_lab.scenarios.programs import Behaviour, Run
from aiops_lab.world.cluster import Cluster
from aiops_lab.world.environment import ConfigError, environment
from aiops_lab.world.objects import Obj, meta, stamp
from aiops_lab.world.probes import Probing

FIRST_BACK_OFF_S, LONGEST_BACK_OFF_S, HEALTHY_RUN_S = 10.0, 300.0, 600.0
SAID_AGAIN_S = 34.0  # how often a waiting container's BackOff event is counted up
CONFIG_RETRY_S = 12.0
_REFERENCE = re.compile(r"[a-z0-9][a-z0-9._/:-]*(:[A-Za-z0-9_][A-Za-z0-9._-]*)?(@sha256:[0-9a-f]{64})?")


class Home(Protocol):
    """What a container needs of its pod."""

    cluster: Cluster

    @property
    def pod(self) -> Obj:
        """The pod's object."""
        ...

    def say(self, reason: str, message: str, *, warning: bool = False, container: str = "") -> None:
        """Write an event."""
        ...

    def changed(self) -> None:
        """The status must be written anew."""
        ...

    def image(self, ref: str) -> Image | None:
        """The image, if the node holds it."""
        ...

    def keep_image(self, ref: str, image: Image) -> None:
        """The node holds it from now on."""
        ...

    def ended(self, name: str) -> None:
        """A container ended."""
        ...


@dataclass(slots=True)
class Record:
    """One run that happened or happens: what its log and usage are read from."""

    behaviour: Behaviour
    started_at: datetime
    container_id: str
    ended_at: datetime | None = None


def go_duration(seconds: float) -> str:
    """Seconds as Go prints a Duration: 10s, 1m20s, 5m0s."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"


class ContainerRun:
    """One container's state machine; `state`, `last_state` and the rest are its ContainerStatus."""

    def __init__(self, home: Home, spec: Obj, *, init: bool) -> None:
        self.home, self.spec, self.init = home, spec, init
        self.name: str = spec["name"]
        self.state: Obj = {"waiting": {"reason": "PodInitializing" if init else "ContainerCreating"}}
        self.last_state: Obj = {}
        self.restarts = 0
        self.ready = self.started = self.done = self.stopping = False
        self.current: Record | None = None  # the running or, while waiting, the last one
        self.previous: Record | None = None
        self._crashes = self._failed_pulls = 0
        self._timers: list[Timer] = []
        self._probing = Probing(self)

    # time

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """Do `act` later in this container's life; dropped when it ends."""
        self._timers = [timer for timer in self._timers if timer.due >= self.home.cluster.clock.now()]
        self._timers.append(self.home.cluster.clock.call_later(seconds, act))

    def cancel(self) -> None:
        """Forget everything planned."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()

    @property
    def running(self) -> bool:
        """Whether a process runs."""
        return "running" in self.state

    def say(self, reason: str, message: str, *, warning: bool = False) -> None:
        """An event about this container."""
        field = "initContainers" if self.init else "containers"
        self.home.say(reason, message, warning=warning, container=f"spec.{field}{{{self.name}}}")

    def wait(self, reason: str, message: str = "") -> None:
        """Stand in `waiting`."""
        waiting = {"reason": reason} | ({"message": message} if message else {})
        self.state = {"waiting": waiting}
        self.ready = self.started = False
        self.home.changed()

    # image

    def begin(self) -> None:
        """Get the image and start."""
        ref = self.spec["image"]
        policy = self.spec.get("imagePullPolicy") or self._default_policy(ref)
        if not _REFERENCE.fullmatch(ref):
            self._invalid(ref)
        elif policy == "Never" and self.home.image(ref) is None:
            self.wait(
                "ErrImageNeverPull", f'Container image "{ref}" is not present with pull policy of Never'
            )
        elif policy != "Always" and self.home.image(ref) is not None:
            self.say("Pulled", f'Container image "{ref}" already present on machine')
            self._start()
        else:
            self.say("Pulling", f'Pulling image "{ref}"')
            self._pull(ref)

    @staticmethod
    def _default_policy(ref: str) -> str:
        return "Always" if split(ref)[1] == "latest" else "IfNotPresent"

    def _invalid(self, ref: str) -> None:
        words = f'Failed to apply default image tag "{ref}": couldn\'t parse image name "{ref}": '
        self.say("InspectFailed", f"{words}invalid reference format", warning=True)
        self.say("Failed", "Error: InvalidImageName", warning=True)
        self.wait("InvalidImageName", f"{words}invalid reference format")

    def _pull(self, ref: str) -> None:
        try:
            image = self.home.cluster.registry.pull(ref)
        except PullError as failure:
            words = str(failure)
            self.later(0.4, lambda: self._pull_failed(ref, words))
            return
        seconds = image.pull_s if self.home.image(ref) is None else 0.2

        def pulled() -> None:
            self._failed_pulls = 0
            self.home.keep_image(ref, image)
            took = f"{seconds * 1000:.0f}ms ({seconds * 1000:.0f}ms including waiting)"
            words = f'Successfully pulled image "{ref}" in {took}. Image size: {image.size_bytes} bytes.'
            self.say("Pulled", words)
            self._start()

        self.later(seconds, pulled)

    def _pull_failed(self, ref: str, words: str) -> None:
        self.say("Failed", f'Failed to pull image "{ref}": {words}', warning=True)
        self.say("Failed", "Error: ErrImagePull", warning=True)
        self.wait("ErrImagePull", words)
        self._failed_pulls += 1
        delay = min(FIRST_BACK_OFF_S * 2 ** min(self._failed_pulls - 1, 9), LONGEST_BACK_OFF_S)

        def back_off() -> None:
            self.say("BackOff", f'Back-off pulling image "{ref}"')
            self.say("Failed", "Error: ImagePullBackOff", warning=True)
            self.wait("ImagePullBackOff", f'Back-off pulling image "{ref}": ErrImagePull: {words}')

        self.later(min(3.0, delay / 2), back_off)
        self.later(delay, self.begin)

    # start and end

    def _start(self) -> None:
        try:
            env = environment(self.spec, self.home.pod, self.home.cluster.cache.get)
        except ConfigError as failure:
            self.say("Failed", f"Error: {failure}", warning=True)
            self.wait("CreateContainerConfigError", str(failure))
            self.later(CONFIG_RETRY_S, self.begin)
            return
        self.say("Created", f"Created container: {self.name}")
        self.say("Started", f"Started container {self.name}")
        if self.current is not None:
            self.restarts += 1
            self.previous = self.current
        self._run(env)

    def _run(self, env: dict[str, str]) -> None:
        now = self.home.cluster.clock.now()
        image = self.home.image(self.spec["image"]) or Image()
        behaviour = image.program(self._facts(env))
        self.current = Record(behaviour, now, self._container_id())
        self.state = {"running": {"startedAt": stamp(now)}}
        self.stopping = False
        self._plan_end(behaviour)
        self._probing.begin(behaviour)
        self.home.changed()

    def _facts(self, env: dict[str, str]) -> Run:
        pod = meta(self.home.pod)
        return Run(
            namespace=pod["namespace"],
            pod=pod["name"],
            container=self.name,
            env=env,
            args=tuple((self.spec.get("command") or []) + (self.spec.get("args") or [])),
            memory_limit_bytes=self.memory_limit_bytes,
            restart=self.restarts,
            seed=self.home.cluster.seed,
        )

    @property
    def memory_limit_bytes(self) -> int | None:
        """The memory limit, if one is set."""
        limit = ((self.spec.get("resources") or {}).get("limits") or {}).get("memory")
        return None if limit is None else int(quantity(limit))

    def _plan_end(self, behaviour: Behaviour) -> None:
        limit, end = self.memory_limit_bytes, behaviour.exit
        full_after = None if limit is None else behaviour.memory.first_above(limit)
        if full_after is not None and (end is None or full_after < end.after_s):
            self.later(full_after, lambda: self.end(137, "OOMKilled"))
        elif end is not None:
            self.later(end.after_s, lambda: self.end(end.code, end.reason))

    def stop(self, grace_s: float) -> None:
        """Send SIGTERM, and SIGKILL after `grace_s`."""
        if not self.running or self.current is None:
            return
        self.stopping = True
        behaviour = self.current.behaviour
        obeys = behaviour.stop_s <= grace_s
        code = behaviour.stop_code if obeys else 137
        reason = "Completed" if code == 0 else "Error"
        self.later(min(behaviour.stop_s, grace_s), lambda: self.end(code, reason))

    def end(self, code: int, reason: str, message: str = "") -> None:
        """The process is gone; `message` is what it left as its termination message."""
        self.cancel()
        if self.current is None or not self.running:
            return
        now = self.home.cluster.clock.now()
        self.current.ended_at = now
        self.state = {
            "terminated": {
                "exitCode": code,
                "reason": reason,
                "startedAt": stamp(self.current.started_at),
                "finishedAt": stamp(now),
                "containerID": self.current.container_id,
            }
            | ({"message": message} if message else {})
        }
        self.ready = self.started = False
        self.home.changed()
        self._after_end(code)

    def _after_end(self, code: int) -> None:
        policy = self.home.pod["spec"].get("restartPolicy") or "Always"
        finished = code == 0 and (self.init or policy != "Always")
        if finished or policy == "Never":
            self.done = True
        elif "deletionTimestamp" not in meta(self.home.pod):
            self.later(1.0, self._back_off)
        self.home.ended(self.name)

    def _back_off(self) -> None:
        if self.current is None or self.current.ended_at is None:
            return
        ran = (self.current.ended_at - self.current.started_at).total_seconds()
        self._crashes = 1 if ran >= HEALTHY_RUN_S else self._crashes + 1
        delay = min(FIRST_BACK_OFF_S * 2 ** min(self._crashes - 1, 9), LONGEST_BACK_OFF_S)
        self.last_state = self.state
        full = (
            f"{meta(self.home.pod)['name']}_{meta(self.home.pod)['namespace']}({meta(self.home.pod)['uid']})"
        )
        words = f"back-off {go_duration(delay)} restarting failed container={self.name} pod={full}"
        self.wait("CrashLoopBackOff", words)
        self._say_back_off(full, self.current.ended_at + timedelta(seconds=delay))
        self.later(delay - 1.0, self.begin)

    def _say_back_off(self, full: str, until: datetime) -> None:
        self.say("BackOff", f"Back-off restarting failed container {self.name} in pod {full}", warning=True)
        if self.home.cluster.clock.now() + timedelta(seconds=SAID_AGAIN_S) < until:
            self.later(SAID_AGAIN_S, lambda: self._say_back_off(full, until))

    # status

    def _container_id(self) -> str:
        return f"containerd://{self.home.cluster.rng.getrandbits(256):064x}"

    def status(self) -> Obj:
        """The ContainerStatus."""
        ref = self.spec["image"]
        digest = hashlib.sha256(ref.encode()).hexdigest()
        known = self.current is not None
        return {
            "name": self.name,
            "state": self.state,
            "lastState": self.last_state,
            "ready": self.ready,
            "started": self.started,
            "restartCount": self.restarts,
            "image": canonical(ref) if known else ref,
            "imageID": f"{split(canonical(ref))[0]}@sha256:{digest}" if known else "",
        } | ({"containerID": self.current.container_id} if self.current else {})
