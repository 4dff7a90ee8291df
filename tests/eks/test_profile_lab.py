"""F3: a profile through the tools on the lab: one read of one pod, sealed; only names and numbers leave."""

from pathlib import Path

import pytest

from aiops_lab.scenarios.profiles import CANARY, PORT, leaker, shares
from tests.e2e.stage import Obj, Stage, whole

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


async def planned(stage: Stage, **more: str) -> Obj:
    return await stage.plan(action="profile", namespace="production", name=leaker(stage.who), **more)


def through(stage: Stage) -> list[str]:
    return [each.path for each in stage.lab.requests.entries if each.subresource == "proxy"]


@pytest.mark.threat("T6")
@pytest.mark.parametrize("seed", range(5))
async def test_a_heap_profile_names_its_top_allocators_and_stays_sealed(
    monkeypatch: pytest.MonkeyPatch, folder: Path, seed: int
) -> None:
    async with whole("memory-growing", seed, monkeypatch, folder) as stage:
        plan = await planned(stage)
        assert "exec-approval" in plan["verdict"]
        assert plan["validation"] == "prechecked"
        assert through(stage) == []
        done = (await stage.execute(plan)).data
        assert done["state"] == "succeeded", done
        top, share = shares(stage.who)[0]
        rows = {row[1].rpartition(" ")[0]: row[3] for row in done["steps"]["rows"]}
        assert list(rows) == ["collect", "top 1-5", "top 6-10"]
        assert rows["top 1-5"].startswith(f"{top} 71%")
        assert share == 284
        assert all(name in rows["top 1-5"] + rows["top 6-10"] for name, _ in shares(stage.who)[:10])
        assert "sha256" in rows["collect"]
        assert len(through(stage)) == 1
        assert f":{PORT}/proxy/debug/pprof/heap" in through(stage)[0]
        assert stage.writes() == []

        kept = list((folder / "state" / "artefacts").iterdir())
        assert {path.suffix for path in kept} == {".sealed", ".json"}
        for path in kept:
            assert path.stat().st_mode & 0o077 == 0
            assert CANARY.encode() not in path.read_bytes()
        assert CANARY not in str(done) + str(plan)
        again = await stage.execute(plan)
        assert again.data["action_id"] == done["action_id"]
        assert len(through(stage)) == 1


async def test_a_profile_that_may_not_or_cannot_be_read_says_so(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    async with whole("memory-growing", 0, monkeypatch, folder) as stage:
        name = leaker(stage.who)
        gone = await stage.ask(
            "plan_workload_change", action="profile", namespace="production", name=name + "x"
        )
        assert gone.code == "not_found"
        assert name in gone.error
        no_door = await stage.ask(
            "plan_workload_change", action="profile", namespace="kube-system", name="coredns"
        )
        assert no_door.code in {"invalid_input", "refused"}, no_door.text
        unserved = await planned(stage, profile="cpu")
        done = (await stage.execute(unserved)).data
        assert done["state"] == "failed", done
        stage.lab.world.served.clear()
        closed = (await stage.execute(await planned(stage))).data
        assert closed["state"] == "failed", closed
        assert "connection refused" in closed["summary"]


async def test_without_the_right_or_the_switch_nothing_is_read(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    async with whole("memory-growing", 0, monkeypatch, folder, identity="aiops-reader") as stage:
        plan = await planned(stage)
        assert "pods/proxy" in plan["validation"]
        assert (await stage.execute(plan)).code == "refused"
        assert through(stage) == []
    async with whole("memory-growing", 0, monkeypatch, folder, sensitive_reads=False) as stage:
        refused = await stage.ask(
            "plan_workload_change", action="profile", namespace="production", name=leaker(stage.who)
        )
        assert refused.code == "refused"
        assert "AIOPS_SENSITIVE_READS" in refused.error
        assert through(stage) == []
