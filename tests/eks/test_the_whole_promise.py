"""Done-when 3 through the whole stack: each refusal has its code, and the simulator counts the effects."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from mcp.shared.exceptions import MCPError

from aiops_lab.scenarios.drill import bad_image, data_name, gitops_name
from aiops_shared.guardrails.ids import new_id
from aiops_shared.http.world_clock import RemoteClock
from aiops_shared.settings import PolicySettings, Settings
from tests.e2e.stage import Answer, Obj, Stage, asked, client_on, whole

HOME = "production"
DRILL = "guardrail-drill"
pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

SECRET = """apiVersion: v1
kind: Secret
metadata: {name: db-login, namespace: production}
stringData: {password: plantedSecretManifest8Kd2, username: app}
"""


async def scaled(stage: Stage, replicas: int = 11) -> Obj:
    """A plan that needs the requester's approval."""
    return await stage.plan(action="scale", namespace=HOME, name=stage.who.api, replicas=replicas)


def edit(stage: Stage, change: dict[str, Any], *, status: bool = False) -> None:
    """Somebody else edits the workload, past the API and its log."""
    found = stage.lab.store.get("Deployment", HOME, stage.who.api)
    assert found is not None
    found["status" if status else "spec"].update(change)
    stage.lab.store.update(found, subresource="status" if status else "", manager="somebody")


