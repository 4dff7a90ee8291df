"""What runs of SOPs need of the outside, as fakes: hands that count every effect, people who are told.

`FakeHands` keeps its world in a SQLite file of its own, so that several processes share it and what really
happened is counted there and nowhere else.
"""

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiops_shared.auth.behalf import Behalf
from aiops_shared.errors import (
    ActionNotFoundError,
    AiopsError,
    PlanNotFoundError,
    SopNotFoundError,
    UndoRefusedError,
)
from aiops_sop.documents.parsing import parse
from aiops_sop.models.documents import Sop

Obj = dict[str, Any]
Answer = Obj | AiopsError | Callable[[Mapping[str, Any]], Obj]
_TABLES = """
CREATE TABLE IF NOT EXISTS plans (id TEXT PRIMARY KEY, tool TEXT, args TEXT, action TEXT);
CREATE TABLE IF NOT EXISTS actions (id TEXT PRIMARY KEY, plan TEXT UNIQUE, state TEXT);
CREATE TABLE IF NOT EXISTS effects (seq INTEGER PRIMARY KEY AUTOINCREMENT, what TEXT, plan TEXT);
"""


@dataclass
class FakeHands:
    """The other servers. `says` scripts reads and errors: "server.tool" -> answers, the last one stays."""

    path: Path
    says: dict[str, list[Answer]] = field(default_factory=dict)
    ends: dict[str, str] = field(default_factory=dict)  # plan tool's `name` argument -> its action's end
    away: dict[str, str] = field(default_factory=dict)  # server -> why it does not answer
    calls: list[tuple[str, Obj, Behalf | None]] = field(default_factory=list)
    after_effect: Callable[[str], None] = lambda path: None

    def __post_init__(self) -> None:
        with self._db() as db:
            db.executescript(_TABLES)
        self.says.setdefault("eks.get_resource", [{"ok": True, "summary": "it is well"}])

    def reset(self) -> None:
        """Another story: nothing happened yet, everything is well."""
        for script in (self.says, self.ends, self.away, self.calls):
            script.clear()
        self.says["eks.get_resource"] = [{"ok": True, "summary": "it is well"}]
        with self._db() as db:
            for table in ("plans", "actions", "effects"):
                db.execute(f"DELETE FROM {table}")  # noqa: S608  # names of ours

    async def call(
        self, server: str, tool: str, arguments: Mapping[str, Any], behalf: Behalf | None = None
    ) -> Obj:
        name = f"{server}.{tool}"
        self.calls.append((name, dict(arguments), behalf))
        scripted = self.says.get(name)
        if scripted:
            said = scripted[0] if len(scripted) == 1 else scripted.pop(0)
            if isinstance(said, AiopsError):
                raise said
            if said != {"go": "on"}:
                return said(arguments) if callable(said) else dict(said)
        if tool.startswith("plan_"):
            return self._plan(name, arguments)
        hand = {"execute_plan": self._execute, "get_action": self._get, "undo_action": self._undo}.get(tool)
        return hand(arguments, behalf) if hand else {"summary": f"{name} answered"}

    async def tools(self, server: str) -> Mapping[str, Obj]:
        return {}

    async def missing(self, servers: Sequence[str]) -> Mapping[str, str]:
        return {server: self.away[server] for server in servers if server in self.away}

    def effects(self) -> list[str]:
        """What really happened, in order."""
        with self._db() as db:
            return [row[0] for row in db.execute("SELECT what FROM effects ORDER BY seq")]

    def plans(self) -> int:
        """How many plans were made."""
        with self._db() as db:
            return int(db.execute("SELECT count(*) FROM plans").fetchone()[0])

    def _plan(self, tool: str, arguments: Mapping[str, Any]) -> Obj:
        with self._db() as db:
            db.execute("BEGIN IMMEDIATE")  # two processes count one after the other
            number = db.execute("SELECT count(*) FROM plans").fetchone()[0]
            plan_id = f"pln_{number:020d}"
            db.execute("INSERT INTO plans VALUES (?, ?, ?, '')", (plan_id, tool, json.dumps(dict(arguments))))
        name = arguments.get("name", "")
        return {
            "summary": f"would change {name}",
            "plan_id": plan_id,
            "confirm": f"change {name}",
            "verdict": "allow",
        }

    def _execute(self, arguments: Mapping[str, Any], behalf: Behalf | None) -> Obj:
        plan_id, action_id = arguments["plan_id"], arguments["plan_id"].replace("pln_", "act_")
        with self._db() as db:
            db.execute("BEGIN IMMEDIATE")
            row = db.execute("SELECT args FROM plans WHERE id = ?", (plan_id,)).fetchone()
            if row is None:
                raise PlanNotFoundError(f"plan {plan_id}", "no plan of that id")
            name = json.loads(row[0]).get("name", "")
            if db.execute("SELECT 1 FROM actions WHERE plan = ?", (plan_id,)).fetchone() is None:
                state = self.ends.get(name, "succeeded")
                db.execute("INSERT INTO actions VALUES (?, ?, ?)", (action_id, plan_id, state))
                db.execute("INSERT INTO effects (what, plan) VALUES (?, ?)", (f"do {name}", plan_id))
        self.after_effect(name)
        return self._get({"action_id": action_id}, behalf)

    def _get(self, arguments: Mapping[str, Any], behalf: Behalf | None) -> Obj:
        del behalf
        with self._db() as db:
            query = "SELECT plan, state FROM actions WHERE id = ?"
            row = db.execute(query, (arguments["action_id"],)).fetchone()
        if row is None:
            raise ActionNotFoundError("action", "no action of that id")
        return {"summary": f"it {row[1]}", "action_id": arguments["action_id"], "state": row[1]}

    def _undo(self, arguments: Mapping[str, Any], behalf: Behalf | None) -> Obj:
        found = self._get(arguments, behalf)
        if found["state"] == "failed":
            raise UndoRefusedError("action", "it changed nothing")
        with self._db() as db:
            if found["state"] != "undone":
                db.execute("UPDATE actions SET state = 'undone' WHERE id = ?", (arguments["action_id"],))
                query = "SELECT plans.args FROM actions JOIN plans ON plans.id = plan WHERE actions.id = ?"
                name = json.loads(db.execute(query, (arguments["action_id"],)).fetchone()[0]).get("name", "")
                db.execute("INSERT INTO effects (what, plan) VALUES (?, '')", (f"undo {name}",))
        return self._get(arguments, behalf)

    @contextmanager
    def _db(self) -> Iterator[sqlite3.Connection]:
        db = sqlite3.connect(self.path, timeout=10)
        db.execute("PRAGMA synchronous=OFF")  # only processes die here
        try:
            with db:
                yield db
        finally:
            db.close()


@dataclass
class FakeTeller:
    """Keeps what people were told."""

    notices: list[Obj] = field(default_factory=list)

    async def tell(self, notice: Obj) -> Sequence[str]:
        if notice["id"] not in {told["id"] for told in self.notices}:
            self.notices.append(notice)
        return ("paper",)


@dataclass
class FakeLibrary:
    """SOPs as given."""

    sops: dict[str, Sop] = field(default_factory=dict)

    def add(self, text: str) -> Sop:
        """Parse and keep one; its id stands in the text."""
        name = text.split("id: ", 1)[1].split("\n", 1)[0].strip()
        self.sops[name] = parse(text, f"{name}.sop.md")
        return self.sops[name]

    def every(self) -> tuple[Sop, ...]:
        return tuple(self.sops.values())

    def get(self, name: str) -> Sop:
        if name not in self.sops:
            raise SopNotFoundError(f"sop {name}", "no SOP of that id")
        return self.sops[name]


@dataclass
class FakePromotion:
    """Says what it was told to."""

    says: bool = False

    async def promoted(self, sop: Sop) -> bool:
        del sop
        return self.says
