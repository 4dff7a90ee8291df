"""Where a process can be killed, and the fuse that kills it there.

Installed in a forked child only (`faults.zygote`). It stands at the guardrails' audit, the wire to Kubernetes
and AWS and the engine's own journal; at the nth passage of the chosen point the process kills itself, as a
pulled node would. Passages are written down too, which is how the points of a step are found at first.
"""

import json
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from aiops_shared.auth.behalf import current
from aiops_shared.aws.clients import AwsClients
from aiops_shared.guardrails.audit import Audit
from aiops_shared.kube.connection import Connection as KubeConnection
from aiops_shared.state.store import after_commit
from aiops_sop.clients.peers import McpPeers
from aiops_sop.clients.run_parts import NoCrash
from aiops_sop.clients.run_store import RunStore

# AWS operations with an effect, by their method's first word.
AWS_EFFECTS = ("create_", "update_", "delete_", "put_", "send_", "publish", "terminate_", "modify_")


@dataclass
class Fuse:
    """Counts passages; kills at the chosen one, or writes each down."""

    point: str = ""
    nth: int = 0
    step: str = ""  # only passages of this step of the document; empty: any
    trace: Path | None = None
    sign: int = signal.SIGKILL  # or SIGSTOP, SIGTERM
    once: Path | None = None  # made by the first of several processes that comes to the point
    passed: int = 0
    calling: str = ""  # the step whose call is under way: an action is carried beside the call that began it

    def passes(self, point: str, step: str = "") -> None:
        """One passage."""
        behalf = current()
        where = step or (behalf.step if behalf else "") or self.calling
        self._write(point, where)
        if point != self.point or (self.step and where != self.step):
            return
        self.passed += 1
        if self.passed == self.nth + 1 and self._first():
            self._write("signal", where)
            os.kill(os.getpid(), self.sign)

    def _first(self) -> bool:
        try:
            if self.once is not None:
                self.once.touch(exist_ok=False)
        except FileExistsError:
            return False
        return True

    def _write(self, point: str, where: str) -> None:
        if self.trace is not None:
            with suppress(OSError), self.trace.open("a", encoding="utf-8") as file:  # a disk that is full
                file.write(json.dumps([time.monotonic(), point, where]) + "\n")


def install(fuse: Fuse) -> None:
    """Pass by the fuse wherever an intent, an effect or an outcome is."""
    _around_audit(fuse)
    _around_kubernetes(fuse)
    _around_aws(fuse)
    _around_steps(fuse)


def _around_audit(fuse: Fuse) -> None:
    def noting(method: Callable[..., Any], said: str) -> Callable[..., Any]:
        @wraps(method)
        def noted(self: Audit, conn: Connection, *args: Any) -> Any:
            says = args[-1] if args and isinstance(args[-1], dict) else {}
            name = f"undo {said}" if says.get("step") == "undo" else said
            fuse.passes(f"before {name}")
            answer = method(self, conn, *args)
            after_commit(conn, lambda: fuse.passes(f"after {name}"))
            return answer

        return noted

    Audit.intent_in = noting(Audit.intent_in, "intent")  # type: ignore[method-assign]  # a process that dies
    Audit.outcome_in = noting(Audit.outcome_in, "outcome")  # type: ignore[method-assign]  # as above


def _around_kubernetes(fuse: Fuse) -> None:
    ask_json = KubeConnection.json

    @wraps(ask_json)
    async def asked(self: KubeConnection, ask: Any, **more: Any) -> Any:
        if not ask.effect:
            return await ask_json(self, ask, **more)
        fuse.passes("before effect")
        answer = await ask_json(self, ask, **more)
        fuse.passes("after effect")
        return answer

    KubeConnection.json = asked  # type: ignore[method-assign]  # as above


def _around_aws(fuse: Fuse) -> None:
    call = AwsClients.call

    @wraps(call)
    async def called(self: AwsClients, target: Any, service: str, operation: str, **parameters: Any) -> Any:
        if not operation.startswith(AWS_EFFECTS):
            return await call(self, target, service, operation, **parameters)
        fuse.passes("before effect")
        answer = await call(self, target, service, operation, **parameters)
        fuse.passes("after effect")
        return answer

    AwsClients.call = called  # type: ignore[method-assign]  # as above


def _around_steps(fuse: Fuse) -> None:
    def pass_by(self: NoCrash, point: str, path: str) -> None:
        fuse.passes(f"step {point}", path)

    NoCrash.pass_by = pass_by  # type: ignore[method-assign]  # as above
    call, put = McpPeers.call, RunStore.put

    @wraps(call)
    async def called(self: McpPeers, server: str, tool: str, arguments: Any, behalf: Any = None) -> Any:
        step = behalf.step if behalf else ""
        fuse.passes("before call", step)
        before, fuse.calling = fuse.calling, step
        try:
            answer = await call(self, server, tool, arguments, behalf)
        finally:
            fuse.calling = before
        fuse.passes("after call", step)
        return answer

    @wraps(put)
    async def kept(self: RunStore, held: Any, row: Any, **more: Any) -> None:
        fuse.passes("before record", row.path)
        await put(self, held, row, **more)
        fuse.passes("after record", row.path)

    McpPeers.call = called  # type: ignore[method-assign]  # as above
    RunStore.put = kept  # type: ignore[method-assign]  # as above