async def test_a_plan_is_executed_once_and_again_is_the_same_action(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with whole(DRILL, 3, monkeypatch, tmp_path) as stage:
        plan = await scaled(stage)
        assert stage.writes() == []
        done = await stage.execute(plan)
        assert done.data["state"] == "succeeded", done.text
        written = stage.writes()
        assert [(each.verb, each.resource, each.name) for each in written] == [
            ("update", "deployments", stage.who.api)
        ]
        again = await stage.execute(plan)
        assert again.data["action_id"] == done.data["action_id"]
        keyed = await stage.execute(plan, idempotency_key="first-key-0001")
        assert keyed.data["action_id"] == done.data["action_id"]
        assert stage.writes() == written
        assert len(stage.person.asked) == 1


@pytest.mark.threat("T2")
async def test_a_write_in_read_only_mode_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async with whole(DRILL, 3, monkeypatch, tmp_path, write=False) as stage:
        plan = await scaled(stage)
        refused = await stage.execute(plan)
        assert refused.code == "read_only", refused.text
        undo = await stage.ask("undo_action", action_id=new_id("act_"))
        assert undo.code == "read_only"
        assert stage.writes() == []


@pytest.mark.row("F17h")
async def test_a_plan_is_stale_when_a_field_that_it_writes_or_reasons_from_was_changed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with whole(DRILL, 3, monkeypatch, tmp_path) as stage:
        scale = await scaled(stage)
        image = await stage.plan(
            action="image", namespace=HOME, name=stage.who.api, image=bad_image(stage.who)
        )
        edit(stage, {"replicas": 9})
        for plan in (scale, image):  # written by the first, reasoned from by the second
            refused = await stage.execute(plan)
            assert refused.code == "plan_stale", refused.text
        assert stage.person.asked == []
        assert stage.writes() == []


async def test_status_only_churn_does_not_make_a_plan_stale(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with whole(DRILL, 3, monkeypatch, tmp_path) as stage:
        plan = await scaled(stage)
        before = stage.lab.store.get("Deployment", HOME, stage.who.api)
        edit(stage, {"observedGeneration": 99}, status=True)
        after = stage.lab.store.get("Deployment", HOME, stage.who.api)
        assert before is not None
        assert after is not None
        assert before["metadata"]["resourceVersion"] != after["metadata"]["resourceVersion"]
        stage.lab.clock.advance(120)
        assert (await stage.execute(plan)).data["state"] == "succeeded"


@pytest.mark.fault("R16")
async def test_an_object_that_was_deleted_and_made_again_is_another_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with whole(DRILL, 3, monkeypatch, tmp_path) as stage:
        plan = await scaled(stage)
        found = stage.lab.store.get("Deployment", HOME, stage.who.api)
        assert found is not None
        stage.lab.store.delete("Deployment", HOME, stage.who.api)
        stage.lab.clock.advance(60)
        again = {key: found[key] for key in ("apiVersion", "kind", "spec")}
        again["metadata"] = {key: found["metadata"][key] for key in ("name", "namespace", "labels")}
        stage.lab.store.create(again, manager="somebody")
        assert (await stage.execute(plan)).code == "plan_stale"
        assert stage.writes() == []


@pytest.mark.row("F17i")
async def test_a_plan_edited_in_the_database_is_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with whole(DRILL, 3, monkeypatch, tmp_path) as stage:
        plan = await scaled(stage)
        assert stage.sql("SELECT count(*) FROM plans WHERE body LIKE '%replicas%'") == [(0,)], "it is sealed"
        stage.sql("UPDATE plans SET body = substr(body, 1, 99) || 'evil' || substr(body, 104)")
        refused = await stage.execute(plan)
        assert refused.code == "plan_tampered", refused.text
        assert stage.writes() == []


@pytest.mark.threat("T9")
async def test_an_approval_written_into_the_database_by_hand_counts_for_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with whole(DRILL, 3, monkeypatch, tmp_path) as stage:
        plan = await scaled(stage)
        async with client_on(stage.lab, stage.settings, None) as mute:
            arguments = {"plan_id": plan["plan_id"], "confirm": plan["confirm"]}
            pending = await asked(mute, "execute_plan", arguments)
            assert pending.code == "approval_pending", pending.text
            assert "eks-aiops approve apr_" in pending.error
            stage.sql("UPDATE approvals SET state = 'approved', approver = 'anna', via = 'terminal'")
            stage.sql("UPDATE approvals SET decided_at = created_at")
            edited = await asked(mute, "execute_plan", arguments)
            assert edited.code in {"approval_invalid", "approval_pending"}, edited.text
            stage.sql(
                "INSERT INTO approvals SELECT 'apr_forged00000000000000', plan_id, digest, approver_class,"
                " requester, 'approved', 'boss', 'terminal', created_at, expires_at, created_at"
                " FROM approvals LIMIT 1"
            )
            forged = await asked(mute, "execute_plan", arguments)
            assert forged.code in {"approval_invalid", "approval_pending"}, forged.text
        assert stage.writes() == []


@pytest.mark.threat("T9")
async def test_an_approval_invented_as_an_argument_is_no_argument(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with whole(DRILL, 3, monkeypatch, tmp_path) as stage:
        plan = await scaled(stage)
        for word in ("approve", "approved", "approval_id", "force", "yes", "inputResponses", "nonce"):
            refused = await stage.execute(plan, **{word: True})
            assert refused.code == "invalid_input", refused.text
        assert stage.person.asked == []
        assert stage.writes() == []


async def test_a_wrong_confirm_is_refused_letter_by_letter(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with whole(DRILL, 3, monkeypatch, tmp_path) as stage:
        plan, other = await scaled(stage), await scaled(stage, 12)
        said = str(plan["confirm"])
        for wrong in (said.upper(), f"{said} ", said[:-1], "yes", str(other["confirm"])):
            refused = await stage.execute(plan, confirm=wrong)
            assert refused.code == "confirm_mismatch", refused.text
        assert stage.person.asked == []
        assert stage.writes() == []


class LateClock(RemoteClock):
    """A lab's clock in a process whose own time can be set forward."""

    ahead = timedelta()

    def safe_now(self) -> datetime:
        return super().safe_now() + self.ahead


async def test_an_expired_plan_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    clocks: list[LateClock] = []

    def late(settings: Settings) -> LateClock:
        clocks.append(LateClock(settings.time_source))
        return clocks[-1]

    monkeypatch.setattr("aiops_eks.server.make_clock", late)
    async with whole(DRILL, 3, monkeypatch, tmp_path, policy=PolicySettings(plan_ttl_s=60)) as stage:
        plan = await scaled(stage)
        clocks[0].ahead = timedelta(seconds=61)
        refused = await stage.execute(plan)
        assert refused.code == "plan_expired", refused.text
        assert stage.writes() == []


async def refusal_of(stage: Stage, tool: str, **arguments: Any) -> Answer:
    """A call that policy must refuse, for good and audited."""
    before = (
        stage.sql("SELECT count(*) FROM audit WHERE event = 'refusal'") if stage.database.exists() else [(0,)]
    )
    refused = await stage.ask(tool, **arguments)
    assert refused.code == "refused", refused.text
    assert stage.writes() == []
    (after,) = stage.sql("SELECT count(*) FROM audit WHERE event = 'refusal'")
    assert after[0] == before[0][0] + 1, "one audit record for every refusal"
    return refused


@pytest.mark.row("F17j")
async def test_what_argo_cd_owns_is_changed_in_git(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async with whole(DRILL, 3, monkeypatch, tmp_path) as stage:
        name = gitops_name(stage.who)
        refused = await refusal_of(
            stage, "plan_workload_change", action="scale", namespace=HOME, name=name, replicas=3
        )
        assert "gitops-owned" in refused.error
        assert "git" in refused.error.partition(";")[2]


@pytest.mark.threat("T6")
@pytest.mark.row("F17k")
async def test_a_secret_is_not_written_and_its_values_appear_nowhere(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async with whole(DRILL, 3, monkeypatch, tmp_path) as stage:
        refused = await refusal_of(stage, "plan_manifest", action="apply", manifest=SECRET)
        assert "no-secret-write" in refused.error
        scanned = await stage.ask("scan_manifest", manifest=SECRET, fix=True)
        said = refused.text + scanned.text + "".join(capfd.readouterr())
        kept = b"".join(file.read_bytes() for file in sorted(stage.settings.state.dir.iterdir()))
        assert "plantedSecretManifest8Kd2" not in said
        assert b"plantedSecretManifest8Kd2" not in kept
        assert b"cGxhbnRlZFNlY3JldE1hbmlmZXN0OEtkM" not in kept


@pytest.mark.threat("T2")
async def test_what_nobody_may_delete_is_not_even_planned(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with whole(DRILL, 3, monkeypatch, tmp_path) as stage:
        data = data_name(stage.who)
        for kind, namespace, name, rule in (
            ("Namespace", None, HOME, "no-namespace-delete"),
            ("PersistentVolumeClaim", HOME, f"data-{data}-0", "no-data-delete"),
            ("StatefulSet", HOME, data, "no-data-delete"),
            ("Deployment", HOME, stage.who.api, "no-prod-delete"),
        ):
            where = {"namespace": namespace} if namespace else {}
            refused = await refusal_of(stage, "plan_manifest", action="delete", kind=kind, name=name, **where)
            assert rule in refused.error


@pytest.mark.row("F17d")
@pytest.mark.fault("R14")
async def test_ten_replicas_with_a_bad_image_stop_after_one_pod_and_are_undone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with whole(DRILL, 3, monkeypatch, tmp_path) as stage:
        before, image = stage.spec("Deployment", HOME, stage.who.api), bad_image(stage.who)
        seen: set[str] = set()

        def watch(change: str, obj: Obj) -> None:
            del change
            containers = obj.get("spec", {}).get("containers", [])
            if obj.get("kind") == "Pod" and any(each.get("image") == image for each in containers):
                seen.add(obj["metadata"]["name"])

        stage.lab.store.subscribe(watch)
        plan = await stage.plan(action="image", namespace=HOME, name=stage.who.api, image=image)
        await stage.approved_by("ben", await stage.execute(plan))
        done = await stage.execute(plan)
        assert done.data["state"] == "undone", done.text
        assert len(seen) == 1, seen
        assert stage.spec("Deployment", HOME, stage.who.api) == before
        stage.lab.clock.advance(300)
        pods = stage.lab.store.list("Pod", HOME, labels=f"app={stage.who.api}")
        images = {each["image"] for pod in pods for each in pod["spec"]["containers"]}
        assert (len(pods), images) == (10, {before["template"]["spec"]["containers"][0]["image"]})


@pytest.mark.fault("R15")
async def test_an_undo_is_refused_when_somebody_changed_it_since(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with whole(DRILL, 3, monkeypatch, tmp_path) as stage:
        done = await stage.execute(await scaled(stage))
        assert done.data["state"] == "succeeded", done.text
        edit(stage, {"replicas": 9})
        count = len(stage.writes())
        refused = await stage.ask("undo_action", action_id=done.data["action_id"])
        assert refused.code == "undo_refused", refused.text
        assert stage.spec("Deployment", HOME, stage.who.api)["replicas"] == 9
        assert len(stage.writes()) == count


@pytest.mark.threat("T10")
async def test_the_fourth_identical_change_in_an_hour_is_refused_also_after_a_restart(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with whole(DRILL, 3, monkeypatch, tmp_path) as stage:
        for replicas in (11, 10, 11):
            assert (await stage.execute(await scaled(stage, replicas))).data["state"] == "succeeded"
        count = len(stage.writes())
        fourth = await scaled(stage, 10)
        assert "repeat-limit" in fourth["verdict"]
        assert (await stage.execute(fourth)).code == "repeat_limit"
        async with client_on(stage.lab, stage.settings, stage.person) as restarted:
            again = await asked(
                restarted,
                "execute_plan",
                {"plan_id": fourth["plan_id"], "confirm": fourth["confirm"]},
            )
            assert again.code == "repeat_limit", again.text
        assert len(stage.writes()) == count


@pytest.mark.threat("T2")
async def test_a_namespace_relabelled_after_the_plan_makes_the_judgement_no_milder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with whole(DRILL, 3, monkeypatch, tmp_path) as stage:
        plan = await stage.plan(
            action="image", namespace=HOME, name=stage.who.api, image=bad_image(stage.who)
        )
        namespace = stage.lab.store.get("Namespace", None, HOME)
        assert namespace is not None
        namespace["metadata"]["labels"]["env"] = "dev"
        stage.lab.store.update(namespace, manager="somebody")
        refused = await stage.execute(plan)
        assert refused.code == "approval_pending", refused.text
        assert "other than its requester" in refused.error
        assert stage.person.asked == []
        assert stage.writes() == []


async def test_a_plan_is_a_resource_without_bodies_and_another_id_is_unknown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with whole(DRILL, 3, monkeypatch, tmp_path) as stage:
        plan = await scaled(stage)
        found = await stage.client.read_resource(f"plan://{plan['plan_id']}")
        shown = json.loads(str(getattr(found[0], "text", "")))
        assert shown["confirm"] == plan["confirm"]
        assert shown["diff"][0]["path"] == "spec.replicas"
        assert "values" not in json.dumps(shown)
        with pytest.raises(MCPError, match="plan_not_found"):
            await stage.client.read_resource(f"plan://{new_id('pln_')}")
