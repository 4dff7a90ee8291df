"""The story: three questions (pods, logs, limits), a missing ConfigMap, what the metrics say, what
the bill says, a night, the trail.

Each act asks the real server over stdio and then looks at the simulator from outside.
"""

import re
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import anyio

from aiops_shared.settings import inherited
from eks_aiops.demo.clients import Answer, Ask, Person, connected
from eks_aiops.demo.lab_process import lab
from eks_aiops.demo.paying import pay
from eks_aiops.demo.report import Report
from eks_aiops.demo.sleeping import sleep
from eks_aiops.demo.watching import watch
from eks_aiops.demo.witness import Witness

_POLLS = 60
KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT", "VIRTUAL_ENV")  # of AIOPS_ and AWS_ nothing
_CONFIG_MAP = """apiVersion: v1
kind: ConfigMap
metadata:
  name: {name}
  namespace: {namespace}
data:
  {setting}: orders-db.production.svc
"""
_SETTING = re.compile(r"[A-Z][A-Z0-9]*_[A-Z0-9_]+")  # how the program names what it misses, in its own log


@dataclass
class Stage:
    """What every act needs."""

    report: Report
    ask: Ask
    witness: Witness
    person: Person
    heard: list[tuple[str, str]] = field(default_factory=list)  # tool and answer text, for the bench

    async def call(self, tool: str, **wanted: Any) -> Answer:
        """Ask one tool and show the question."""
        shown = ", ".join(f"{key}={value!r}" for key, value in wanted.items() if len(str(value)) < 90)
        self.report.step(f"{tool}({shown})")
        answer = await self.ask(tool, **wanted)
        self.heard.append((tool, answer.text))
        self.report.says(answer.error or str(answer.data.get("summary", "")))
        for warning in answer.data.get("warnings", []):
            self.report.says(f"warning: {warning}")
        return answer

    async def until_done(self, action_id: str) -> Answer:
        """Poll an action until it no longer runs."""
        for _ in range(_POLLS):
            answer = await self.ask("get_action", action_id=action_id)
            if answer.error or answer.data["state"] not in {"running", "undoing"}:
                return answer
        return answer


def _show_plan(report: Report, plan: dict[str, Any]) -> None:
    report.table(plan["diff"]["columns"], plan["diff"]["rows"])
    for key in ("verdict", "blast_radius", "rollout", "reversible", "validation"):
        if plan.get(key):
            report.says(f"{key}: {plan[key]}")
    for key, text in plan.get("shows", {}).items():
        report.says(f"{key}: {text}")


def _memory_limit(deployment: dict[str, Any] | None) -> str:
    containers = (
        (deployment or {}).get("spec", {}).get("template", {}).get("spec", {}).get("containers", [{}])
    )
    return str(containers[0].get("resources", {}).get("limits", {}).get("memory", ""))


def _ready(deployment: dict[str, Any] | None) -> bool:
    status, spec = (deployment or {}).get("status", {}), (deployment or {}).get("spec", {})
    return bool(spec.get("replicas")) and status.get("readyReplicas", 0) == spec.get("replicas")


async def _execute(stage: Stage, plan: dict[str, Any]) -> dict[str, Any]:
    """Carry out a plan; the person is asked by their client and sees the diff."""
    before = len(stage.person.asked)
    done = await stage.call("execute_plan", plan_id=plan["plan_id"], confirm=plan["confirm"])
    for question in stage.person.asked[before:]:
        stage.report.says("the client asked its user:")
        stage.report.says("\n".join(f"  | {line}" for line in question.splitlines()))
        stage.report.says("the user said yes")
    if done.error:
        return {}
    final = (await stage.until_done(done.data["action_id"])).data
    stage.report.table(final["steps"]["columns"], final["steps"]["rows"], at_most=12)
    return final


