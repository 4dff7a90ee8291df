"""One simulated world: builds a scenario's past, keeps it alive, and answers for its logs and usage.

The lab's start-up makes one over the Store and the clock, loads a scenario, and calls the clock's `tick`.
Loading sets the clock back a month, plays the furniture and the story in order up to this moment (T0), and
lets time run on from there: pods are as old, and have restarted as often, as the story says.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

from aiops_lab.aws.account import Account
from aiops_lab.clock import VirtualClock
from aiops_lab.kube.admission.webhooks import WebhookAnswer
from aiops_lab.kube.auditing import AuditLog
from aiops_lab.kube.store import Store
from aiops_lab.kube.wire import clone
from aiops_lab.scenarios import SCENARIOS
from aiops_lab.scenarios.base import Expected, Scenario
from aiops_lab.scenarios.images import Image
from aiops_lab.scenarios.names import Names, cast
from aiops_lab.telemetry import Telemetry
from aiops_lab.world.addon_pods import AddonPods
from aiops_lab.world.argo import Argo
from aiops_lab.world.autoscaling import Autoscalers, AutoscaleStories
from aiops_lab.world.building import uncollected
from aiops_lab.world.cache import Cache
from aiops_lab.world.cluster import Cluster, Controller
from aiops_lab.world.cni import Cni
from aiops_lab.world.cronjobs import CronJobs
from aiops_lab.world.daemonsets import DaemonSets
from aiops_lab.world.deployments import Deployments
from aiops_lab.world.disks import Disks
from aiops_lab.world.disruption import DisruptionBudgets
from aiops_lab.world.endpoints import Endpoints
from aiops_lab.world.events import Said
from aiops_lab.world.evictions import TaintEvictions
from aiops_lab.world.furniture import furnish
from aiops_lab.world.ground import lay_ground
from aiops_lab.world.histories import Histories
from aiops_lab.world.jobs import Jobs
from aiops_lab.world.kubectl_jobs import KubectlJobs
from aiops_lab.world.kubelet import Kubelets
from aiops_lab.world.meter import Meter
from aiops_lab.world.namespaces import Namespaces
from aiops_lab.world.nodes import Nodes
from aiops_lab.world.objects import Obj, meta
from aiops_lab.world.persistent_volumes import Volumes
from aiops_lab.world.provisioning import READY_S, Provisioner
from aiops_lab.world.quotas import Quotas
from aiops_lab.world.replicas import ReplicaSets
from aiops_lab.world.scheduling import Scheduler
from aiops_lab.world.statefulsets import StatefulSets
from aiops_lab.world.storage import Claims, Driver, Drivers

PAST = timedelta(days=30)
REMEMBERED_S = 4200.0  # events older than this are gone by T0: not even written
WATCHED_S = 900.0  # autoscalers that wake a quarter of an hour before T0 have settled by then
_ANOTHER_CAST, _MOST_CASTS = 1000, 20
EDITOR = "platform-team"  # who does what a story leaves nameless
_KUBECTL = "kubectl/v1.35.0 (linux/amd64) kubernetes/0000000"
AGENTS = {"kubectl": _KUBECTL, "kubectl-edit": _KUBECTL, "kubectl-client-side-apply": _KUBECTL}
_STEP_S, _IDLE_S, _QUIET_S = 0.5, 900.0, 5.0


@dataclass(frozen=True, slots=True)
class ChangeRecord:
    """One change somebody made, as the audit log tells it too."""

    at: datetime
    user: str
    verb: str
    obj: Obj = field(repr=False)


class World(AutoscaleStories):
    """The door of the world: load, inject, reset; a source of logs and usage for the API simulator."""

    def __init__(self, store: Store, clock: VirtualClock, seed: int = 0) -> None:
        self.store, self.clock, self.seed = store, clock, seed
        self.aws = Account(started_at=clock.now(), now=clock.now)
        self.cluster = Cluster(store, clock, Cache())
        self.cni = Cni(self.cluster, self.aws)
        self.kubelets = Kubelets(self.cluster, self.cni)
        self.nodes = Nodes(self.cluster)
        self.disks = Disks(self.cluster, self.nodes, self.kubelets)
        self.meter = Meter(self.kubelets, self.cni, self.disks, lambda: self.telemetry)
        self.aws.hosts, self.aws.installer = self.disks, AddonPods(self.cluster)
        self.aws.objects = store.list
        self.cronjobs = CronJobs(self.cluster)
        self.drivers = Drivers()
        self.autoscalers = Autoscalers(self.cluster, self.kubelets, lambda: self.telemetry)
        self.argo = Argo(self.cluster, self._audit)
        self.provisioner = Provisioner(self.cluster)
        self.controllers: tuple[Controller, ...] = (
            Namespaces(self.cluster),
            Quotas(self.cluster),
            self.nodes,
            self.cni,
            TaintEvictions(self.cluster),
            Scheduler(self.cluster),
            self.kubelets,
            self.disks,
            ReplicaSets(self.cluster),
            Deployments(self.cluster),
            StatefulSets(self.cluster),
            DaemonSets(self.cluster),
            *(Histories(self.cluster, kind) for kind in ("StatefulSet", "DaemonSet")),
            Jobs(self.cluster),
            self.cronjobs,
            KubectlJobs(self.cluster),
            *(kind(self.cluster, self.drivers) for kind in (Claims, Volumes)),
            Endpoints(self.cluster),
            DisruptionBudgets(self.cluster),
            self.autoscalers,
            self.provisioner,
        )
        self._hearing: dict[str, list[Callable[[str, Obj], None]]] = {}  # by kind, in their order
        self.served: defaultdict[tuple[str, str, int], dict[str, bytes]] = defaultdict(dict)
        self.scenario = "healthy"
        self.expected: tuple[Expected, ...] = ()
        self.changes: list[ChangeRecord] = []
        self.started_at = self._earliest = clock.now()
        self._story_now = clock.now()  # the T0 of the story that is being written
        store.admission.controllers_run = True
        self._blank = store.snapshot()
        store.subscribe(self._hear)

    # stories

    @uncollected()
    def load(self, scenario: str, seed: int | None = None, *, furnished: bool = True) -> None:
        """Forget everything and stand at T0 of a scenario. Raises KeyError for an unknown name.

        Without furniture only the ground is laid: nodes, namespaces, what EKS puts into kube-system.
        """
        story = SCENARIOS[scenario]
        self.seed = self.seed if seed is None else seed
        self.scenario = scenario
        now = self.clock.now().replace(microsecond=0)
        running = self.clock.running
        self.clock.pause()
        self._clear(now - PAST)
        self.started_at = self._story_now = now
        self.aws.reset(now)
        self.telemetry.t0_s = now.timestamp()
        self.meter.begin()
        self._earliest = now - PAST
        self.cluster.events.mute = True
        self.clock.call_at(now - timedelta(seconds=REMEMBERED_S), self._go_live)
        self.clock.call_at(now - timedelta(seconds=WATCHED_S), self.autoscalers.look)
        lay_ground(self)
        self.clock.advance(60)
        names = cast(self.seed)
        if furnished:
            furnish(self, names, Random(f"furniture/{self.seed}"))
        self._tell(story, names)
        self._play_until(now)
        if running:
            self.clock.resume()

    def inject(self, scenario: str) -> None:
        """Let a scenario happen in the running world, and stand at its T0; raises KeyError for an unknown
        name.

        A cast that already plays here makes room for another one, so the same story can happen twice. What
        the story has before the past that `load` plays happens at once.
        """
        story = SCENARIOS[scenario]
        casts = (cast(self.seed + again * _ANOTHER_CAST) for again in range(_MOST_CASTS))
        names = next((each for each in casts if not self._plays(each)), None)
        if names is None:
            raise ValueError(f"scenario {scenario}: too many stories in one world; reset the lab first")
        self._earliest = self.clock.now()
        self._story_now = self._earliest + min(PAST, timedelta(seconds=story.lead_s))
        self.nodes.unseen_until(self._story_now - timedelta(seconds=REMEMBERED_S))
        self._tell(story, names)
        self._play_until(self._story_now)

    def _plays(self, names: Names) -> bool:
        taken = (names.api, names.worker)
        return any(meta(each)["name"] in taken for each in self.cluster.cache.all("Deployment"))

    def reset(self) -> None:
        """Load the same scenario anew, at this moment."""
        self.load(self.scenario)

    def _tell(self, story: Scenario, names: Names) -> None:
        self.expected = (*self.expected, *story.expect(names))
        story.build(self, names, Random(f"{story.name}/{names.seed}"))

    def _clear(self, to: datetime) -> None:
        self.store.restore({**self._blank, "resources": self.store.registry.all()})
        self.clock.rewind(to)
        self.cluster.reset(self.seed, self.scenario)
        self.cluster.cache.clear()
        self.drivers.reset()
        self.served.clear()
        self.changes.clear()
        self.expected = ()
        for controller in self.controllers:
            controller.reset()
        self.meter.reset()
        for obj in self.store.list("Namespace"):
            self.store.delete("Namespace", None, meta(obj)["name"])

    def _go_live(self) -> None:
        self.cluster.events.mute = False
        self.nodes.beat()
        self.cronjobs.look()

    # for furniture and scenarios

    @property
    def telemetry(self) -> Telemetry:
        """What this world emits."""
        return self.aws.area(Telemetry)

    def at(self, before_s: float, act: Callable[[], None]) -> None:
        """Plan `act` for T0 minus `before_s`; in an injected story what is older happens at once."""
        self.clock.call_at(max(self._earliest, self._story_now - timedelta(seconds=before_s)), act)

    def put(self, *objects: Obj, by: str = "kubectl-client-side-apply") -> None:
        """Create objects now."""
        for obj in objects:
            self._audit("create", self.store.add(obj, manager=by), EDITOR, by)

    def _audit(self, verb: str, obj: Obj, user: str, agent: str) -> None:
        """What somebody did in the story, in the control plane's audit log."""
        resource = self.store.registry.of(obj)
        ref = {
            "resource": resource.plural,
            "apiGroup": resource.group,
            "namespace": meta(obj).get("namespace", ""),
            "name": meta(obj)["name"],
        }
        told = {"verb": verb, "user": user, "agent": AGENTS.get(agent, agent)}
        self.aws.area(AuditLog).add(self.clock.now(), ref, told)

    def put_at(self, before_s: float, *objects: Obj, by: str = "kubectl-client-side-apply") -> None:
        """Create objects at T0 minus `before_s`."""
        self.at(before_s, lambda: self.put(*objects, by=by))

    def change_at(
        self, before_s: float, kind: str, namespace: str, name: str, change: Callable[[Obj], None]
    ) -> None:
        """Edit an object, its status included, at T0 minus `before_s`."""

        def act() -> None:
            if (found := self.store.get(kind, namespace, name)) is not None:
                known = (before := clone(found)).get("status")
                change(found)
                self.store.update(found, manager="kubectl-edit")
                if {**found, "status": known} != {**before, "status": known}:
                    self._audit("update", found, EDITOR, "kubectl-edit")
                if found.get("status") != known:  # has its own endpoint, as on a real server
                    self.store.set_status(kind, namespace, name, found["status"])

        self.at(before_s, act)

    def forget_events_at(self, before_s: float, namespace: str) -> None:
        """Drop a namespace's events at T0 minus `before_s`."""
        self.at(before_s, lambda: self._delete_all("Event", namespace))

    def _delete_all(self, kind: str, namespace: str, labels: str | None = None) -> None:
        for one in self.store.list(kind, namespace, labels=labels):
            self.store.delete(kind, namespace, meta(one)["name"])

    def delete_at(self, before_s: float, kind: str, namespace: str, name: str, user: str) -> None:
        """Delete an object at T0 minus `before_s`, and remember who did it."""

        def act() -> None:
            if (found := self.store.get(kind, namespace, name)) is not None:
                self.changes.append(ChangeRecord(self.clock.now(), user, "delete", found))
                self._audit("delete", found, user, "kubectl")
                self.store.delete(kind, namespace, name)

        self.at(before_s, act)

    def replace_pods_at(self, before_s: float, namespace: str, app: str) -> None:
        """Delete every pod of an app at T0 minus `before_s`; its controller makes new ones."""
        self.at(before_s, lambda: self._delete_all("Pod", namespace, f"app={app}"))

    def say_at(
        self, before_s: float, kind: str, namespace: str, name: str, reason: str, message: str
    ) -> None:
        """A Warning event about an object at T0 minus `before_s`, by a component outside this world."""

        def act() -> None:
            if (found := self.cluster.cache.get(kind, namespace, name)) is not None:
                self.cluster.say(Said(found, reason, message, "external-controller", warning=True))

        self.at(before_s, act)

    def publish(self, ref: str, image: Image | None = None) -> str:
        """Make an image exist in the registry; returns its name."""
        return self.cluster.registry.publish(ref, image)

    def deny(self, repository: str) -> None:
        """Let the registry refuse a repository."""
        self.cluster.registry.deny(repository)

    def pause_cron_jobs_at(self, before_s: float, for_s: float) -> None:
        """Let schedules pass by from that moment on, and for so long, as while their controller is down."""
        self.at(before_s, self.cronjobs.stop)
        self.at(before_s - for_s, self.cronjobs.resume)

    def serve_pool(self, before_s: float, pool: Obj, ready_s: float = READY_S) -> None:
        """From that moment Karpenter keeps this NodePool: it replaces nodes, and pending pods bring one."""
        self.put_at(before_s, pool)  # people write NodePools; Karpenter writes their status
        self.at(before_s, lambda: self.provisioner.serve(meta(pool)["name"], ready_s))

    def answer_webhooks(self, namespace: str, service: str, answer: WebhookAnswer) -> None:
        """Let the program behind a webhook's Service fail, refuse or allow; forgotten with the next load."""
        self.store.admission.webhooks.answers[namespace, service] = answer

    def refuse_volume(self, namespace: str, claim: str, words: str, reason: str = "FailedMount") -> None:
        """From now on a claim's volume is not mounted; in the words `{volume}` is its PersistentVolume."""
        self.kubelets.refused[namespace, claim] = reason, words

    def allow_volume(self, namespace: str, claim: str) -> None:
        """The claim's volume is mounted again."""
        self.kubelets.refused.pop((namespace, claim), None)

    def let_driver(self, name: str, *, running: bool = True, **errors: str) -> None:
        """A driver runs from now on, or does not, or fails with a `create_error`, `delete_error`, ..."""
        self.set_driver(name, Driver(running=running, **errors))

    def set_driver(self, name: str, driver: Driver) -> None:
        """Stop a CSI driver, let it fail, or install one; forgotten with the next load."""
        self.drivers.known[name] = driver

    def fill_disk(self, node: str, **sizes: Any) -> None:
        """From now on so much stands on a node's disk: `system`, `unused_images`, `tmp`, in bytes."""
        self.disks.fill(node, **sizes)

    def write_to_disk(self, namespace: str, app: str, *, local: int = 0, logs: int = 0) -> None:
        """Each pod of an app holds so many bytes on its node from now on."""
        self.disks.write(namespace, app, local=local, logs=logs)

    def serve_http(self, namespace: str, app: str, port: int, path: str, body: bytes) -> None:
        """Each pod of an app answers plain HTTP so from now on."""
        self.served[namespace, app, port][path] = body

    def http(self, namespace: str, pod: str, port: int, path: str) -> bytes | None:
        """What a pod answers; None for an unknown path. Raises LookupError where nobody listens."""
        found = self.cluster.cache.get("Pod", namespace, pod)
        run = self.kubelets.runs.get((namespace, pod))
        app = (meta(found).get("labels") or {}).get("app", "") if found else ""
        if run is None or not run.mains[0].running or (namespace, app, port) not in self.served:
            raise LookupError(port)
        return self.served[namespace, app, port].get(path)

    def stamp(self) -> str:
        """The present moment as Kubernetes writes it: for a change that writes a status."""
        return self.cluster.stamp()

    def call_pods(self, namespace: str, name: str, template_hash: str, *suffixes: str) -> None:
        """The next revision of a Deployment (unless empty) and its next pods get these names."""
        fixed, key = self.cluster.fixed, (namespace, name)
        if template_hash:
            fixed.hashes.setdefault(key, []).append(template_hash)
        fixed.suffixes.setdefault(key, []).extend(suffixes)

    def settle(self, seconds: float = _IDLE_S) -> None:
        """Play on until nothing happens for a while, at most `seconds`."""
        end = self.clock.now() + timedelta(seconds=seconds)
        while self.clock.now() < end:
            due = self.clock.next_due()
            if due is None or (due - self.clock.now()).total_seconds() > _QUIET_S:
                return
            self.clock.advance(_STEP_S)

    def _play_until(self, moment: datetime) -> None:
        self.clock.advance(max(0.0, (moment - self.clock.now()).total_seconds()))

    def _hear(self, change: str, obj: Obj) -> None:
        self.cluster.cache.take(change, obj)
        self.meter.hear(change, obj)
        if (hearing := self._hearing.get(kind := obj["kind"])) is None:
            self._hearing[kind] = hearing = [each.hear for each in self.controllers if each.hears(kind)]
        for hear in hearing:
            hear(change, obj)

    def lines(
        self, namespace: str, pod: str, container: str, *, previous: bool
    ) -> list[tuple[datetime, str]] | None:
        """What a container wrote, oldest first; None when there is no such run."""
        return self.kubelets.lines(namespace, pod, container, previous=previous)

    def pod(self, namespace: str, name: str) -> dict[str, tuple[int, int]] | None:
        """Per container (cpu millicores, memory bytes); None when the pod does not run."""
        return self.meter.pod(namespace, name)

    def node(self, name: str) -> tuple[int, int] | None:
        """(cpu millicores, memory bytes) of a node; None when there is no such node."""
        return self.meter.node(name)
