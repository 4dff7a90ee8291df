"""`eks-aiops forward`: watch one cluster and keep what changes, with old values, for 7 days.

It writes into the state store of the configured servers; the cluster is only read. Where
AIOPS_EVENTS_FORWARD_TO or AIOPS_EVENTS_FORWARD_BUS says so it also sends events on; then it holds a Lease.
"""

import platform
import secrets
import sys
from datetime import datetime

import anyio

from aiops_shared.auth.callers import caller_from
from aiops_shared.aws import EksCluster
from aiops_shared.aws.clients import AwsClients
from aiops_shared.errors import AiopsError, NotConfiguredError
from aiops_shared.guardrails.redacting import redact
from aiops_shared.http.world_clock import make_clock
from aiops_shared.kube.changes.forwarding import ROUND_S, Forwarder
from aiops_shared.kube.changes.journal import WatchJournal
from aiops_shared.kube.changes.records import cluster_key
from aiops_shared.kube.changes.views import Viewer
from aiops_shared.kube.clusters import ClusterDirectory
from aiops_shared.kube.leading import Leader
from aiops_shared.settings import Settings
from aiops_shared.state import Keys, StateStore
from eks_aiops.forwarding_events import EventSender, sink_of

ALIVE_S = 600.0


def say(line: str) -> None:
    """One line for the operator; stdout stays free."""
    sys.stderr.write(f"{line}\n")


async def _aws_side(clusters: ClusterDirectory, cluster: str | None) -> EksCluster | None:
    try:
        return await clusters.eks(cluster)
    except NotConfiguredError:
        return None


async def forward(cluster: str | None, for_s: float | None, settings: Settings | None = None) -> int:
    """Watch until interrupted, or for so long. Raises AiopsError when the cluster cannot be opened."""
    settings = settings or Settings()
    clock = make_clock(settings)
    clusters = ClusterDirectory(settings, AwsClients(settings.aws), clock, caller_from(settings))
    store = StateStore(settings.state)
    try:
        kube = await clusters.open(cluster)
        await kube.version()  # says at once what is wrong with the address or the credentials
        name = cluster_key(kube.cluster, await _aws_side(clusters, cluster))
        key = await anyio.to_thread.run_sync(Keys(settings.state).derive, "journal")
        forwarder = Forwarder(
            kube,
            WatchJournal(store),
            Viewer(redact, key),
            clock,
            name,
            say,
            round_s=min(ROUND_S, for_s) if for_s else ROUND_S,
        )
        sink = sink_of(settings)
        leader = Leader(kube, clock, f"{platform.node()[:60]}-{secrets.token_hex(4)}", say)
        if sink is not None:
            forwarder.also = EventSender(sink, name.rpartition("/")[2], clock, say, lambda: leader.leads)
            say("forward: events are sent on by the one forwarder that leads")
        say(f"forward: watching {name}; changes and warnings are kept 7 days in {_where(settings)}")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_report, forwarder)
            if isinstance(forwarder.also, EventSender):
                await leader.once()
                tasks.start_soon(leader.run)
                tasks.start_soon(forwarder.also.run)
            # A short run is one whole round: it lists everything once, however slow the cluster is.
            short = for_s is not None and for_s <= ROUND_S
            with anyio.move_on_after(for_s) if for_s and not short else anyio.CancelScope():
                await forwarder.run(rounds=1 if short else None)
            if isinstance(forwarder.also, EventSender):
                await leader.release()
            tasks.cancel_scope.cancel()
        say(f"forward: {_kept(forwarder)} kept")
    finally:
        with anyio.CancelScope(shield=True):
            await clusters.aclose()
            await clock.aclose()
        store.close()
    return 0


async def _report(forwarder: Forwarder) -> None:
    while True:
        await anyio.sleep(ALIVE_S)
        say(f"forward: {_kept(forwarder)} kept so far")


def _kept(forwarder: Forwarder) -> str:
    return f"{forwarder.written} change{'' if forwarder.written == 1 else 's'}"


def _where(settings: Settings) -> str:
    return settings.state.database_url.split("@")[-1]


def duration_s(text: str) -> float:
    """`90s`, `30m`, `2h` in seconds. Raises InvalidInputError."""
    from aiops_shared.params import since_to_datetime

    now = datetime.fromtimestamp(2_000_000_000).astimezone()
    try:
        return (now - since_to_datetime(text, now)).total_seconds()
    except AiopsError as error:
        raise type(error)("--for", "is no duration", "give 90s, 30m or 2h") from error
