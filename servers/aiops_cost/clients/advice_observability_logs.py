"""Log lines that nobody needs, kept for ever or in the dear class: levels, probes, retention, classes.

Only groups whose ingestion costs enough are read, in a few short samples; shares are of the sampled bytes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from aiops_cost.analysis.patches_workload import templated, written
from aiops_cost.analysis.telemetry_spend import Loud, loud
from aiops_cost.clients.log_spend import Group, Talk, groups, talk
from aiops_cost.clients.month_bill import Spend, spend
from aiops_cost.clients.savings_scene import Scene
from aiops_cost.clients.workload_objects import WorkloadObjects
from aiops_cost.clients.workload_shapes import Obj, pod_spec, variables_of
from aiops_cost.models.money import nano, shown, worded
from aiops_cost.models.savings import Advice, Recommendation, Risk, Scope
from aiops_shared.errors import AiopsError
from aiops_shared.kube.shapes import rows, text
from aiops_shared.results.wording import counted, quotable

DEBUG, PROBES, CLASS, RETENTION = "LOGS_DEBUG", "LOGS_PROBES", "LOGS_CLASS", "LOGS_KEPT"
INGESTED: Final = "DataProcessing-Bytes"
STORED: Final = "TimedStorage-ByteHrs"
CLOUDWATCH: Final = "CloudWatch"
WORTH_READING: Final = nano(20)  # a month, before a group is sampled
WORTH_CLASS: Final = nano(50)
LEAST: Final = nano(5)
MOST_READ: Final = 3
KEPT_DAYS: Final = 30
GB: Final = 1e9
NEAR: Final = 0.15  # bytes of the bill and of CloudWatch differ by so much at most, or the price counts
LEVELS: Final = ("LOG_LEVEL", "LOGLEVEL", "LOGGING_LEVEL", "LOGGING_LEVEL_ROOT", "RUST_LOG", "LOG_SEVERITY")


@dataclass(frozen=True, slots=True)
class Cost:
    """What a group's ingestion costs a month, and how that is known."""

    group: Group
    nano_usd: int
    line: str
    ia_nano: int = 0  # the price of a GB in the class Infrequent Access, 0: not known
    gb: float = 0.0


class LogsSpendAdviser:
    """Fulfils `savings_scene.Adviser`."""

    scope: Scope = "observability"

    async def advise(self, scene: Scene) -> Advice:
        """What to write less of. Raises what CloudWatch Logs and the Price List raise."""
        eks = await scene.eks()
        found = await groups(eks, scene.now)
        costs, warnings = await _costs(scene, found)
        made: list[Recommendation] = []
        for cost in [one for one in costs if one.nano_usd >= WORTH_READING and one.group.own][:MOST_READ]:
            try:
                said = await talk(eks, cost.group, scene.now)
            except AiopsError as error:
                warnings.append(f"coverage_gap: observability: {error.wire()}"[:300])
                continue
            warnings += [f"coverage_gap: observability: {gap}"[:300] for gap in said.gaps[:2]]
            made += await _of_group(scene, cost, said)
        made += await _kept(scene, found, warnings)
        total = sum(one.nano_usd for one in costs)
        says = f"logs: {counted(len(found), 'log group')}, ingestion {worded(total)} a month"
        return Advice(recommendations=tuple(made), says=says, warnings=tuple(warnings))


async def _costs(scene: Scene, found: Sequence[Group]) -> tuple[list[Cost], list[str]]:
    """What each group's ingestion costs: its part of the bill, else its bytes at the list price."""
    warnings: list[str] = []
    bill, prices = Spend(), dict[str, int]()
    try:
        bill = await spend(scene, INGESTED, CLOUDWATCH)
    except AiopsError as error:
        warnings.append(f"coverage_gap: observability: no bill: {error.wire()}"[:300])
    region = await scene.region()
    for kind in ("logs_ingest", "logs_ingest_ia"):
        try:
            prices[kind] = (await scene.prices.other(kind, region)).nano_usd
        except AiopsError as error:
            warnings.append(f"coverage_gap: observability: {error.wire()}"[:300])
    whole = sum(one.came_in_bytes for one in found)
    billed = bill.quantity > 0 and abs(whole / GB - bill.quantity) <= NEAR * bill.quantity
    made = []
    for one in found:
        gb = one.came_in_bytes / GB
        if billed:
            gb, amount = bill.quantity * one.came_in_bytes / whole, bill.nano_usd * one.came_in_bytes / whole
            line = f"{bill.said}: {bill.quantity:,.0f} GB of logs for {worded(bill.nano_usd)}"
        else:
            amount = gb * prices.get("logs_ingest", 0)
            line = f"{gb:,.0f} GB came in within 30 days x {worded(prices.get('logs_ingest', 0))} a GB"
        made.append(Cost(one, round(amount), line, prices.get("logs_ingest_ia", 0), gb))
    return made, warnings


