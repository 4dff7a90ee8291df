"""Healthy things, some of them odd: what a diagnosis must stay silent about.

Every world is furnished with them, whatever its scenario; the list follows the false alarms named in the
project's page of faults (recovered, old, on-purpose and in-progress things are not findings).
"""

from collections.abc import Callable, Iterator
from datetime import timedelta
from random import Random
from typing import Any

from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios.images import Image
from aiops_lab.scenarios.names import Names
from aiops_lab.scenarios.programs import (
    Behaviour,
    Exit,
    Program,
    Run,
    failing,
    logfmt,
    serving,
    working,
)
from aiops_lab.scenarios.shapes import (
    autoscaler,
    config_map,
    container,
    cron_job,
    deployment,
    disruption_budget,
    env,
    http_probe,
    job,
    service,
    template,
)
from aiops_lab.world.events import Said
from aiops_lab.world.objects import is_ready, labels_of, meta
from aiops_lab.world.schedules import fits
from aiops_lab.world.site import Site

HOUR_S, DAY_S = 3600.0, 86_400.0
LEADER = {"role": "leader"}


def furnish(world: Site, names: Names, rng: Random) -> None:
    """Put all of it in place."""
    subjects = iter(names.others)
    room = _Room(world, names, rng, subjects)
    room.plain("production", 3 if names.seed == 0 else rng.randint(2, 4), autoscaled=True)
    room.plain("production", 2 if names.seed == 0 else rng.randint(2, 3), optional_config=True)
    room.restarted_last_week("production", 3 if names.seed == 0 else rng.randint(2, 4))
    room.leader_and_standby("production")
    room.cache("production")
    room.updated_days_ago("production", 2 if names.seed == 0 else rng.randint(1, 3))
    room.scaled_to_zero("production")
    room.finished_job("production")
    room.nightly_job("production")
    room.elsewhere("production")
    room.rolling_now("staging", rng.randint(3, 5))
    room.recovered("staging")
    room.warned_an_hour_ago("staging")
    room.plain("dev", rng.randint(1, 2))


