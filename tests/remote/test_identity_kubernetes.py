"""Kubernetes sees the caller: two people at one server, one without rights in the namespace (T4, T12)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest
from fastmcp import Client

from aiops_eks.server import make
from aiops_lab.run import Lab
from aiops_shared.auth.acting import Acting, as_itself, carried
from aiops_shared.auth.callers import CallerIdentity
from aiops_shared.errors import AccessDeniedError
from aiops_shared.kube.access import Access, FixedSource
from aiops_shared.kube.api import KubeApi
from aiops_shared.kube.connection import Connection
from aiops_shared.kube.impersonating import Impersonation
from aiops_shared.kube.pacing import RealPace
from aiops_shared.settings import CallerSettings, KubeSettings
from eks_aiops.guarding import guardrails, operator
from tests.e2e.stage import Answer, asked, lab_environment, settings_on
from tests.lab_fixture import kube_client, running_lab
from tests.remote.issuer import Issuer, Served, issuer, remote_settings, served

SEED, HOME = 3, "production"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
ALL = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
ON = KubeSettings(impersonate="user+groups", impersonate_prefix="aiops:")


async def grant(lab: Lab, name: str, namespace: str, subject: dict[str, str]) -> None:
    """Everything in one namespace, to one user or group."""
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "rules": ALL}
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", **subject}],
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
    }
    async with kube_client(lab) as kube:
        for plural, obj in (("roles", role), ("rolebindings", binding)):
            answer = await kube.post(
                f"{RBAC}/namespaces/{namespace}/{plural}", json={**obj, "metadata": {"name": name}}
            )
            assert answer.status_code == 201, answer.text


@dataclass
class House:
    """A lab, an eks server behind every layer that impersonates, and its issuer."""

    lab: Lab
    place: Served
    idp: Issuer
    workload: str  # a Deployment of HOME

    def client(self, name: str, scope: str) -> Client[Any]:
        """A person's client."""
        return self.place.client(self.idp.token(sub=name, scope=scope))

    async def approve(self, refused: Answer) -> None:
        """Its requester says yes at a terminal of the same store."""
        assert refused.code == "approval_pending", refused.text
        approval_id = refused.error.rpartition("eks-aiops approve ")[2].split()[0]
        person = self.place.settings.model_copy(update={"caller": CallerSettings(name="anna", kind="human")})
        async with guardrails(person) as guard:
            await guard.approve(approval_id, operator(person), "terminal")

    def written(self) -> set[tuple[str, bool]]:
        """Who wrote, but for the test itself: whether impersonated."""
        found = [one for one in self.lab.requests.writes() if not one.user_agent.startswith("python-httpx")]
        return {(one.user, bool(one.impersonator)) for one in found}

    def users(self, since: int) -> set[tuple[str, str]]:
        """Who asked the API server for objects since then: impersonated, impersonator."""
        entries = [one for one in list(self.lab.requests.entries)[since:] if one.resource]
        return {(one.user, one.impersonator) for one in entries}


@asynccontextmanager
async def house(monkeypatch: pytest.MonkeyPatch, folder: Path) -> AsyncIterator[House]:
    async def at_once(pace: RealPace, seconds: float) -> None:
        del pace, seconds
        await anyio.lowlevel.checkpoint()

    monkeypatch.setattr(RealPace, "wait", at_once)
    async with running_lab("healthy", SEED) as lab, issuer() as idp:
        lab_environment(lab, monkeypatch)
        await grant(lab, "anna", HOME, {"kind": "User", "name": "aiops:anna"})
        await grant(lab, "bob", "default", {"kind": "User", "name": "aiops:bob"})
        remote = remote_settings(idp, folder)
        own = CallerSettings(name="the-server", kind="agent")
        settings = settings_on(lab, folder, kube=ON, caller=own).model_copy(
            update={"http": remote.http, "auth": remote.auth}
        )
        async with served(make(settings), settings) as place:
            found = lab.store.select(lab.store.resource("Deployment"), HOME)
            yield House(lab, place, idp, min(one["metadata"]["name"] for one in found))


FULL = "aiops:read aiops:sensitive aiops:plan aiops:execute"


