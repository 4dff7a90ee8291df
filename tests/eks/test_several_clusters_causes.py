"""F-b3: what several clusters share is said once, and what only looks alike stays apart."""

from datetime import UTC, datetime

import pytest

from aiops_lab.scenarios.names import cast
from aiops_lab.scenarios.registry_expired import FLEET_SEEDS, registry_of
from tests.eks.reading import tokens
from tests.fleet_fixture import PAY, SHOP, SHOP_EU, asked, column, running_fleet, three

T0 = datetime(2026, 11, 22, 10, 10, tzinfo=UTC)
STORY = "registry-expired"


@pytest.mark.row("B9")
@pytest.mark.parametrize("seed", range(5))
async def test_a_registry_whose_certificate_expired_is_one_cause_of_three_clusters(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, minutes = registry_of(seed * FLEET_SEEDS)
    ended = f"2026-11-22T{9 + (70 - minutes) // 60:02}:{(70 - minutes) % 60:02}:00Z"
    async with (
        running_fleet(three(STORY, STORY, STORY), seed=seed, start=T0) as fleet,
        asked(fleet, monkeypatch) as stage,
    ):
        found = await stage.ask("diagnose", cluster="*")
        (first, *others) = found["findings"]
        assert (first["code"], first["clusters"]) == ("REGISTRY_TLS", [SHOP, SHOP_EU, PAY])
        assert not others
        assert f"{host}: its certificate has expired ({ended})" in first["root_cause"]
        assert f"is after {ended}" in first["evidence"][0]["says"]
        names = [cast(seed * FLEET_SEEDS + place).api for place in range(3)]
        assert [one.rpartition("/")[2] for one in first["symptoms"]] == names
        assert first["confidence"] >= 0.9
        assert tokens(found) <= 4_000
        assert seed or ended.endswith("T09:58:00Z")
        assert found["summary"].startswith("High: In 3 of 3 clusters")
        changes = await stage.ask("list_changes", cluster="*", kind="deployment", namespace="production")
        rollouts = dict(
            zip(column(changes["changes"], "cluster"), column(changes["changes"], "object"), strict=True)
        )
        assert [rollouts[name].rpartition("/")[2] for name in (SHOP, SHOP_EU, PAY)] == names
        assert column(changes["changes"], "at") == sorted(column(changes["changes"], "at"), reverse=True)
        assert tokens(changes) <= 1_500


async def test_another_reason_another_cluster_or_another_fault_stays_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stories = three(STORY, STORY, "pod-crashloop")
    async with running_fleet(stories, start=T0) as fleet, asked(fleet, monkeypatch) as stage:
        # Another certificate of the same registry: it ended at another moment.
        registry = fleet[SHOP_EU].world.cluster.registry
        for tags in registry._tags.values():  # the lab's own state is the fixture
            for image in tags.values():
                object.__setattr__(image, "pull_error", image.pull_error.replace("09:58:00Z", "09:41:00Z"))
        fleet.clock.advance(600)
        found = await stage.ask("diagnose", cluster="*")
        told = [(one["code"], one["clusters"]) for one in found["findings"]]
        assert sorted(told) == [
            ("CONFIGMAP_MISSING", [PAY]),
            ("REGISTRY_TLS", [SHOP_EU]),
            ("REGISTRY_TLS", [SHOP]),
        ]
        alone = await stage.ask("diagnose", cluster=f"{PAY}*")
        assert alone["cluster"] == PAY
        assert "clusters" not in alone["findings"][0]
        assert alone["findings"][0]["code"] == found["findings"][0]["code"]


async def test_nothing_wrong_anywhere_is_said_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_fleet(three()) as fleet, asked(fleet, monkeypatch) as stage:
        found = await stage.ask("diagnose", cluster=[SHOP, PAY])
        assert found["summary"].startswith("Nothing wrong found in 2 clusters")
        assert "findings" not in found
