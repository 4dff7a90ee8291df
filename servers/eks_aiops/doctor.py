"""`eks-aiops doctor`: what works, what is missing, and the exact fix. It changes nothing."""

import shutil
import sys
from collections.abc import Awaitable, Callable
from importlib.util import find_spec

from aiops_shared.auth.callers import caller_from
from aiops_shared.aws.clients import AwsClients
from aiops_shared.errors import AiopsError
from aiops_shared.http.world_clock import make_clock
from aiops_shared.kube.cluster_sources import account_target
from aiops_shared.kube.clusters import ClusterDirectory
from aiops_shared.settings import Settings
from eks_aiops.doctor_remote import chosen_tools, remote
from eks_aiops.finding import Finding
from eks_aiops.guarding import guardrails

CLIENTS = ("claude", "kiro-cli", "q", "code", "uvx", "kubectl", "aws")


Check = Callable[[Settings], Awaitable[list[Finding]]]


async def switches(settings: Settings) -> list[Finding]:
    """What this configuration allows."""
    write = "on" if settings.write else "off: plans only"
    reads = "on" if settings.sensitive_reads else "off: no pod logs, no events"
    return [
        Finding("note", "writes", write, "" if settings.write else "AIOPS_WRITE=true"),
        Finding(
            "note", "sensitive reads", reads, "" if settings.sensitive_reads else "AIOPS_SENSITIVE_READS=true"
        ),
        Finding("note", "policy mode", settings.policy.mode),
    ]


async def policy(settings: Settings) -> list[Finding]:
    """Whether the policy bundle loads."""
    async with guardrails(settings) as guard:
        where = str(settings.policy.dir or "shipped")
        return [Finding("ok", "policy", f"{where}, digest {guard.policy_digest[:12]}")]


async def state(settings: Settings) -> list[Finding]:
    """Whether the store opens and the audit's chain holds."""
    async with guardrails(settings) as guard:
        report = await guard.audit.verify()
        held = await guard.freeze_status()
    found = [Finding("ok", "state", settings.state.database_url.split("@")[-1])]
    if report.holds:
        found.append(Finding("ok", "audit", f"{report.records} records, the chain holds"))
    else:
        says = f"record {report.first_bad}: {report.reason}"
        found.append(Finding("MISSING", "audit", says, "keep the file, find out who changed it"))
    found += [Finding("note", "freeze", str(one), "eks-aiops freeze off") for one in held]
    return found


async def clusters(settings: Settings) -> list[Finding]:
    """Credentials, and every cluster that may be named."""
    clock = make_clock(settings)
    directory = ClusterDirectory(settings, AwsClients(settings.aws), clock, caller_from(settings))
    try:
        known = await directory.known()
    finally:
        await directory.aclose()
        await clock.aclose()
    found = [
        Finding(
            "ok" if info.reachable and not info.problem else "MISSING",
            f"cluster {info.name}",
            info.problem or f"{info.version or 'version unknown'} {info.status} {info.region}".strip(),
        )
        for info in known
    ]
    return found or [Finding("MISSING", "clusters", "none found", "set AWS_REGION, or AIOPS_CLUSTERS_FILE")]


async def bill(settings: Settings) -> list[Finding]:
    """Where the bill is read. Cost Explorer is not asked: each of its requests is billed."""
    cost = settings.cost
    target = account_target(settings, cost.account, "us-east-1", caller_from(settings))
    whose = target.account or "the default credentials' account"
    says = f"Cost Explorer of {whose}; not asked here, since each request costs 0.01 USD"
    found = [Finding("note", "bill", says)]
    split = cost.cur or cost.opencost_url
    fix = "AIOPS_COST_CUR, or AIOPS_COST_OPENCOST_URL"
    says = split or "none: node cost is divided by requests and usage"
    found.append(Finding("note", "split costs", says, "" if split else fix))
    if cost.cur and not cost.cur.startswith("athena:") and find_spec("duckdb") is None:
        found.append(
            Finding("MISSING", "duckdb", "AIOPS_COST_CUR names files", "pip install 'eks-aiops[cur]'")
        )
    return found


async def procedures(settings: Settings) -> list[Finding]:
    """The SOPs that are loaded, who is told when one escalates, whether events can come in."""
    from aiops_sop.clients.library import SopLibrary

    library = SopLibrary(settings)
    loaded, broken = library.every(), library.broken()
    found = [Finding("ok", "SOPs", f"{len(loaded)} loaded")]
    found += [
        Finding("MISSING", f"SOP {name[:40]}", says, "eks-aiops sops lint") for name, says in broken.items()
    ]
    told, ears = settings.notify, settings.events
    channels = {
        "Slack": told.slack_url_file,
        "PagerDuty": told.pagerduty_key_file,
        "SNS": told.sns_topic,
        "e-mail": told.email_from and told.email_to,
    }
    says = ", ".join(name for name, is_set in channels.items() if is_set)
    fix = "" if says else "AIOPS_NOTIFY_SLACK_URL_FILE, or another of docs/configuration.md"
    found.append(Finding("note", "who is told", says or "nobody: an escalation stands in its run only", fix))
    if ears.listen and not ears.token_file:
        says, fix = f"{ears.listen} would take events of anybody", "AIOPS_EVENTS_TOKEN_FILE"
        return [*found, Finding("MISSING", "events", says, fix)]
    says = f"taken at {ears.listen} by eks-aiops worker" if ears.listen else "by submit_event only"
    return [*found, Finding("note", "events", says, "" if ears.listen else "AIOPS_EVENTS_LISTEN")]


async def clients(settings: Settings) -> list[Finding]:
    """Which programs are on the PATH."""
    del settings
    there = [name for name in CLIENTS if shutil.which(name)]
    return [Finding("note", "programs", ", ".join(there) or "none of " + ", ".join(CLIENTS))]


CHECKS: dict[str, Check] = {
    "switches": switches,
    "tools": chosen_tools,
    "policy": policy,
    "state": state,
    "clusters": clusters,
    "bill": bill,
    "procedures": procedures,
    "remote": remote,
    "clients": clients,
}


async def examine() -> int:
    """Run every check; 1 when something is missing."""
    settings = Settings()
    missing = 0
    for name, check in CHECKS.items():
        try:
            found = await check(settings)
        except AiopsError as error:
            found = [Finding("MISSING", name, f"[{error.code}] {error.thing}: {error.reason}", error.hint)]
        for one in found:
            missing += one.state == "MISSING"
            fix = f"  ->  {one.fix}" if one.fix else ""
            sys.stdout.write(f"{one.state:8} {one.what:18} {one.says}{fix}\n")
    sys.stdout.write("everything is there\n" if not missing else f"{missing} missing\n")
    return 1 if missing else 0