@pytest.mark.timeout(90)
@pytest.mark.threat("T4")
async def test_who_has_no_rights_in_a_namespace_has_none_through_the_server(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with house(monkeypatch, tmp_path) as stage:
        about = {"kind": "Deployment", "namespace": HOME, "name": stage.workload}
        wish = {"action": "restart", "namespace": HOME, "name": stage.workload}
        async with (
            stage.client("anna", FULL) as anna,
            stage.client("bob", f"{FULL} aiops:approve") as bob,
            stage.client("eve", FULL) as eve,
        ):
            assert not (await asked(anna, "get_resource", about)).error
            refused = await asked(bob, "get_resource", about)
            assert refused.code == "access_denied", refused.text
            assert "aiops:bob" in refused.text
            there = {"namespace": HOME, "since": "1h"}
            assert not (await asked(anna, "list_changes", there)).error
            # neither from the audit log nor from the watch journal, which the server could read
            assert (await asked(bob, "list_changes", there)).code == "access_denied"

            plan = await asked(anna, "plan_workload_change", wish)
            assert not plan.error, plan.error
            assert (await asked(bob, "plan_workload_change", wish)).code == "access_denied"

            execute = {"plan_id": plan.data["plan_id"], "confirm": plan.data["confirm"]}
            # bob may see the plan, since he may approve; carrying it out takes his own rights there
            assert (await asked(bob, "execute_plan", execute)).code == "access_denied"
            strange = await asked(eve, "execute_plan", execute)
            unknown = await asked(eve, "execute_plan", {**execute, "plan_id": "pln_" + "0" * 20})
            assert strange.text.replace(execute["plan_id"], "ID") == unknown.text.replace(
                "pln_" + "0" * 20, "ID"
            )
            assert not stage.written()

            await stage.approve(await asked(anna, "execute_plan", execute))
            done = await asked(anna, "execute_plan", execute)
            for _ in range(200):
                if done.error or done.data["state"] not in {"running", "undoing"}:
                    break
                stage.lab.clock.advance(5)
                done = await asked(anna, "get_action", {"action_id": done.data["action_id"]})
            assert done.data["state"] == "succeeded", done.text
            action = {"action_id": done.data["action_id"]}
            assert (await asked(eve, "get_action", action)).code == "action_not_found"
            assert (await asked(bob, "undo_action", action)).error
        assert stage.written() == {("aiops:anna", True)}  # by a background task, after the request had ended
        users = {user for user, by in stage.users(0) if by}
        assert users == {"aiops:anna", "aiops:bob"}
        assert not [user for user, by in stage.users(0) if not by and "lab-admin" not in user]


def impersonating(lab: Lab, settings: KubeSettings = ON) -> KubeApi:
    access = Access(lab.kube_url, ca_file=str(lab.ca_path), token=lab.token("lab-admin"))
    whom = Impersonation(settings, CallerIdentity("local"))
    return KubeApi("lab", Connection(FixedSource(access), timeout_s=10, as_whom=whom.headers))


@pytest.mark.threat("T12")
async def test_interleaved_callers_on_one_connection_never_lend_each_other_their_rights() -> None:
    seen: list[tuple[str, bool]] = []
    async with running_lab() as lab:
        await grant(lab, "own", HOME, {"kind": "User", "name": "aiops:anna"})
        await grant(lab, "team", HOME, {"kind": "Group", "name": "aiops:shop"})
        api = impersonating(lab)

        async def ask(who: CallerIdentity) -> None:
            with carried(Acting(who)):
                try:
                    await api.list("pods", HOME, limit=1)
                    seen.append((who.name, True))
                except AccessDeniedError:
                    seen.append((who.name, False))

        try:
            people = [CallerIdentity("anna"), CallerIdentity("bob"), CallerIdentity("cleo", groups=("shop",))]
            async with anyio.create_task_group() as tasks:
                for _ in range(40):
                    for one in people:
                        tasks.start_soon(ask, one)
            before = lab.requests.total
            with carried(Acting(people[0])):  # a watch, a log and a dry run are the caller's as well
                async for event in api.watch("pods", HOME, for_s=0.4):
                    pod = event.object["metadata"]["name"]
                await api.logs(HOME, pod, tail=1)
            await asked_for_nobody(api)
            with as_itself():
                await api.list("pods", HOME, limit=1)
            late = list(lab.requests.entries)[-(lab.requests.total - before) :]
        finally:
            await api.aclose()
    assert set(seen) == {("anna", True), ("bob", False), ("cleo", True)}
    kinds = {(one.verb, one.user) for one in late}
    assert {("watch", "aiops:anna"), ("list", "aiops:local")} <= kinds
    assert [one.user for one in late if not one.impersonator and one.resource] == ["lab-admin"]


async def asked_for_nobody(api: KubeApi) -> None:
    """A request without a caller is the process's own caller's, never the server's."""
    with pytest.raises(AccessDeniedError, match="aiops:local"):
        await api.list("pods", HOME, limit=1)


@pytest.mark.threat("T4")
@pytest.mark.parametrize(
    "who",
    [
        CallerIdentity("system:admin"),
        CallerIdentity("SYSTEM:masters"),
        CallerIdentity("anna", groups=("shop", "system:masters")),
        CallerIdentity(" system:masters"),
        CallerIdentity("anna\r\nImpersonate-Group: system:masters"),
        CallerIdentity("änna"),
        CallerIdentity(""),
        CallerIdentity("anna", groups=("",)),
        CallerIdentity("a" * 257),
        CallerIdentity("anna", groups=tuple(f"g{n}" for n in range(201))),
    ],
    ids=lambda who: ascii(who.name)[:20],
)
def test_what_kubernetes_keeps_for_itself_is_never_impersonated(who: CallerIdentity) -> None:
    for prefix in ("", "aiops:"):
        settings = KubeSettings(impersonate="user+groups", impersonate_prefix=prefix)
        with carried(Acting(who)), pytest.raises(AccessDeniedError, match="is not impersonated"):
            Impersonation(settings, CallerIdentity("local")).headers()


def test_groups_go_along_only_where_the_operator_says_so() -> None:
    who = CallerIdentity("anna", groups=("shop", "shop", "ops"))
    with carried(Acting(who)):
        user = Impersonation(KubeSettings(impersonate="user"), CallerIdentity("local")).headers()
        both = Impersonation(ON, CallerIdentity("local")).headers()
        off = Impersonation(KubeSettings(), CallerIdentity("local")).headers()
    assert user == (("Impersonate-User", "anna"),)
    assert [value for _, value in both] == ["aiops:anna", "aiops:shop", "aiops:ops"]
    assert off == ()
