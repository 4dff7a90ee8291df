"""The usual suspects of failing requests, checked one by one, so that an answer says who is innocent.

Called by `answering`. Each says `name: why` when the facts clear it; nothing when they do not say.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Final

from aiops_sop.analysis.causes.facts import Facts
from aiops_sop.analysis.causes.reading import inner, rows, text, texts

DNS_CALM_S: Final = 0.1
CPU_CALM: Final = 0.8
DB_CALM: Final = 0.7
MOMENTS: Final = timedelta(minutes=2)


def database(facts: Facts) -> str:
    """Stores whose own figures are calm, or whose calls are as fast as ever."""
    for store in sorted(facts.stores):
        calm = [line for line in facts.lines(f"db_cpu/{store}") if (line.last or 0.0) < DB_CALM]
        opened = facts.lines(f"db_connections/{store}")
        if calm and calm[0].last is not None:
            more = f", {opened[0].last:.0f} connections" if opened and opened[0].last is not None else ""
            return f"database: {store} CPU {100 * calm[0].last:.0f} %{more}"
    for said in texts(facts.traces("az").get("normal")):
        if any(f"-> {store}:" in said for store in facts.stores) and "no failure began there" in said:
            return "database: no failure began at a call of it"
    return ""


def coredns(facts: Facts) -> str:
    """Names are answered fast."""
    for line in facts.lines("dns_latency_p99"):
        if line.high is not None and line.high < DNS_CALM_S:
            return f"coredns: p99 {1000 * line.high:.1f} ms"
    return ""


def deployment(facts: Facts) -> str:
    """No rollout on the way of the requests between the look back and the onset."""
    if not facts.knows("changes"):
        return ""
    near = facts.path | {facts.question.service}
    rollouts = [one for one in facts.changes if one.verb == "rollout"]
    onset = facts.onset
    ours = [one for one in rollouts if one.name in near and (onset is None or one.at <= onset + MOMENTS)]
    if ours:
        return ""
    late = [one for one in rollouts if one.name in near]
    if late and onset is not None:
        return f"deployment: {late[0].name} was rolled out after the trouble began"
    others = sorted({one.name for one in rollouts})
    return "deployment: " + (
        f"only {', '.join(others[:2])} rolled out, not on the way of these requests"
        if others
        else "no rollout in the hours before"
    )


def node_cpu(facts: Facts) -> str:
    """The nodes have cores to spare."""
    for line in facts.lines("cluster_cpu"):
        if line.high is not None and line.high < CPU_CALM:
            return f"node_cpu: at most {100 * line.high:.0f} % of all nodes"
    return ""


def traffic(facts: Facts) -> str:
    """As many requests as ever."""
    for row in rows(inner(facts.said("anomalies"), "tested")):
        if row.get("signal") == "requests_total":
            verdict = text(row.get("verdict"))
            return "traffic: requests are as usual" if verdict.startswith("normal") else ""
    return ""


SUSPECTS: Final[tuple[Callable[[Facts], str], ...]] = (database, coredns, deployment, node_cpu, traffic)


def cleared(facts: Facts, guilty: str) -> Iterator[str]:
    """Those that the facts clear, but for what the root cause is about."""
    for suspect in SUSPECTS:
        found = suspect(facts)
        if found and suspect.__name__ not in guilty:
            yield found
