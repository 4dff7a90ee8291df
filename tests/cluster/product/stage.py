"""The real eks server on a real control plane: what it did is read from kube-apiserver's own audit log.

    async with product(whole, monkeypatch, tmp_path) as stage:
        plan = await stage.plan(action="scale", namespace=stage.namespace, name="web", replicas=3)
        assert stage.writes() == []

Each stage has a namespace of its own and acts as one of the shipped identities (`aiops_lab/roles.py`).
World time runs faster than real time, so that gates which watch for minutes end in seconds.
"""

import json
import os
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from fastmcp import Client
from fastmcp.client.transports import FastMCPTransport

from aiops_eks.server import make
from aiops_lab.kube.resources import BUILT_IN
from aiops_lab.kube.store import Store
from aiops_lab.roles import grant
from aiops_shared.kube.access import Access, FixedSource
from aiops_shared.kube.api import KubeApi
from aiops_shared.kube.connection import Connection
from aiops_shared.settings import CallerSettings, KubeSettings, PolicySettings, Settings, StateSettings
from eks_aiops.guarding import guardrails, operator
from tests.cluster.control_plane import ControlPlane
from tests.e2e.stage import Answer, Obj, Person, asked
from tests.shared.http.wire_server import Reply, Seen, WireServer, as_json

FASTER = 20.0  # world seconds in a real one
WRITES = frozenset({"create", "update", "patch", "delete", "deletecollection"})
REVIEWS = frozenset({"selfsubjectaccessreviews", "selfsubjectreviews", "selfsubjectrulesreviews"})
IDENTITIES = frozenset({"aiops-reader", "aiops-planner", "aiops-executor", "lab-admin"})
CLUSTER_WIDE = frozenset({"Namespace", "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition"})
_MADE: set[str] = set()  # control planes that have the roles


def _world_clock() -> WireServer:
    """The time source of a server (`RemoteClock`): real time, twenty times as fast."""
    started, at = time.monotonic(), datetime.fromtimestamp(time.time(), UTC)

    def answer(seen: Seen) -> Reply:
        if seen.method == "GET":
            passed = timedelta(seconds=(time.monotonic() - started) * FASTER)
            return as_json({"now": (at + passed).isoformat()})
        seconds = float(json.loads(seen.body)["seconds"])

        async def later() -> AsyncIterator[bytes]:
            await anyio.sleep(seconds / FASTER)
            yield b"{}"

        return Reply(pieces=later)

    return WireServer(answer)


@dataclass
class Product:
    """A server on the control plane, its client, and an administrator beside it."""

    plane: ControlPlane
    namespace: str
    identity: str
    settings: Settings
    client: Client[FastMCPTransport]
    admin: httpx.AsyncClient
    person: Person
    started_at: str = field(default_factory=lambda: datetime.fromtimestamp(time.time(), UTC).isoformat())

    async def ask(self, tool: str, **arguments: Any) -> Answer:
        """Call one tool."""
        return await asked(self.client, tool, arguments)

    async def got(self, tool: str, **arguments: Any) -> Obj:
        """Call one tool that must answer."""
        answer = await self.ask(tool, **arguments)
        assert not answer.error, answer.error
        return answer.data

    async def plan(self, **arguments: Any) -> Obj:
        """Plan a workload change in the stage's namespace."""
        return await self.got("plan_workload_change", **{"namespace": self.namespace, **arguments})

    async def execute(self, plan: Obj) -> Answer:
        """Execute a plan, approved by a second person where that is asked for, and wait for its end."""
        arguments = {"plan_id": plan["plan_id"], "confirm": plan["confirm"]}
        done = await self.ask("execute_plan", **arguments)
        if done.code == "approval_pending":
            await self.approve(done)
            done = await self.ask("execute_plan", **arguments)
        return done if done.error else await self.ended(done.data["action_id"])

    async def approve(self, refused: Answer) -> None:
        """Another person says yes at a terminal."""
        approval_id = refused.error.rpartition("eks-aiops approve ")[2].split()[0]
        person = self.settings.model_copy(update={"caller": CallerSettings(name="ben", kind="human")})
        async with guardrails(person) as guard:
            await guard.approve(approval_id, operator(person), "terminal")

    async def undo(self, action: Obj) -> Obj:
        """Undo an action and wait for its end."""
        answer = await self.ask("undo_action", action_id=action["action_id"])
        assert not answer.error, answer.error
        return (await self.ended(action["action_id"])).data

    async def ended(self, action_id: str) -> Answer:
        """Wait until an action stands still."""
        for _turn in range(600):
            answer = await self.ask("get_action", action_id=action_id)
            if answer.error or answer.data["state"] not in {"running", "undoing"}:
                return answer
            await anyio.sleep(0.1)
        raise AssertionError(f"{action_id} does not end: {answer.data}")

    # The cluster, past the product.

    async def make(self, *objects: Obj) -> None:
        """Create objects as an administrator, each in the stage's namespace."""
        for obj in objects:
            answer = await self.admin.post(_collection(obj, self.namespace), json=obj)
            assert answer.status_code < 300, answer.text

    async def see(self, path: str) -> Obj:
        """An object by its path, `{ns}` replaced; empty when it is not there."""
        answer = await self.admin.get(path.replace("{ns}", self.namespace))
        found: Obj = answer.json()
        return {} if answer.status_code == 404 else found

    async def until(self, path: str, *keys: str, value: object) -> Obj:
        """Wait until a field has a value."""
        for _turn in range(200):
            found: Any = await self.see(path)
            whole_object: Obj = found
            for key in keys:
                found = found.get(key) if isinstance(found, dict) else None
            if found == value:
                return whole_object
            await anyio.sleep(0.1)
        raise AssertionError(f"{path} {keys} is {found!r}, not {value!r}")

    async def patch(self, path: str, body: Obj, manager: str = "somebody") -> None:
        """Somebody else changes something."""
        answer = await self.admin.patch(
            path.replace("{ns}", self.namespace),
            params={"fieldManager": manager},
            content=json.dumps(body),
            headers={"content-type": "application/merge-patch+json"},
        )
        assert answer.status_code < 300, answer.text

    # kube-apiserver's own account.

    def asked_of_api(self) -> list[Obj]:
        """Every request of the product since the stage began, by the audit log of kube-apiserver."""
        return [
            event
            for event in self.plane.audited()
            if event["userAgent"] == "eks-aiops"
            and event["user"]["username"] == self.identity
            and event["requestReceivedTimestamp"] >= self.started_at[:23]
        ]

    def writes(self) -> list[Obj]:
        """Those that may have changed something: no read, no review, no dry run."""
        return [event for event in self.asked_of_api() if is_write(event)]

    def effects(self) -> list[Obj]:
        """Those that were carried out. The rest met a newer resourceVersion: a controller was faster."""
        found = self.writes()
        refused = {event["responseStatus"]["code"] for event in found} - {200, 201, 202}
        assert refused <= {409}, refused
        return [event for event in found if event["responseStatus"]["code"] < 300]

    def dry_runs(self) -> list[Obj]:
        """Mutating requests that were dry runs."""
        found = [e for e in self.asked_of_api() if e["verb"] in WRITES and not is_write(e)]
        return [event for event in found if event["objectRef"]["resource"] not in REVIEWS]


