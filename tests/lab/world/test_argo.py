"""Argo CD and ControllerRevisions as the lab plays them."""

from typing import Any

from aiops_lab.kube.wire import Obj
from aiops_lab.scenarios.shapes import config_map
from aiops_lab.world.argo import HOME, Commit, application
from tests.eks.changing import changed
from tests.eks.reading import records
from tests.lab_fixture import running_lab


def state(app: Obj | None) -> tuple[Any, Any]:
    status = (app or {}).get("status", {})
    return status.get("sync", {}).get("status"), status.get("health", {}).get("status")


async def test_a_commit_is_out_of_sync_then_synced_and_healthy_after_forty_seconds_and_is_a_change() -> None:
    async with changed() as world:
        lab, argo = world.lab, world.lab.world.argo
        lab.store.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": HOME}})
        lab.store.create(
            application("shop", "https://git.example/shop.git", "prod", "staging"), manager="kubectl"
        )

        def seen() -> tuple[Any, Any]:
            return state(lab.store.get("Application", HOME, "shop"))

        argo.commit("shop", Commit("a" * 40, (config_map("staging", "shop-settings", {"MODE": "a"}),)))
        lab.clock.advance(6)
        assert seen()[0] == "OutOfSync"
        lab.clock.advance(10)
        assert seen() == ("Synced", "Progressing")
        lab.clock.advance(24)
        assert seen() == ("Synced", "Healthy")
        again = config_map("staging", "shop-settings", {"MODE": "b"})
        argo.commit(
            "shop", Commit("b" * 40, (again,), by="dana", unhealthy="Deployment exceeded its deadline")
        )
        lab.clock.advance(41)
        assert seen() == ("Synced", "Degraded")
        argo.commit("shop", Commit("c" * 40, fails="one or more objects failed to apply"))
        lab.clock.advance(41)
        assert seen() == ("OutOfSync", "Degraded")

        rows = records((await world.list(kind="Application", namespace=HOME))["changes"])
        syncs = [(row["by"], row["what"]) for row in rows if row["verb"] == "sync"]
        assert syncs[0][1].startswith("revision cccccccccc; Failed")
        assert syncs[1:] == [
            ("dana", "revision aaaaaaaaaa → bbbbbbbbbb"),
            ("automated sync", "revision aaaaaaaaaa"),
        ]
        brought = records(
            (await world.list(kind="ConfigMap", namespace="staging", name="shop-settings"))["changes"]
        )
        assert {row["by"] for row in brought} == {
            "system:serviceaccount:argocd:argocd-application-controller"
        }


async def test_a_statefulset_keeps_a_revision_for_each_template_and_numbers_one_taken_again() -> None:
    async with running_lab("healthy") as lab:
        (found, *_) = lab.store.list("DaemonSet", "kube-system")
        name = found["metadata"]["name"]

        def revisions() -> dict[str, int]:
            every = lab.store.list("ControllerRevision", "kube-system")
            mine = [one for one in every if one["metadata"]["ownerReferences"][0]["name"] == name]
            return {one["metadata"]["name"]: one["revision"] for one in mine}

        (first,) = revisions()
        image = found["spec"]["template"]["spec"]["containers"][0]["image"]
        for wanted in (f"{image}-next", image):
            found = lab.store.get("DaemonSet", "kube-system", name) or {}
            found["spec"]["template"]["spec"]["containers"][0]["image"] = wanted
            lab.store.update(found, manager="kubectl-edit")
            lab.clock.advance(5)
        assert sorted(revisions().values()) == [2, 3]
        assert revisions()[first] == 3
