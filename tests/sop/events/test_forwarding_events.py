"""What the forwarder sends on, who of several sends, and that the intake understands it."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest

from aiops_shared.auth.callers import caller_from
from aiops_shared.aws.clients import AwsClients
from aiops_shared.errors import NotConfiguredError, UnreachableError, UpstreamError
from aiops_shared.kube.changes.journal import KeptEvent
from aiops_shared.kube.clusters import ClusterDirectory
from aiops_shared.kube.leading import DURATION_S, Leader
from aiops_shared.settings import AwsSettings, Settings
from aiops_sop.analysis.events import normalised
from eks_aiops.forwarding import forward
from eks_aiops.forwarding_events import MOST_WAITING, BusSink, EventSender, HttpSink, sink_of
from tests.e2e.stage import lab_environment
from tests.fakes.clocks import T0, FakeClock
from tests.lab_fixture import running_lab
from tests.sop.events.test_events_http import TOKEN, door

Obj = dict[str, Any]


class Kept:
    """A sink that keeps what it is sent; `down`: it fails."""

    def __init__(self) -> None:
        self.events: list[Obj] = []
        self.down = False

    async def send(self, events: Sequence[Obj]) -> None:
        if self.down:
            raise UnreachableError("sink", "down")
        self.events += events


class Said:
    """What an operator reads."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self, line: str) -> None:
        self.lines.append(line)


def warning(uid: str = "u", reason: str = "BackOff", count: int = 9, **more: Any) -> KeptEvent:
    told = {"kind": "Pod", "namespace": "shop", "name": "api-6c9d7f5b8-x2k4q", "message": "", **more}
    return KeptEvent(uid=uid, reason=reason, count=count, first_at=T0, last_at=T0, **told)


def node(**bad: str) -> Obj:
    types = {"Ready": "True", "DiskPressure": "False", "KernelReady": "True"} | bad
    reasons = {"DiskPressure": "KubeletHasDiskPressure", "Ready": "KubeletNotReady"}
    conditions = [
        {"type": key, "status": value, "reason": reasons.get(key, "X")} for key, value in types.items()
    ]
    return {"metadata": {"name": "n1"}, "status": {"conditions": conditions}}


async def test_what_means_something_is_sent_once_and_understood() -> None:
    sink, clock, said = Kept(), FakeClock(), Said()
    sender = EventSender(sink, "blue", clock, said, lambda: True)
    await sender.heard(
        [
            warning("a"),
            warning("a", count=10),  # again within a minute
            warning("b", count=1),  # a pod may be late once
            warning("c", "Pulled"),
            warning("d", "BackOff", 1, message='Back-off pulling image "x"'),
            warning("e", "EvictionThresholdMet", 1, kind="Node", namespace="", name="n2"),
            warning("f", "SuccessfulCreate", kind="ReplicaSet"),
        ]
    )
    clock.world = T0 + timedelta(minutes=6)
    await sender.heard([warning("old")])
    await sender.saw("Node", node())
    await sender.saw("Node", node(DiskPressure="True", KernelReady="False"))
    await sender.saw("Node", node(DiskPressure="True"))
    await sender.saw("Pod", node(Ready="False"))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(sender.run)
        with anyio.fail_after(5):
            while sender.sent < 6:  # noqa: ASYNC110  # the sender is what is waited for
                await anyio.sleep(0.01)
        tasks.cancel_scope.cancel()
    found = [normalised(one)[0] for one in sink.events]
    assert [(one.kind, one.reason, one.state) for one in found] == [
        ("PodState", "CrashLoopBackOff", "firing"),
        ("PodState", "ImagePullBackOff", "firing"),
        ("NodeCondition", "KubeletHasDiskPressure", "firing"),
        ("NodeCondition", "KubeletHasDiskPressure", "firing"),
        ("NodeCondition", "KernelNotReady", "firing"),
        ("NodeCondition", "KernelNotReady", "resolved"),
    ]
    assert {one.cluster for one in found} == {"blue"}
    assert (found[0].workload, found[3].node) == ("api", "n1")


@pytest.mark.fault("R21")
async def test_what_cannot_be_sent_waits_within_bounds_and_who_does_not_lead_forgets() -> None:
    sink, clock, said = Kept(), FakeClock(), Said()
    leads = [True]
    sender = EventSender(sink, "blue", clock, said, lambda: leads[0])
    sink.down = True
    await sender.heard([warning(str(n)) for n in range(MOST_WAITING + 5)])
    assert sender.dropped == 5
    with anyio.move_on_after(0.2):
        await sender.run()
    assert sink.events == []
    assert any("again in" in line for line in said.lines)
    leads[0] = False
    clock.world = T0 + timedelta(minutes=3)
    with anyio.move_on_after(1.2):
        await sender.run()
    sink.down, leads[0] = False, True
    await sender.heard([warning("late")])
    with anyio.move_on_after(1.2):
        await sender.run()
    assert len(sink.events) == 1  # what is older than two minutes another one has sent


