"""A small cluster in a file: objects with uid and resourceVersion, and a log of every effect.

It fulfils the port `Effects`. It lies outside the suite's own store, so that effects are counted by somebody
else, and in a file, so that they outlive a killed process. Failures are planted per verb, first come first.
"""

import json
import os
import sqlite3
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import anyio

from aiops_shared.errors import ConflictError, UnreachableError
from aiops_shared.guardrails.models import Facts, GateCheck, GateResult, ObjectRef, Plan, Step
from aiops_shared.guardrails.paths import holds, remove, write
from aiops_shared.guardrails.permits import Permit

Fault = Literal[
    "conflict", "reset_before", "reset_after", "gone", "recreated", "slow", "kill_before", "kill_after"
]
Look = Callable[[dict[str, Any] | None], GateResult]
_TABLES = """
CREATE TABLE IF NOT EXISTS objects (ref TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS effects (id INTEGER PRIMARY KEY, action TEXT, ref TEXT, verb TEXT, step TEXT);
CREATE TABLE IF NOT EXISTS counter (rv INTEGER NOT NULL);
"""


def deployment(name: str = "web", image: str = "shop/web:1", replicas: int = 4) -> dict[str, Any]:
    """A Deployment as a server returns it."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "shop", "labels": {"app": name}, "generation": 1},
        "spec": {
            "replicas": replicas,
            "template": {"spec": {"containers": [{"name": "app", "image": image}]}},
        },
        "status": {"readyReplicas": replicas},
    }


def ref_of(body: dict[str, Any], cluster: str = "dev") -> ObjectRef:
    """The reference of an object."""
    metadata = body["metadata"]
    return ObjectRef(
        cluster=cluster,
        api_version=body["apiVersion"],
        kind=body["kind"],
        namespace=metadata.get("namespace", ""),
        name=metadata["name"],
    )


@dataclass
class FakeWorld:
    """Fulfils `Effects` on a file."""

    path: Path
    facts: Facts = field(default_factory=lambda: Facts(env="staging", reversible="full"))
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    gates: dict[str, Look] = field(default_factory=dict)
    on_write: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    on_effect: Callable[[str], None] | None = None
    unreadable: int = 0

    def __post_init__(self) -> None:
        with self._db() as db:
            db.executescript(_TABLES)

    # What a test does to the world.

    def add(self, body: dict[str, Any], cluster: str = "dev") -> dict[str, Any]:
        """Put an object there, as somebody else would."""
        ref = ref_of(body, cluster)
        return self._store(ref, {**body, "metadata": {**body["metadata"], "uid": str(uuid.uuid4())}})

    def change(self, ref: ObjectRef, values: dict[str, Any]) -> dict[str, Any]:
        """Somebody else writes these paths."""
        return self._store(ref, write(self.see(ref), values))

    def drop(self, ref: ObjectRef) -> None:
        """Somebody else deletes it."""
        with self._db() as db:
            db.execute("DELETE FROM objects WHERE ref = ?", (ref.model_dump_json(),))

    def recreate(self, ref: ObjectRef) -> dict[str, Any]:
        """Somebody else deletes it and makes one of the same name."""
        body = self.see(ref)
        self.drop(ref)
        return self.add(body, ref.cluster)

    def see(self, ref: ObjectRef) -> Any:
        """The object now, or None."""
        with self._db() as db:
            row = db.execute("SELECT body FROM objects WHERE ref = ?", (ref.model_dump_json(),)).fetchone()
        return json.loads(row[0]) if row else None

    def everything(self) -> dict[str, Any]:
        """All objects, for invariant I7."""
        with self._db() as db:
            return {ref: json.loads(body) for ref, body in db.execute("SELECT ref, body FROM objects")}

    def effects(self) -> list[tuple[str, str, str]]:
        """Every effect that happened, in order: verb, object, step."""
        with self._db() as db:
            rows = db.execute("SELECT verb, ref, step FROM effects ORDER BY id")
            return [(verb, str(ObjectRef.model_validate_json(ref)), step) for verb, ref, step in rows]

    def plant(self, verb: str, *faults: Fault) -> None:
        """The next effects of this verb meet these faults, one each."""
        self.faults.setdefault(verb, []).extend(faults)

    # The port.

    async def read(self, ref: ObjectRef) -> Any:
        await anyio.lowlevel.checkpoint()
        if self.unreadable > 0:
            self.unreadable -= 1
            raise UnreachableError("api server", "no connection")
        return self.see(ref)

    async def apply_step(self, ref: ObjectRef, step: Step, current: Any, permit: Permit) -> Any:
        def effect() -> Any:
            match step.verb:
                case "write":
                    self._precondition(ref, current)
                    return self._store(ref, write(current, step.values))
                case "create" | "apply" if current is None:
                    self._precondition(ref, None)
                    return self.add(step.body, ref.cluster)
                case "apply" | "create":
                    return self._store(ref, _merged(self.see(ref), step.body))
                case "delete" | "evict":
                    self._precondition(ref, current, uid_only=True)
                    self.drop(ref)
                    return None

        return await self._effect(step.verb, ref, step.name, permit, effect)

    async def replace(self, ref: ObjectRef, body: Any, permit: Permit) -> Any:
        def effect() -> Any:
            self._precondition(ref, body)
            return self._store(ref, body)

        return await self._effect("replace", ref, "undo", permit, effect)

    async def create(self, ref: ObjectRef, body: Any, permit: Permit) -> Any:
        def effect() -> Any:
            self._precondition(ref, None)
            return self.add(body, ref.cluster)

        return await self._effect("create", ref, "undo", permit, effect)

    async def delete(self, ref: ObjectRef, uid: str, permit: Permit) -> None:
        def effect() -> None:
            self._precondition(ref, {"metadata": {"uid": uid}}, uid_only=True)
            self.drop(ref)

        await self._effect("delete", ref, "undo", permit, effect)

    async def look(self, ref: ObjectRef, check: GateCheck) -> GateResult:
        await anyio.lowlevel.checkpoint()
        look = self.gates.get(check.check)
        return GateResult(state="met", says="ready") if look is None else look(self.see(ref))

    async def measure(self, plan: Plan) -> Facts:
        await anyio.lowlevel.checkpoint()
        return self.facts

    # How it works.

    async def _effect(
        self, verb: str, ref: ObjectRef, step: str, permit: Permit, effect: Callable[[], Any]
    ) -> Any:
        permit.covers(ref)
        await anyio.lowlevel.checkpoint()
        fault = self.faults[verb].pop(0) if self.faults.get(verb) else None
        await self._before(fault, ref)
        answer = effect()
        with self._db() as db:
            row = (permit.action_id, ref.model_dump_json(), verb, step)
            db.execute("INSERT INTO effects (action, ref, verb, step) VALUES (?, ?, ?, ?)", row)
        if self.on_effect is not None:
            self.on_effect(verb)
        if fault == "reset_after":
            raise UnreachableError("api server", "connection reset after the request")
        if fault == "kill_after":
            os.kill(os.getpid(), 9)
        return answer

    async def _before(self, fault: Fault | None, ref: ObjectRef) -> None:
        match fault:
            case "conflict":
                raise ConflictError(str(ref), "the object has been modified")
            case "reset_before":
                raise UnreachableError("api server", "connection reset before the request")
            case "gone":
                self.drop(ref)
            case "recreated":
                self.recreate(ref)
            case "slow":
                await anyio.sleep(0.5)
            case "kill_before":
                os.kill(os.getpid(), 9)
            case _:
                pass

    def _precondition(self, ref: ObjectRef, held: Any, *, uid_only: bool = False) -> None:
        now = self.see(ref)
        if (now is None) != (held is None):
            raise ConflictError(str(ref), "it exists already" if held is None else "it is gone")
        if now is None:
            return
        for name in ("uid",) if uid_only else ("uid", "resourceVersion"):
            if now["metadata"][name] != held["metadata"].get(name):
                raise ConflictError(str(ref), f"{name} does not match")

    def _store(self, ref: ObjectRef, body: dict[str, Any]) -> dict[str, Any]:
        if self.on_write is not None:
            body = self.on_write(body)
        with self._db() as db:
            key = ref.model_dump_json()
            body["metadata"]["resourceVersion"] = str(self._next(db))
            db.execute("INSERT OR REPLACE INTO objects (ref, body) VALUES (?, ?)", (key, json.dumps(body)))
        return body

    def _next(self, db: sqlite3.Connection) -> int:
        if db.execute("UPDATE counter SET rv = rv + 1").rowcount == 0:
            db.execute("INSERT INTO counter (rv) VALUES (1)")
        rv: int = db.execute("SELECT rv FROM counter").fetchone()[0]
        return rv

    def _db(self) -> "_Closing":
        return _Closing(self.path)


class _Closing:
    """A connection that commits and closes."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, timeout=10)
        self._db.execute(
            "PRAGMA synchronous=OFF"
        )  # a killed process loses nothing; a power cut is no test here

    def __enter__(self) -> sqlite3.Connection:
        return self._db

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if kind is None:
            self._db.commit()
        self._db.close()


def _merged(now: Any, body: Any) -> Any:
    if not isinstance(now, dict) or not isinstance(body, dict) or holds(now, body):
        return now if isinstance(now, dict) and holds(now, body) else body
    return {**now, **{key: _merged(now.get(key), value) for key, value in body.items()}}


def without(body: dict[str, Any], *paths: str) -> dict[str, Any]:
    """A copy without these paths."""
    for path in paths:
        body = remove(body, path)
    return body