async def raise_limits(stage: Stage) -> None:
    """F2: which pod fails, why, and a memory limit that lets it live."""
    report = stage.report
    report.title("Act 1: which pod fails, why, and a limit that lets it live")
    pods = await stage.call("list_resources", kind="Pod", namespace="production")
    table = pods.data.get("resources", {"columns": [], "rows": []})
    report.table(table["columns"], table["rows"], at_most=4)
    pod = (
        str(dict(zip(table["columns"], table["rows"][0], strict=True)).get("name", ""))
        if table["rows"]
        else ""
    )
    logs = await stage.call("get_pod_logs", namespace="production", pod=pod)
    for line in logs.data.get("lines", {}).get("rows", [])[-4:]:
        report.says("| " + "  ".join(str(cell) for cell in line))
    found = await stage.call("diagnose", namespace="production")
    first = (found.data.get("findings") or [{}])[0]
    report.says(f"{first.get('code')}: {first.get('title')} (confidence {first.get('confidence')})")
    report.check("the first finding is OOM_LIMIT_TOO_LOW", first.get("code") == "OOM_LIMIT_TOO_LOW")
    name = str(first.get("name", ""))
    path = f"/apis/apps/v1/namespaces/production/deployments/{name}"
    before = await stage.witness.object(path)
    report.check("nothing was written so far, says the simulator", not await stage.witness.writes())

    plan = await stage.call("plan_workload_change", action="resources", namespace="production", name=name)
    if plan.error:
        report.check("the change could be planned", held=False)
        return
    _show_plan(report, plan.data)
    report.check("the plan wrote nothing, says the simulator", not await stage.witness.writes())
    wrong = await stage.call("execute_plan", plan_id=plan.data["plan_id"], confirm="yes, do it")
    report.check("a wrong confirm is refused", "[confirm_mismatch]" in wrong.error)
    final = await _execute(stage, plan.data)
    after = await stage.witness.object(path)
    report.check("the action succeeded", final.get("state") == "succeeded")
    wanted = str(plan.data["diff"]["rows"][0][2])
    rose = _memory_limit(after) == wanted != _memory_limit(before)
    report.check(f"the limit rose as planned: {_memory_limit(before)} -> {_memory_limit(after)}", rose)
    await stage.witness.pass_time(300)
    report.check("five minutes later every replica is ready", _ready(await stage.witness.object(path)))
    again = await stage.ask("execute_plan", plan_id=plan.data["plan_id"], confirm=plan.data["confirm"])
    report.check(
        "executing it again is the same action", again.data.get("action_id") == final.get("action_id")
    )

    undone = await stage.call("undo_action", action_id=str(final.get("action_id")))
    ended = (await stage.until_done(str(final.get("action_id")))).data if not undone.error else {}
    report.check("undo ends undone", ended.get("state") == "undone")
    restored = await stage.witness.object(path)
    report.check(
        f"the limit is back: {_memory_limit(restored)}", _memory_limit(restored) == _memory_limit(before)
    )
    report.check("the spec is exactly as before", (restored or {}).get("spec") == (before or {}).get("spec"))


async def missing_config(stage: Stage, seed: int) -> None:
    """F1: an optional ConfigMap is absent and the application dies without it."""
    report = stage.report
    report.title("Act 2: a crash loop whose cause is a missing ConfigMap")
    await stage.witness.reset("pod-crashloop", seed)
    found = await stage.call("diagnose", namespace="production")
    first = (found.data.get("findings") or [{}])[0]
    report.says(f"{first.get('code')}: {first.get('title')}")
    report.says(f"because: {first.get('root_cause')}")
    for item in first.get("evidence", [])[:4]:
        report.says(f"evidence: {item.get('source')}: {item.get('says', item.get('query'))}")
    report.check("the first finding is CONFIGMAP_MISSING", first.get("code") == "CONFIGMAP_MISSING")
    report.check("it names the ConfigMap, not the pod", first.get("kind") == "ConfigMap")
    said = " ".join(str(item.get("says", "")) for item in first.get("evidence", []))
    missing = _SETTING.search(said)
    manifest = _CONFIG_MAP.format(
        name=first.get("name", "none"), namespace="production", setting=missing[0] if missing else "DB_HOST"
    )
    plan = await stage.call("plan_manifest", action="apply", manifest=manifest)
    if plan.error:
        report.check("the ConfigMap could be planned", held=False)
        return
    _show_plan(report, plan.data)
    final = await _execute(stage, plan.data)
    report.check("the action succeeded", final.get("state") == "succeeded")
    await stage.witness.pass_time(600)
    pods = await stage.witness.object("/api/v1/namespaces/production/pods") or {"items": []}
    waiting = [
        pod["metadata"]["name"]
        for pod in pods["items"]
        for status in pod.get("status", {}).get("containerStatuses", [])
        if status.get("state", {}).get("waiting")
    ]
    report.check("ten minutes later no container waits", not waiting)
    clean = await stage.call("diagnose", namespace="production")
    report.check("diagnose finds nothing any more", not clean.data.get("findings"))


