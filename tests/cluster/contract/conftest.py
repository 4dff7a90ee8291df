"""`server`: the simulator and the real kube-apiserver in turn, for every contract test."""

import uuid
from collections.abc import Iterator
from typing import cast

import httpx
import pytest

from tests.cluster.contract.server import Server, trusting
from tests.cluster.contract.simulated import Simulator, running_simulator
from tests.cluster.control_plane import ControlPlane

SERVERS = ("simulator", "real")


@pytest.fixture(scope="session")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    """One simulator for the session, as there is one real server: tests keep to their own namespaces."""
    with running_simulator(tmp_path_factory.mktemp("simulator")) as running:
        yield running


@pytest.fixture(params=SERVERS)
async def server(request: pytest.FixtureRequest) -> Server:
    """One of the two servers, with a new namespace."""
    lent = _simulated(request) if request.param == "simulator" else _real(request)
    await lent.made("/api/v1/namespaces", {"metadata": {"name": lent.namespace}})
    return lent


def _new_namespace() -> str:
    return f"c-{uuid.uuid4().hex[:8]}"


def _simulated(request: pytest.FixtureRequest) -> Server:
    running = cast("Simulator", request.getfixturevalue("simulator"))
    return Server(
        "simulator",
        _new_namespace(),
        running.url,
        trusting(running.ca_path),
        running.token,
        running.compact,
    )


def _real(request: pytest.FixtureRequest) -> Server:
    plane = cast("ControlPlane", request.getfixturevalue("bare"))

    async def compact() -> None:
        """etcd forgets history up to now, through its JSON gateway."""
        async with httpx.AsyncClient(base_url=plane.etcd_url, trust_env=False) as etcd:
            status = (await etcd.post("/v3/maintenance/status", json={})).json()
            revision = status["header"]["revision"]
            done = await etcd.post("/v3/kv/compaction", json={"revision": revision, "physical": True})
            assert done.status_code == 200, done.text

    return Server("real", _new_namespace(), plane.kube_url, trusting(plane.ca_path), plane.token, compact)
