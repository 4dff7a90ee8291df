"""Everything is asked that can be asked while twelve secrets stand everywhere; nothing shows one (T6).

Every tool with every good call, every resource, every prompt, the commands of operators, the approvals page,
what people are told. What the processes leave behind is looked through as well. Called by `fuzz.__main__`.
"""

import json
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final, cast

import httpx

from aiops_lab.observatory.heard import Hearing
from aiops_lab.observatory.slack import HOOK
from aiops_lab.run import Lab
from aiops_lab.scenarios.drill import leaky_name
from aiops_lab.scenarios.names import cast as people
from fuzz.canaries.finding import kept, leaks_in
from fuzz.tools.attacks import Pool
from fuzz.tools.ground import SERVERS, Ground, Lane
from fuzz.tools.judging import Judge
from fuzz.tools.skeletons import CLUSTER, HOME, Obj, every
from fuzz.tools.talking import Heard, HttpTalk, Talk
from tests.cost.planting import Bills, manifests
from tests.cost.stage import Stage
from tests.observability.every_call import calls
from tests.observability.planting import LEAKS, SERVICE, WORKLOAD
from tests.observability.test_attack_planted import collector

COMMANDS: Final = (
    ("doctor",),
    ("audit", "show"),
    ("audit", "verify"),
    ("approve",),
    ("autonomy", "show"),
    ("sops", "list"),
    ("freeze", "status"),
    ("policy", "show"),
    ("state", "check"),
    ("tools",),
)


@dataclass
class Walked:
    """What was asked, by kind, and what leaked."""

    asked: Counter[str] = field(default_factory=Counter)
    answered: int = 0
    tools: set[str] = field(default_factory=set)
    leaks: list[str] = field(default_factory=list)

    def take(self, kind: str, what: str, text: str) -> None:
        """One output."""
        self.asked[kind] += 1
        self.leaks += [f"{kind} {what[:200]}: {where}" for where in leaks_in(text)]


def plant(lab: Lab) -> None:
    """The bill, its advisers and the objects hold the secrets too; telemetry has them from the ground."""

    class Billed:
        """As much of a stage as the planting needs."""

        def __init__(self) -> None:
            from aiops_lab.billing import Ledger

            self.lab, self.ledger = lab, lab.account.area(Ledger)

    bills = Bills(cast("Stage", Billed()))
    bills.bill(LEAKS)
    bills.advisers(LEAKS)
    bills.objects(LEAKS)


async def walk(place: Ground) -> Walked:
    """All servers over stdio, the gateway over HTTP, then what stands outside of MCP."""
    done = Walked()
    plant(place.lab)
    for lane in (*(Lane(server, http=False, write=True) for server in SERVERS), Lane("gateway", True, True)):
        hook = place.home(lane) / "hook"
        hook.write_text(f"{place.lab.observatory.url}/slack{HOOK}\n", encoding="utf-8")
        async with place.opened(lane, AIOPS_NOTIFY_SLACK_URL_FILE=str(hook)) as talk:
            await _lane(place, lane, talk, done)
            if isinstance(talk, HttpTalk):
                await _approvals(talk, done)
        if not lane.http:
            await _commands(place, lane, done)
        sys.stderr.write(
            f"fuzz: canaries {lane.name}: {sum(done.asked.values())} outputs, {len(done.leaks)} leaks\n"
        )
        for file in sorted(place.home(lane).rglob("*")):
            if file.is_file():
                done.asked["files left behind"] += 1
                done.leaks += [f"{lane.name}: {one}" for one in kept(file)]
    done.take(
        "spans", "of all processes", b"".join(body for _, body in place.spans).decode("utf-8", "replace")
    )
    heard = place.lab.account.area(Hearing)
    done.take("notifications", "Slack", json.dumps(heard.slack, ensure_ascii=False))
    return done


async def _lane(place: Ground, lane: Lane, talk: Talk, done: Walked) -> None:
    pool, rng, judge = Pool(), Random(0), Judge(home=str(place.folder))
    listed = await talk.request("tools/list")
    done.take("listings", lane.name, listed.raw)
    names = [tool["name"] for tool in listed.result["tools"]]
    for tool, arguments in wanted(place.lab, names, light=lane.server == "gateway"):
        heard = await talk.call(tool, json.dumps(pool.fill(arguments, rng)))
        pool.take(heard.result.get("structuredContent"))
        done.take("tool answers", f"{tool} {json.dumps(arguments)}", heard.raw)
        done.tools.add(tool.partition("_")[2] if lane.server == "gateway" else tool)
        done.answered += not heard.code
        done.leaks += [f"{tool}: {fault}" for fault in judge.faults(heard) if "leaks" not in fault]
    async for what, heard in _further(talk, pool):
        done.take("resources and prompts", what, heard.raw)


def wanted(lab: Lab, names: list[str], *, light: bool) -> Iterator[tuple[str, Obj]]:
    """Every good call of the tools of these names; `light`: one of each, as another server gave them all."""
    known = every(lab)
    for tool, arguments in _reaching(lab):
        known.setdefault(tool, []).insert(0, arguments)
    for name in names:
        own = name.partition("_")[2] if name not in known else name
        found = known.get(own, [{}])
        yield from ((name, one) for one in (found[:2] if light else found))


