"""scan_manifest with as much as it takes: the loop answers others meanwhile, and it ends in time."""

import anyio
import pytest

from aiops_eks.diagnosis.result import Ask
from aiops_eks.tools import manifests
from aiops_eks.tools.manifests import ManifestTools
from aiops_shared.errors import InvalidInputError

HEAD = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: app-%d, namespace: dev}
spec:
  template:
    spec:
      containers:
"""
ONE = """\
      - name: c%d
        image: repo/x:latest
        command: ["run", "%s"]
"""
LARGE = "---\n".join(HEAD % place + "".join(ONE % (n, "x" * 60) for n in range(18)) for place in range(320))


class NoCluster:
    """Nothing is live."""

    async def live(self, ask: Ask) -> dict[str, object]:
        raise AssertionError(ask)


async def test_a_scan_of_close_to_a_mebibyte_does_not_hold_the_loop() -> None:
    assert 700_000 < len(LARGE) < 1_048_576
    ticks = [0]

    async def tick() -> None:
        while True:
            await anyio.sleep(0.01)
            ticks[0] += 1

    async with anyio.create_task_group() as group:
        group.start_soon(tick)
        report = await ManifestTools(NoCluster()).scan_manifest(manifest=LARGE)
        group.cancel_scope.cancel()
    assert report.objects == 320
    assert ticks[0] > 5  # held, the loop would not have turned once during the scan


async def test_a_scan_that_takes_too_long_is_given_up_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(manifests, "SCAN_S", 0.05)
    with pytest.raises(InvalidInputError, match="send fewer objects"):
        await ManifestTools(NoCluster()).scan_manifest(manifest=LARGE)
