"""The API server's own measurements, read from a real one: the names are those that it tells."""

import pytest

from aiops_eks.clients.control_plane import control_plane
from tests.cluster.control_plane import ControlPlane
from tests.cluster.product.stage import api_of


@pytest.mark.row("B16")
async def test_a_real_api_server_tells_size_speed_and_counts(bare: ControlPlane) -> None:
    async with bare.client() as admin:
        for _ in range(30):
            assert (await admin.get("/api/v1/namespaces")).status_code == 200
    async with api_of(bare) as api:
        figures = await control_plane(api)
    assert figures.database_bytes
    assert figures.started_at is not None
    assert figures.requests > 30
    verbs = {one.verb: one for one in figures.latency}
    assert verbs["LIST"].requests >= 30
    assert 0 < verbs["LIST"].p99_s < 60
    assert figures.objects  # counted once a minute: how many is not told yet