def is_write(event: Obj) -> bool:
    """Whether an audited request could change an object: told as kube-apiserver itself understands it."""
    if event["verb"] not in WRITES or event["objectRef"].get("resource") in REVIEWS:
        return False
    sent = event.get("requestObject") or {}
    options = sent.get("deleteOptions") or {}
    if event["objectRef"].get("subresource") == "eviction":
        return options.get("dryRun") != ["All"]
    if event["verb"] == "delete" and sent:
        return sent.get("dryRun") != ["All"]
    return "dryRun=All" not in event["requestURI"]


def _collection(obj: Obj, namespace: str) -> str:
    version, kind = obj["apiVersion"], obj["kind"]
    root = "/api/v1" if version == "v1" else f"/apis/{version}"
    plural = f"{kind.lower()}s" if not kind.endswith("y") else f"{kind.lower()[:-1]}ies"
    return f"{root}/{plural}" if kind in CLUSTER_WIDE else f"{root}/namespaces/{namespace}/{plural}"


def shipped_roles() -> list[Obj]:
    """The ClusterRoles and bindings of the three identities, as the lab has them."""
    store = Store(lambda: datetime(2026, 1, 1, tzinfo=UTC), BUILT_IN)
    grant(store)
    found = [*store.list("ClusterRole"), *store.list("ClusterRoleBinding")]
    keep = ("name",)
    return [
        {**obj, "metadata": {key: obj["metadata"][key] for key in keep}}
        for obj in found
        if obj["metadata"]["name"].startswith("aiops-")
    ]


async def _with_roles(plane: ControlPlane, admin: httpx.AsyncClient) -> None:
    if str(plane.folder) in _MADE:
        return
    for obj in shipped_roles():
        answer = await admin.post(_collection(obj, ""), json=obj)
        assert answer.status_code in {201, 409}, answer.text
    _MADE.add(str(plane.folder))


@asynccontextmanager
async def product(
    plane: ControlPlane,
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    *,
    identity: str = "aiops-executor",
    environment: str = "staging",
    kubeconfig: Path | None = None,
    **more: Any,
) -> AsyncIterator[Product]:
    """A server in this process, as `identity`, in a fresh namespace of that environment."""
    namespace = f"shop-{uuid.uuid4().hex[:8]}"
    for name in [name for name in os.environ if name.startswith(("AIOPS_", "AWS_"))]:  # noqa: TID251
        monkeypatch.delenv(name)
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig or plane.kubeconfig(identity)))
    async with plane.client() as admin, _world_clock() as clock:
        await _with_roles(plane, admin)
        labels = {"environment": environment, "app.kubernetes.io/part-of": "tests"}
        space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}}
        assert (await admin.post("/api/v1/namespaces", json=space)).status_code == 201
        given: dict[str, Any] = {
            "write": True,
            "sensitive_reads": True,
            "tools": [],
            "time_source": clock.url,
            "state": StateSettings(dir=folder / "state"),
            "policy": PolicySettings(),
            "kube": KubeSettings(context="real"),
            "caller": CallerSettings(name="anna", kind="human"),
            **more,
        }
        settings, person = Settings(**given), Person()
        async with Client(make(settings), elicitation_handler=person.answer) as client:
            yield Product(plane, namespace, identity, settings, client, admin, person)
        await admin.delete(f"/api/v1/namespaces/{namespace}")


@asynccontextmanager
async def api_of(plane: ControlPlane, identity: str = "lab-admin") -> AsyncIterator[KubeApi]:
    """The product's client alone."""
    access = Access(plane.kube_url, ca_file=str(plane.ca_path), token=plane.token(identity))
    api = KubeApi("real", Connection(FixedSource(access), timeout_s=25))
    try:
        yield api
    finally:
        await api.aclose()