async def _read_only(report: Report, environment: dict[str, str], witness: Witness, log: Path) -> None:
    report.title("Before: the server as mcp.json.example starts it, read-only")
    async with connected("aiops-eks", environment, Person(), log) as (client, ask):
        names = [tool.name for tool in await client.list_tools()]
        report.says(f"{len(names)} tools listed: {', '.join(names)}")
        report.check("execute_plan is not listed", "execute_plan" not in names)
        refused = await ask("execute_plan", plan_id="pln_" + "x" * 20, confirm="x")
        report.says(refused.error)
        report.check("and refused when called by name", refused.error.startswith("[read_only]"))
    report.check("the simulator saw no write", not await witness.writes())


async def _command(environment: dict[str, str], *words: str) -> tuple[int, str]:
    """A command of ours, as an operator runs it in a terminal."""
    done = await anyio.run_process([sys.executable, "-m", "eks_aiops", *words], env=environment, check=False)
    return done.returncode, done.stdout.decode() + done.stderr.decode()


async def _trail(report: Report, environment: dict[str, str]) -> None:
    report.title("After: the audit")
    report.step("eks-aiops audit show")
    report.says((await _command(environment, "audit", "show", "--limit", "30"))[1])
    report.step("eks-aiops audit verify")
    code, text = await _command(environment, "audit", "verify")
    report.says(text)
    report.check("the audit's chain verifies", code == 0)


async def play(*, seed: int = 0, verbose: bool = False, heard: list[tuple[str, str]] | None = None) -> int:
    """Play everything; 0 when all held. `heard` collects every answer's text."""
    report, started = Report(), time.perf_counter()
    with TemporaryDirectory(prefix="eks-aiops-demo-") as folder:
        home = Path(folder)
        log = home / "server.log"
        async with lab("oom-raise-limits", seed, home) as found:
            report.says(f"lab up in {time.perf_counter() - started:.1f} s: {found['AIOPS_LAB_URL']}")
            base = {**inherited(*KEPT), **found, "AIOPS_STATE_DIR": str(home / "state")}
            del base["KUBECONFIG"]  # the servers find the cluster through AWS, as they would in an account
            witness = Witness.of(found)
            try:
                await _read_only(report, base, witness, log)
                person = Person()
                writing = {**base, "AIOPS_WRITE": "true"}
                async with connected("aiops-eks", writing, person, log) as (_, ask):
                    stage = Stage(report, ask, witness, person, [] if heard is None else heard)
                    await raise_limits(stage)
                    await missing_config(stage, seed)
                told = [] if heard is None else heard
                await watch(report, base, witness, log, seed, told)
                await pay(report, base, witness, log, seed, told)
                await sleep(report, base, witness, log, seed, told)
                await _trail(report, base)
            finally:
                await witness.close()
        if (verbose or report.failed) and log.exists():
            report.title("The server's log")
            report.says(log.read_text(encoding="utf-8")[-6000:])
    return report.end(time.perf_counter() - started)