def _reaching(lab: Lab) -> Iterator[tuple[str, Obj]]:
    """Calls that read each planted place."""
    leaky = leaky_name(people(lab.seed))
    for kind, name in _objects(lab, leaky):
        for view in ("summary", "yaml"):
            yield "get_resource", {"kind": kind, "namespace": HOME, "name": name, "view": view}
        yield "scan_manifest", {"kind": kind, "namespace": HOME, "name": name, "fix": True}
    for kind in ("Secret", "ConfigMap", "Deployment", "Pod", "Event", "Node", "NodePool", "ServiceAccount"):
        yield "list_resources", {"kind": kind, "limit": 500}
    one = {"namespace": HOME, "workload": f"deployment/{leaky}", "detail": "full"}
    yield "get_pod_logs", one
    for word in ("authorization", "tls", "postgres", "key"):
        yield "get_pod_logs", {**one, "grep": word}
    yield "diagnose", {"namespace": HOME, "kind": "Deployment", "name": leaky}
    yield "list_events", {"namespace": HOME, "kind": "Deployment", "name": leaky, "limit": 100}
    yield "list_changes", {"namespace": HOME, "since": "-10d", "limit": 500}
    for text in manifests(LEAKS):
        yield "plan_manifest", {"action": "apply", "manifest": text, "reason": "a drill"}
        yield "scan_manifest", {"manifest": text, "fix": True}
        yield "estimate_cost", {"manifest": text, "detail": "full"}
    pods = f"{HOME}/deployment/{leaky}"
    yield from calls(WORKLOAD, SERVICE, pods=pods, collector=collector())
    for group in ("service", "usage_type", "account", "cluster", "record_type", "tag:team", "workload"):
        yield "get_costs", {"group_by": group, "limit": 100}
    yield "explain_cost_change", {"cluster": CLUSTER, "detail": "full", "changes": [f"-6h {LEAKS[0]}"]}
    for text in LEAKS:
        flat = " ".join(text.split())[:400]
        event = {
            "reason": "Odd",
            "message": text,
            "labels": {"a": text},
            "cluster": CLUSTER,
            "namespace": HOME,
        }
        yield "submit_event", {"event": event}
        yield "find_sops", {"query": flat, "event": event}
        yield "search_incidents", {"text": flat}
        yield "record_outcome", {"run_id": "@incident_id", "note": flat}
    yield "investigate", {"namespace": HOME, "service": SERVICE, "symptom": LEAKS[0], "detail": "full"}
    yield "verify_deployment", {"workload": f"deployment/{leaky}", "namespace": HOME}


def _objects(lab: Lab, leaky: str) -> Iterator[tuple[str, str]]:
    for kind in ("Secret", "ConfigMap", "Deployment", "Pod"):
        for one in lab.store.list(kind, HOME):
            if leaky in one["metadata"]["name"]:
                yield kind, one["metadata"]["name"]


async def _further(talk: Talk, pool: Pool) -> AsyncIterator[tuple[str, Heard]]:
    """Every resource, template and prompt."""
    found = await talk.request("resources/list")
    uris = [one["uri"] for one in found.result.get("resources", ())]
    templates = await talk.request("resources/templates/list")
    ids = {"plan_id": "plan_id", "run_id": "run_id", "incident_id": "incident_id", "action_id": "action_id"}
    for one in templates.result.get("resourceTemplates", ()):
        head, _, word = one["uriTemplate"].partition("{")
        values = pool.found.get(ids.get(word.rstrip("}"), ""), ["diagnose", "execute_plan"])
        uris += [f"{head}{value}" for value in values]
    for uri in uris:
        yield uri, await talk.request("resources/read", uri=uri)
    prompts = await talk.request("prompts/list")
    for one in prompts.result.get("prompts", ()):
        given = {word["name"]: f"x {LEAKS[0]}" for word in one.get("arguments") or ()}
        yield one["name"], await talk.request("prompts/get", name=one["name"], arguments=given)


async def _approvals(talk: HttpTalk, done: Walked) -> None:
    """The list and each waiting approval, as JSON and as a page."""
    base = talk.client.url.removesuffix("/mcp")
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        for accept in ("application/json", "text/html"):
            headers = {"authorization": f"Bearer {talk.token()}", "accept": accept}
            every_one = await client.get(f"{base}/approvals", headers=headers)
            done.take("approvals page", accept, every_one.text)
            for one in _ids(every_one.text)[:40]:
                shown = await client.get(f"{base}/approvals/{one}", headers=headers)
                done.take("approvals page", one, shown.text)


def _ids(text: str) -> list[str]:
    import re

    return sorted(set(re.findall(r"apr_[A-Za-z0-9_-]{20}", text)))


async def _commands(place: Ground, lane: Lane, done: Walked) -> None:
    """What an operator's terminal shows beside this server's store."""
    import anyio

    from tests.e2e.processes import environment

    shell = environment(place.lab, place.home(lane))
    for words in COMMANDS if lane.server in {"eks", "sop"} else COMMANDS[1:2]:
        with anyio.move_on_after(120):
            ran = await anyio.run_process(
                [sys.executable, "-m", "eks_aiops", *words], env=shell, check=False, cwd=Path(shell["HOME"])
            )
            done.take("commands", " ".join(words), (ran.stdout + ran.stderr).decode("utf-8", "replace"))
