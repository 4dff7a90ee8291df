"""Of many clusters those asked last stay connected; one that is being asked is never let go (S6, R20)."""

import json
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from aiops_shared.auth import CallerIdentity
from aiops_shared.aws import AwsClients
from aiops_shared.clock import SystemClock
from aiops_shared.kube import clusters as known_clusters
from aiops_shared.kube.clusters import ClusterDirectory
from aiops_shared.kube.open_clusters import OpenClusters
from aiops_shared.settings import AwsSettings, KubeSettings, Settings
from bench.scale_api import serving

MOST, CLUSTERS = 3, 7


def directory(table: Path) -> ClusterDirectory:
    settings = Settings(clusters_file=table, kube=KubeSettings(timeout_s=20), aws=AwsSettings(timeout_s=5))
    found = ClusterDirectory(settings, AwsClients(settings.aws), SystemClock(), CallerIdentity("ann"))
    found._open = OpenClusters(MOST)
    return found


async def test_of_many_clusters_those_asked_last_stay_connected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(tmp_path, CLUSTERS, 2, 1, 10) as (seen, kubeconfig, table):
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
        names = [one["name"] for one in json.loads(kubeconfig.read_text())["contexts"]]
        clusters = directory(table)
        for name in names:
            assert (await (await clusters.open(name)).table("pods", "ns-000")).rows
        assert clusters._open.connected == MOST
        await _until(lambda: len(seen.open) == MOST)
        assert set(seen.open) == set(names[-MOST:])
        first = await clusters.open(names[0])
        assert (await first.table("pods", "ns-000")).rows  # it connects again, and is the same
        assert first is await clusters.open(names[0])
        await _until(lambda: names[0] in seen.open and len(seen.open) == MOST)
        await clusters.aclose()
        await _until(lambda: not seen.open)


async def test_a_cluster_that_is_being_asked_keeps_its_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(tmp_path, CLUSTERS, 2, 1, 10) as (seen, kubeconfig, table):
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
        names = [one["name"] for one in json.loads(kubeconfig.read_text())["contexts"]]
        clusters = directory(table)
        seen.held = anyio.Event()
        answers: list[int] = []

        async def ask(name: str) -> None:
            answers.append(len((await (await clusters.open(name)).table("pods", "ns-000")).rows))

        async with anyio.create_task_group() as tasks:
            for name in names:
                tasks.start_soon(ask, name)
            await _until(
                lambda: len(seen.open) == CLUSTERS
            )  # more than may stay: all of them are being asked
            seen.held.set()
        assert answers == [10] * CLUSTERS
        await ask(names[0])
        await _until(lambda: len(seen.open) == MOST)
        await clusters.aclose()


async def test_clusters_that_there_was_no_time_for_are_listed_and_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(tmp_path, 2, 2, 1, 10) as (seen, kubeconfig, table):
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
        monkeypatch.setattr(known_clusters, "KNOWN_WITHIN_S", 0.5)
        clusters = directory(table)
        seen.held = anyio.Event()  # both accept connections and say nothing
        found = await clusters.known()
        assert [(one.name, one.reachable) for one in found] == [("c000", False), ("c001", False)]
        assert all("not described within 0.5 s; ask for it by its name" in one.problem for one in found)
        seen.held.set()
        monkeypatch.undo()
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
        assert all(one.reachable for one in await clusters.known())
        await clusters.aclose()


async def _until(true: Callable[[], bool]) -> None:
    with anyio.fail_after(20):
        while not true():  # noqa: ASYNC110  # a socket's end at the other side raises no event here
            await anyio.sleep(0.01)
