"""A store with plans and questions that wait, and a server that serves them behind every layer of HTTP.

async with waiting_room(tmp_path, idp) as room:
    plan, approval = await room.asked("other", requester="anna")
    answer = await room.http(idp.token(sub="ben")).get(f"/approvals/{approval.approval_id}")
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
from fastmcp import FastMCP

from aiops_shared.auth.callers import CallerIdentity
from aiops_shared.errors import NotConfiguredError
from aiops_shared.guardrails.facade import Guardrails
from aiops_shared.guardrails.ids import new_id
from aiops_shared.guardrails.models import (
    Approval,
    Approver,
    BlastRadius,
    Caller,
    Facts,
    FieldChange,
    ObjectRef,
    Plan,
    Step,
    TargetChange,
    Verdict,
)
from aiops_shared.guardrails.speaking import speaking
from aiops_shared.remote.application import around
from aiops_shared.remote.approvals import serve_approvals
from aiops_shared.remote.approvals_deciding import Asks
from aiops_shared.settings import Settings
from tests.fakes.clocks import FakeClock
from tests.remote.issuer import Issuer, remote_settings

WEB = ObjectRef(cluster="dev", api_version="apps/v1", kind="Deployment", namespace="shop", name="web")
IMAGE = "spec.template.spec.containers[name=app].image"
HTML = {"accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}
HERE = "http://127.0.0.1:8000"


async def _no_hands(cluster: str) -> Any:
    raise NotConfiguredError(cluster, "nothing is executed here", "")


@dataclass
class WaitingRoom:
    """The guardrails of one store, and the application over them."""

    settings: Settings
    asks: Asks | None = None
    clock: Any = field(default_factory=FakeClock)

    def __post_init__(self) -> None:
        who = speaking(CallerIdentity("local"))
        self.guard = Guardrails.open(self.settings, self.clock, _no_hands, who)
        self.server = FastMCP("waiting")
        serve_approvals(self.server, self.guard, self.settings, self.asks)
        self.app = around(self.server, self.settings, {})

    def http(self, token: str = "", **headers: str) -> httpx.AsyncClient:
        """A client of it without a socket."""
        given = {**({"authorization": f"Bearer {token}"} if token else {}), **headers}
        transport = httpx.ASGITransport(app=self.app)
        return httpx.AsyncClient(transport=transport, base_url=HERE, headers=given)

    async def asked(
        self, needs: Approver = "requester", *, requester: str = "anna", **more: Any
    ) -> tuple[Plan, Approval]:
        """A plan that waits for a person."""
        now = self.clock.safe_now()
        change = FieldChange(path=IMAGE, before="shop/web:1", after="shop/web:2")
        step = Step(name="write", verb="write", values={IMAGE: "shop/web:2"})
        given: dict[str, Any] = {
            "plan_id": new_id("pln_"),
            "action": "image",
            "cluster": "dev",
            "confirm": "Change the image of deployment shop/web from shop/web:1 to shop/web:2",
            "targets": (TargetChange(ref=WEB, uid="u-1", paths=(IMAGE,), digest="d", steps=(step,)),),
            "diff": (change,),
            "requester": Caller(name=requester),
            "created_at": now,
            "expires_at": now + timedelta(hours=1),
            "reversible": "partial",
            "lost": ("requests under way",),
            "blast_radius": BlastRadius(pods=3, total_pods=9, at_once=1, says="3 of 9 pods, one at a time"),
            "facts": Facts(reversible="partial"),
            "verdict": Verdict(
                decision="needs_approval",
                rule="prod-image",
                advice="a new image in production",
                approver=needs,
            ),
            "policy_digest": self.guard.policy_digest,
            "reason": "fixes the 504s",
            **more,
        }
        plan = await self.guard._wired.plans.save(Plan(**given))
        return plan, await self.guard._wired.approvals.ask(plan, needs)

    async def state_of(self, approval_id: str) -> str:
        """As the store has it."""
        found = await self.guard.approval(approval_id)
        return found.state if found else ""

    async def audited(self) -> list[tuple[str, str]]:
        """Every record: event and who."""
        from sqlalchemy import select

        from aiops_shared.state.schema import audit

        query = select(audit.c.event, audit.c.actor).order_by(audit.c.seq)
        rows = await self.guard._wired.store.read(lambda conn: conn.execute(query).all())
        return [(str(row.event), str(row.actor)) for row in rows]


@asynccontextmanager
async def waiting_room(
    folder: Path, idp: Issuer | None, asks: Asks | None = None, **http: Any
) -> AsyncIterator[WaitingRoom]:
    """Open, and close its store."""
    room = WaitingRoom(remote_settings(idp, folder, **http), asks)
    try:
        yield room
    finally:
        room.guard.close()