class _Room:
    """The pieces, each with its own subject."""

    def __init__(self, world: Site, names: Names, rng: Random, subjects: Iterator[str]) -> None:
        self.world, self.names, self.rng, self.subjects = world, names, rng, subjects

    def _image(self, subject: str, program: Program | None = None, tag: str | None = None) -> str:
        tag = tag or f"{self.rng.randint(1, 4)}.{self.rng.randint(0, 20)}.{self.rng.randint(0, 9)}"
        published = Image(program or serving(subject, memory_mi=self.rng.randint(50, 140), cpu_m=45))
        return self.world.publish(self.names.image(subject, tag), published)

    def _app(self, home: str, replicas: int, program: Program | None = None, **main: Any) -> str:
        """An ordinary workload with its Service; returns its name."""
        subject = next(self.subjects)
        one = container("app", self._image(subject, program), readinessProbe=http_probe(), **main)
        since_s = self.rng.uniform(5, 25) * DAY_S
        pod = template({"app": subject}, [one])
        self.world.put_at(since_s, deployment(home, subject, replicas, pod), service(home, subject, subject))
        return subject

    def plain(
        self, home: str, replicas: int, *, autoscaled: bool = False, optional_config: bool = False
    ) -> None:
        """Nothing odd, or an HPA at rest, or an optional ConfigMap that was never there."""
        literals = env(LOG_LEVEL="info", REGION="us-east-1")
        ref = {
            "configMapRef": {"name": f"{self.rng.choice(('tuning', 'overrides'))}-extra", "optional": True}
        }
        more: dict[str, Any] = {"env": literals} | ({"envFrom": [ref]} if optional_config else {})
        subject = self._app(home, replicas, **more)
        self.world.put_at(DAY_S, config_map(home, f"{subject}-features", {"beta": "false"}))
        if autoscaled:
            self.world.put_at(4 * DAY_S, autoscaler(home, subject, replicas, replicas + 5))
            self.world.put_at(4 * DAY_S, disruption_budget(home, subject, subject, maxUnavailable=1))

    def restarted_last_week(self, home: str, replicas: int) -> None:
        """One pod crashed once, days ago."""
        after_s, fallen = self.rng.uniform(1, 3) * DAY_S, set[str]()

        def run(start: Run) -> Behaviour:
            calm = serving(start.container, cpu_m=35)(start)
            if (fallen and start.pod not in fallen) or start.restart:
                return calm
            fallen.add(start.pod)
            last = (after_s - 0.5, logfmt("error", "lost connection to broker, exiting"))
            return Behaviour(lines=(*calm.lines, last), exit=Exit(after_s, 1), memory=calm.memory)

        self._app(home, replicas, run)

    def leader_and_standby(self, home: str) -> None:
        """Two replicas, one leads: the Service selects the leader alone, the standby has no endpoints."""
        lines = (logfmt("info", "lease renewed"), logfmt("info", "standby: waiting for leader lease"))
        subject = self._app(home, 2, serving("elector", lines=lines))
        leading = service(home, f"{subject}-leader", subject)
        leading["spec"]["selector"] = {"app": subject, **LEADER}
        self.world.put_at(2 * DAY_S, leading)

        def elect() -> None:
            pods = [
                each
                for each in self.world.cluster.cache.all("Pod", home)
                if labels_of(each).get("app") == subject
            ]
            if pods and not any(labels_of(pod).get("role") == "leader" for pod in pods):
                ready = [pod for pod in pods if is_ready(pod)]
                for pod in ready[:1]:
                    self.world.cluster.edit(pod, lambda fresh: meta(fresh)["labels"].update(LEADER), subject)
            self.world.clock.call_later(15 if not self.world.cluster.events.mute else HOUR_S, elect)

        self.world.at(2 * DAY_S - 60, elect)

    def cache(self, home: str) -> None:
        """A StatefulSet of one behind a headless Service."""
        subject = f"{next(self.subjects)}-cache"
        main = container("cache", "redis:7.4", readinessProbe={"tcpSocket": {"port": "http"}})
        head = service(home, subject, subject, clusterIP="None")
        labels = {"app": subject}
        stateful = {
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "metadata": {"name": subject, "namespace": home, "labels": labels},
            "spec": {
                "replicas": 1,
                "serviceName": subject,
                "selector": {"matchLabels": labels},
                "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
                "template": template(labels, [main]),
            },
        }
        self.world.put_at(20 * DAY_S, head, stateful)

    def updated_days_ago(self, home: str, replicas: int) -> None:
        """Two revisions, the newer one good: history for a rollback."""
        subject = self._app(home, replicas)
        newer = self._image(subject)

        def update(obj: Obj) -> None:
            obj["spec"]["template"]["spec"]["containers"][0]["image"] = newer

        self.world.change_at(self.rng.uniform(2, 4) * DAY_S, "Deployment", home, subject, update)

    def scaled_to_zero(self, home: str) -> None:
        """On purpose, with a note who did it; its Service selects nothing."""
        subject = self._app(home, 0)

        def note(obj: Obj) -> None:
            why = f"scaled to zero until the winter campaign, owner team-{subject}"
            meta(obj)["annotations"] = {
                "kubernetes.io/change-cause": why,
                "example.com/owner": f"team-{subject}",
            }

        self.world.change_at(3 * DAY_S, "Deployment", home, subject, note)

    def finished_job(self, home: str) -> None:
        """A migration that ran to its end."""
        subject = next(self.subjects)
        program = working(logfmt("info", "migrating"), logfmt("info", "done", tables=14), takes_s=95)
        self.world.put_at(2.5 * DAY_S, job(home, f"{subject}-migrate", self._image(subject, program)))

    def nightly_job(self, home: str) -> None:
        """A CronJob whose run failed two nights ago and succeeded last night."""
        subject, rng = next(self.subjects), self.rng
        bad = {"night": False}

        def run(start: Run) -> Behaviour:
            if bad["night"]:
                return failing(logfmt("fatal", "upstream export not ready"), after_s=40)(start)
            return working(logfmt("info", "report written", rows=rng.randint(100, 900)), takes_s=120)(start)

        schedule = f"{rng.randint(0, 59)} {rng.randint(0, 5)} * * *"
        name = f"{subject}-nightly"
        nightly = job(home, name, self._image(subject, run))
        self.world.put_at(6 * DAY_S, cron_job(home, name, schedule, nightly["spec"]))
        moment = self.world.clock.now() + timedelta(days=23)
        start = next(m for m in (moment + timedelta(minutes=n) for n in range(1440)) if fits(schedule, m))
        nights = [start.replace(second=0, microsecond=0) + timedelta(days=day) for day in range(8)]
        nights = [night for night in nights if night < self.world.started_at - timedelta(minutes=90)][-4:]
        for place, night in enumerate(nights):
            self.world.clock.call_at(night, self._fire(home, name, bad, failed=place == len(nights) - 2))

    def _fire(self, home: str, name: str, bad: dict[str, bool], *, failed: bool) -> Callable[[], None]:
        def act() -> None:
            found = self.world.cluster.cache.get("CronJob", home, name)
            bad["night"] = failed
            if found is not None:
                self.world.cronjobs.fire(found)
                self.world.clock.call_later(HOUR_S, lambda: bad.update(night=False))

        return act

    def elsewhere(self, home: str) -> None:
        """Services without pods: an ExternalName, and one whose endpoints are written by hand."""
        outside, legacy = next(self.subjects), next(self.subjects)
        alias = service(home, f"{outside}-partner", None)
        alias["spec"] = {"type": "ExternalName", "externalName": f"{outside}.partner.example.com"}
        by_hand = {
            "apiVersion": "v1",
            "kind": "Endpoints",
            "metadata": {"name": f"{legacy}-onprem", "namespace": home},
            "subsets": [
                {
                    "addresses": [{"ip": f"10.8.0.{self.rng.randint(2, 250)}"}],
                    "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
                }
            ],
        }
        self.world.put_at(15 * DAY_S, alias, service(home, f"{legacy}-onprem", None), by_hand)

    def rolling_now(self, home: str, replicas: int) -> None:
        """A rollout that began two minutes ago and is well within its deadline."""
        subject = self._app(home, replicas)

        def slow(start: Run) -> Behaviour:
            calm = serving(start.container, cpu_m=40)(start)
            return Behaviour(lines=calm.lines, chatter=calm.chatter, memory=calm.memory, ready_after_s=55)

        newer = self._image(subject, slow)

        def update(obj: Obj) -> None:
            obj["spec"]["template"]["spec"]["containers"][0]["image"] = newer

        self.world.change_at(self.rng.uniform(90, 150), "Deployment", home, subject, update)

    def recovered(self, home: str) -> None:
        """Crashed four times three quarters of an hour ago, and has been fine since."""
        refused = failing(logfmt("error", "dial tcp: connection refused", upstream="db"), after_s=4)

        def run(start: Run) -> Behaviour:
            return refused(start) if start.restart < 4 else serving(start.container)(start)

        subject = next(self.subjects)
        one = container("app", self._image(subject, run), readinessProbe=http_probe())
        pod = template({"app": subject}, [one])
        since_s = self.rng.uniform(2500, 2900)
        self.world.put_at(since_s, deployment(home, subject, 1, pod), service(home, subject, subject))

    def warned_an_hour_ago(self, home: str) -> None:
        """A readiness probe that failed three times and then never again."""
        subject = self._app(home, 2)

        def warn() -> None:
            pods = self.world.cluster.cache.selected("Pod", home, {"matchLabels": {"app": subject}})
            words = "Readiness probe failed: HTTP probe failed with statuscode: 503"
            for pod in pods[:1]:
                host = pod["spec"].get("nodeName", "")
                field = "spec.containers{app}"
                self.world.cluster.say(Said(pod, "Unhealthy", words, "kubelet", True, host, field))

        before_s = self.rng.uniform(3000, 3400)
        for place in range(3):
            self.world.at(before_s - 10 * place, warn)