async def _of_group(scene: Scene, cost: Cost, said: Talk) -> list[Recommendation]:
    """Levels and probes of one group, and its class for what remains."""
    made = [await _debug(scene, cost, said, one) for one in loud(said.sizes)]
    made += _probes(cost, said)
    made = [one for one in made if one.nano_usd >= LEAST]
    left = cost.nano_usd - sum(one.nano_usd for one in made)
    group = cost.group
    dear = cost.nano_usd / cost.gb if cost.gb else 0.0
    if left >= WORTH_CLASS and group.kind == "STANDARD" and not group.metric_filters and cost.ia_nano:
        made.append(_class(cost, left, 1 - cost.ia_nano / dear, [one.key for one in made]))
    return made


def _read(said: Talk) -> str:
    return f"samples of {said.minutes:.0f} min of the last week, {said.scanned_bytes / GB:.2f} GB read"


async def _debug(scene: Scene, cost: Cost, said: Talk, one: Loud) -> Recommendation:
    saved = round(cost.nano_usd * one.share)
    gb = cost.gb * one.share
    each = cost.nano_usd / cost.gb if cost.gb else 0.0
    name = quotable(one.service) or "the group's writers"
    patch, checked, how = await _level(scene, one.service)
    return Recommendation(
        key=f"observability/logs/{cost.group.name}/{one.service}/{one.level}",
        code=DEBUG,
        scope="observability",
        target=f"log level of {name}",
        current=f"{one.level.upper()} lines are {one.share:.1%} of {cost.group.name}: {gb:,.0f} GB a month",
        proposed="log level info",
        nano_usd=saved,
        monthly_usd=shown(saved),
        percent=round(100 * one.share, 1),
        arithmetic=(
            cost.line,
            f"{one.share:.2%} of the group's bytes -> {gb:,.1f} GB x {worded(round(each))} = {worded(saved)}",
        ),
        assumptions=(f"shares of {_read(said)}", *how),
        risk=Risk(level="low", why="less to read when something goes wrong; raise the level again then"),
        patch=patch,
        validated=checked,
        sources=("CloudWatch IncomingBytes", "Logs Insights samples"),
    )


async def _level(scene: Scene, service: str) -> tuple[str, str, tuple[str, ...]]:
    """The patch of the workload that has the service's name: its variable, as it is called there."""
    try:
        fleet = await scene.fleet()
    except AiopsError:
        return "", "no patch: pods could not be read", ()
    owners = {pod.owner for pod in fleet.pods if pod.owner_name == service}
    if len(owners) != 1:
        why = "no workload has the service's name" if not owners else "several workloads have its name"
        return "", f"no patch: {why}", ()
    namespace, kind, name = owners.pop()
    try:
        workload = await WorkloadObjects(scene).workload(kind, namespace, name)
    except AiopsError as error:
        return "", f"no patch: {error.wire()}"[:200], ()
    container, variable, held = _variable(workload)
    env = [{"name": variable, "value": "info"}]
    patch = templated(kind, namespace, name, containers=[{"name": container, "env": env}])
    how = (
        f"{variable} is {quotable(held) or 'empty'} now"
        if held
        else f"the program reads {variable}: the workload sets no variable for its level today"
    )
    return (
        written(patch),
        "container and variable as they stand; plan it with plan_manifest(action=apply)",
        (how,),
    )


