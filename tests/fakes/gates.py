"""Small stand-ins for the policy, the freezes and the audit, each fulfilling its port."""

import threading
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from aiops_shared.errors import AuditDownError
from aiops_shared.guardrails.models import Approval, Caller, Plan, Request, Verdict
from aiops_shared.guardrails.ports import Answer


@dataclass
class FakeJudge:
    """Always the same verdict; `asked` keeps the questions."""

    verdict: Verdict = field(default_factory=lambda: Verdict(decision="allow", rule="staging-write"))
    digest: str = "bundle-1"
    asked: list[Request] = field(default_factory=list)

    def decide(self, request: Request) -> Verdict:
        self.asked.append(request)
        if request.frozen:
            return Verdict(decision="deny", rule="freeze", advice="wait")
        return self.verdict


@dataclass
class FakeBrake:
    """Frozen when told so."""

    reason: str = ""
    kill: bool = False
    frozen_keys: list[tuple[str, str]] = field(default_factory=list)

    def reason_in(
        self,
        conn: Connection,
        cluster: str,
        keys: frozenset[tuple[str, str]],
        world_now: datetime,
        kill_only: bool,
    ) -> str:
        return self.reason if self.kill or not kill_only else ""

    def freeze_key_in(self, conn: Connection, cluster: str, key: tuple[str, str], reason: str) -> None:
        self.frozen_keys.append(key)


@dataclass
class FakeTrail:
    """Keeps records in memory; `down` refuses like an audit that cannot be written."""

    records: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    down: bool = False
    refused: threading.Event = field(default_factory=threading.Event)

    def intent_in(self, conn: Connection, caller: Caller, action_id: str, says: dict[str, Any]) -> int:
        return self._add("intent", action_id, says)

    def outcome_in(
        self, conn: Connection, caller: Caller, action_id: str, intent: int, says: dict[str, Any]
    ) -> None:
        self._add("outcome", action_id, {**says, "intent": intent})

    def note_in(self, conn: Connection, caller: Caller, about: str, event: str, says: dict[str, Any]) -> None:
        self._add(event, about, says)

    def events(self) -> list[str]:
        return [event for event, _, _ in self.records]

    def _add(self, event: str, about: str, says: dict[str, Any]) -> int:
        if self.down:
            self.refused.set()
            raise AuditDownError("audit", "the disk is full", "free some space")
        self.records.append((event, about, says))
        return len(self.records)


@dataclass
class FakeAsker:
    """A client whose person gives this answer."""

    answer: Answer = "accepted"
    asked: list[str] = field(default_factory=list)

    async def ask(self, approval: Approval, plan: Plan, nonce: str) -> Answer:
        self.asked.append(nonce)
        return self.answer
