"""What a scenario is, and what it may do with the world it is played in.

Scenarios know nothing of controllers: they publish images, create objects at moments before T0, change and
delete them, and the world does the rest. `Expected` is what a right diagnosis says; tests and graders read
it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, Protocol

from aiops_lab.aws.account import Account
from aiops_lab.kube.admission.webhooks import WebhookAnswer
from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios.images import Image
from aiops_lab.scenarios.names import Names, cast
from aiops_lab.telemetry import Telemetry


@dataclass(frozen=True, slots=True)
class Expected:
    """One fault as a right diagnosis names it: its code, where the fault is, and what it hurts."""

    code: str
    kind: str
    namespace: str
    name: str
    hurts_kind: str = "Deployment"
    hurts_name: str = ""
    headline: str = ""  # a regular expression that the title or root cause must match


class Stage(Protocol):
    """The world, as a scenario sees it. Times are seconds before T0."""

    @property
    def aws(self) -> Account:
        """What stands in AWS; change it inside `at`, or at once for what was always so."""
        ...

    @property
    def telemetry(self) -> Telemetry:
        """The metrics, logs, traces and alerts of the world: functions of time, so written at once."""
        ...

    def at(self, before_s: float, act: Callable[[], None]) -> None:
        """Do something at that moment."""

    def put_at(self, before_s: float, *objects: Obj, by: str = ...) -> None:
        """Create objects at that moment."""

    def change_at(
        self, before_s: float, kind: str, namespace: str, name: str, change: Callable[[Obj], None]
    ) -> None:
        """Edit an object at that moment."""

    def delete_at(self, before_s: float, kind: str, namespace: str, name: str, user: str) -> None:
        """Delete an object at that moment; the world remembers who did it."""

    def replace_pods_at(self, before_s: float, namespace: str, app: str) -> None:
        """Delete an app's pods at that moment, so that new ones start."""

    def say_at(
        self, before_s: float, kind: str, namespace: str, name: str, reason: str, message: str
    ) -> None:
        """A Warning event about an object at that moment, by a component outside this world."""

    def forget_events_at(self, before_s: float, namespace: str) -> None:
        """The events of a namespace are gone from that moment, as an API server drops them after an hour."""

    def publish(self, ref: str, image: Image | None = None) -> str:
        """Make an image exist in the registry; returns its name."""

    def deny(self, repository: str) -> None:
        """Let the registry refuse a repository."""

    def pause_cron_jobs_at(self, before_s: float, for_s: float) -> None:
        """Let schedules pass by from that moment on, and for so long, as while their controller is down."""

    def serve_pool(self, before_s: float, pool: Obj, ready_s: float = ...) -> None:
        """From that moment Karpenter keeps this NodePool: it replaces nodes, and pending pods bring one,
        `ready_s` after its claim."""

    def answer_webhooks(self, namespace: str, service: str, answer: WebhookAnswer) -> None:
        """Let the program behind a webhook's Service fail, refuse or allow."""

    def refuse_volume(self, namespace: str, claim: str, words: str, reason: str = ...) -> None:
        """From now on a claim's volume is not mounted, in the words of its driver; `{volume}` is its name."""

    def allow_volume(self, namespace: str, claim: str) -> None:
        """The claim's volume is mounted again."""

    def let_driver(self, name: str, *, running: bool = True, **errors: str) -> None:
        """A storage driver runs from now on, or does not, or fails with a `create_error`, `delete_error`
        or `resize_error` in gRPC's words."""

    def fill_disk(self, node: str, **sizes: Any) -> None:
        """From now on so much stands on a disk: `system`, `unused_images`, `tmp` (bytes), `gc_error`."""

    def write_to_disk(self, namespace: str, app: str, *, local: int = 0, logs: int = 0) -> None:
        """Each pod of an app holds so many bytes on its node from now on."""

    def serve_http(self, namespace: str, app: str, port: int, path: str, body: bytes) -> None:
        """Each pod of an app answers plain HTTP so from now on; its other paths are unknown to it."""

    def stamp(self) -> str:
        """The present moment as Kubernetes writes it: for a change that writes a status."""
        ...

    def autoscale_at(self, before_s: float) -> None:
        """Autoscalers look once at that moment; by themselves they wake a quarter of an hour before T0."""

    def call_pods(self, namespace: str, name: str, template_hash: str, *suffixes: str) -> None:
        """The next revision of a Deployment and its next pods get these names."""


Build = Callable[[Stage, Names, Random], None]
Expect = Callable[[Names], tuple[Expected, ...]]


def nothing(names: Names) -> tuple[Expected, ...]:
    """No fault: an empty diagnosis is the right one."""
    del names
    return ()


@dataclass(frozen=True, slots=True)
class Scenario:
    """One story: how it is built and what a right answer to it is."""

    name: str
    title: str
    says: str
    fixture: str  # the id on the scenarios' page: F1, F1b, F2n
    build: Build
    expect: Expect = field(default=nothing)
    lead_s: float = 1800.0  # how long before T0 its first change is

    @property
    def expected(self) -> Expected | None:
        """What a right diagnosis says first with seed 0; None where nothing is wrong."""
        return next(iter(self.expect(cast(0))), None)