def _variable(workload: Obj) -> tuple[str, str, str]:
    """The container, the variable of the log level and its value; the first container where none has one."""
    containers = rows(pod_spec(workload), "containers")
    for one in containers:
        values = variables_of(one)
        for name in LEVELS:
            if name in values:
                return text(one.get("name")), name, values[name]
    return (text(containers[0].get("name")) if containers else "app"), LEVELS[0], ""


def _probes(cost: Cost, said: Talk) -> list[Recommendation]:
    whole, probes = said.probed, sum(said.probes.values())
    if not whole or probes < 0.02 * whole:
        return []
    share = probes / whole
    saved = round(cost.nano_usd * share)
    most = quotable(said.probes.most_common(1)[0][0])
    return [
        Recommendation(
            key=f"observability/logs/{cost.group.name}/probes",
            code=PROBES,
            scope="observability",
            target=f"lines of health checks in {cost.group.name}",
            current=f"{share:.1%} of the group's bytes" + (f", most of {most}" if most else ""),
            proposed="leave them out where they are collected",
            nano_usd=saved,
            monthly_usd=shown(saved),
            percent=round(100 * share, 1),
            arithmetic=(cost.line, f"{share:.2%} of {worded(cost.nano_usd)} = {worded(saved)}"),
            assumptions=(f"shares of {_read(said)}", "lines below level info may be counted there too"),
            risk=Risk(level="low", why="failed probes still stand in events and metrics"),
            patch=(
                "# Fluent Bit, before the output\n[FILTER]\n    Name    grep\n    Match   application.*\n"
                "    Exclude log /(healthz|readyz|livez|health|ready|ping|metrics)\n"
            ),
            validated="fields of Fluent Bit's grep filter; not run",
        )
    ]


def _class(cost: Cost, left: int, share: float, after: Sequence[str]) -> Recommendation:
    saved = round(left * share)
    return Recommendation(
        key=f"observability/logs/{cost.group.name}/class",
        code=CLASS,
        scope="observability",
        target=f"class of {cost.group.name}",
        current="class Standard",
        proposed="a new group of class Infrequent Access for what is only searched when something broke",
        nano_usd=saved,
        monthly_usd=shown(saved),
        percent=round(100 * share, 1),
        arithmetic=(cost.line, f"{share:.0%} of the {worded(left)} that remain = {worded(saved)}"),
        assumptions=(
            "no metric filter, subscription, alarm or live tail reads it: that class has none of them",
            "a group keeps its class: writers are pointed at a new one",
        ),
        risk=Risk(level="medium", why="queries over it cost the same, but alarms cannot be made of it"),
        after=tuple(after),
    )


async def _kept(scene: Scene, found: Sequence[Group], warnings: list[str]) -> list[Recommendation]:
    """Groups that keep everything: the part of their storage that is older than thirty days."""
    own = [one for one in found if one.own and one.retention_days is None and one.age_days > KEPT_DAYS]
    stored = sum(one.stored_bytes for one in found)
    old = sum(one.stored_bytes * (1 - KEPT_DAYS / one.age_days) for one in own)
    if not old or not stored:
        return []
    try:
        bill = await spend(scene, STORED, CLOUDWATCH)
    except AiopsError as error:
        warnings.append(f"coverage_gap: observability: no bill of stored logs: {error.wire()}"[:300])
        return []
    saved = round(bill.nano_usd * old / stored)
    if saved < LEAST:
        return []
    commands = [
        f"aws logs put-retention-policy --log-group-name {one.name} --retention-in-days {KEPT_DAYS}"
        for one in sorted(own, key=lambda one: -one.stored_bytes)[:5]
    ]
    return [
        Recommendation(
            key="observability/logs/retention",
            code=RETENTION,
            scope="observability",
            target=f"{counted(len(own), 'log group')} that never expire",
            current="kept for ever",
            proposed=f"kept for {KEPT_DAYS} days",
            nano_usd=saved,
            monthly_usd=shown(saved),
            arithmetic=(
                f"{bill.said}: stored logs {worded(bill.nano_usd)}",
                f"older than {KEPT_DAYS} days: {old / stored:.1%} of stored bytes = {worded(saved)}",
            ),
            assumptions=("groups grew evenly since they were made", "no law asks for longer: check first"),
            risk=Risk(level="medium", why="what is deleted does not come back; export to S3 before"),
            patch="\n".join(commands) + "\n",
        )
    ]