@pytest.mark.timeout(60)
@pytest.mark.fault("R19")
async def test_one_of_two_leads_and_the_other_after_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with running_lab("healthy") as lab:
        lab_environment(lab, monkeypatch, "aiops-reader")
        monkeypatch.setenv("AIOPS_STATE_DIR", str(tmp_path))
        settings, clock, said = Settings(), FakeClock(), Said()
        clusters = ClusterDirectory(settings, AwsClients(settings.aws), clock, caller_from(settings))
        try:
            kube = await clusters.open(None)
            one, two = Leader(kube, clock, "one", said), Leader(kube, clock, "two", said)
            # Without the namespace there is no lease to be had: both send, and the intake folds.
            assert (await one.once(), await two.once()) == (True, True)
            assert sum("every forwarder sends" in line for line in said.lines) == 2
            space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "aiops-system"}}
            lab.store.create(space)
            one, two = Leader(kube, clock, "one", said), Leader(kube, clock, "two", said)
            assert (await one.once(), await two.once()) == (True, False)
            assert (await one.once(), await two.once()) == (True, False)
            spec = lab.store.get("Lease", "aiops-system", "eks-aiops-forward")
            assert spec is not None
            assert spec["spec"]["holderIdentity"] == "one"
            # It stands still for its duration, as the other one saw it.
            two._seen = (two._seen[0], anyio.current_time() - DURATION_S - 1)
            assert await two.once()
            assert not await one.once()
            spec = lab.store.get("Lease", "aiops-system", "eks-aiops-forward")
            assert spec is not None
            assert (spec["spec"]["holderIdentity"], spec["spec"]["leaseTransitions"]) == ("two", 2)
            await two.release()
            assert await one.once()
            await one.release()
        finally:
            await clusters.aclose()
        written = {(entry.method, entry.path) for entry in lab.requests.writes()}
        assert all("/leases" in path for _, path in written)

        # The command itself: it leads, sends, gives the lease back.
        async with door(tmp_path) as (client, desk):
            about = {"kind": "Pod", "name": "api-6c9d7f5b8-x2k4q", "namespace": "staging"}
            now = lab.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ")
            told = {
                "type": "Warning",
                "reason": "BackOff",
                "count": 7,
                "message": "Back-off restarting failed",
            }
            times = {"firstTimestamp": now, "lastTimestamp": now}
            meta = {"name": "api.1", "namespace": "staging"}
            event = {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": meta,
                "involvedObject": about,
                **told,
                **times,
            }
            lab.store.create(event)
            (tmp_path / "token").write_text(TOKEN)
            monkeypatch.setenv("AIOPS_EVENTS_FORWARD_TO", f"{client.base_url}/events")
            monkeypatch.setenv("AIOPS_EVENTS_FORWARD_TOKEN_FILE", str(tmp_path / "token"))
            assert await forward(None, 2.0) == 0
            work = await desk.queue.take()
            assert work is not None
            assert (work.event.reason, work.event.cluster, work.event.count) == (
                "CrashLoopBackOff",
                "my-cluster",
                7,
            )
            assert (work.sender, work.event.workload) == ("eventbridge", "api")
        assert "leads" in capsys.readouterr().err


async def test_a_bus_takes_ten_at_a_time_and_a_wrong_token_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with running_lab("healthy") as lab:
        lab_environment(lab, monkeypatch, "lab-admin")
        form = {"source": "eks-aiops", "detail-type": "Kubernetes Event", "detail": {"reason": "x"}}
        await BusSink(AwsClients(AwsSettings()), "default").send([form] * 23)
    async with door(tmp_path) as (client, _):
        (tmp_path / "wrong").write_text("wrong-token-of-sixteen")
        with pytest.raises(UpstreamError, match="401"):
            await HttpSink(f"{client.base_url}/events", tmp_path / "wrong").send([form])
    both = Settings.model_validate(
        {"events": {"forward_to": "http://127.0.0.1:1/events", "forward_bus": "b"}}
    )
    with pytest.raises(NotConfiguredError):
        sink_of(both)
    assert sink_of(Settings()) is None
