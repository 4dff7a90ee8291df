"""Where things are in a lab's world: the names, moments and amounts that questions and facts speak of.

Taken from the world itself, never from an answer of a server.
"""

from datetime import date, datetime, timedelta

from aiops_lab.billing import Ledger
from aiops_lab.kube.wire import Obj
from aiops_lab.run import Lab
from aiops_lab.scenarios.bills import spike
from aiops_lab.scenarios.names import cast

_LONGER = {"hour_ago": 3_600, "three_hours_ago": 10_800, "day_ago": 86_400}
_SERVICES = {"ec2": "Amazon Elastic Compute Cloud - Compute", "cloudwatch": "AmazonCloudWatch"}


def places_of(lab: Lab) -> dict[str, str]:
    """Name to value: moments, what was paid, one pod that `waits` for an address, and a pod of each app.

    `pod:api-server`: one that is not ready, if there is one.
    """
    now = lab.clock.now()
    found = {"cluster": lab.account.cluster, "account": lab.account_id, "now": _wire(now)}
    for name, seconds in _LONGER.items():
        found[name] = _wire(now - timedelta(seconds=seconds))
    for pod in lab.store.list("Pod"):
        about = pod["metadata"]
        if app := about.get("labels", {}).get("app"):
            if f"pod:{app}" not in found or not _ready(pod):
                found[f"pod:{app}"] = about["name"]
            used = lab.world.pod(about["namespace"], about["name"]) or {}
            memory = sum(memory_bytes for _, memory_bytes in used.values())
            found[f"memory:{app}"] = str(max(memory, int(found.get(f"memory:{app}", "0"))))
    for event in lab.store.list("Event"):
        if event.get("reason") == "FailedCreatePodSandBox":
            about = event["involvedObject"]
            found |= {"waits": about["name"], "waits_in": about["namespace"]}
    return {**found, **_paid(lab.account.area(Ledger), now)}


def _ready(pod: Obj) -> bool:
    conditions = pod.get("status", {}).get("conditions", ())
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def _wire(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def _paid(ledger: Ledger, now: datetime) -> dict[str, str]:
    """Last month by service, the last two weeks' days, and what F8 planted in them."""
    today = now.date()
    first = today.replace(day=1)
    before = (first - timedelta(days=1)).replace(day=1)
    found = {"month": str(before), "month_end": str(first), "today": str(today)}
    found |= {f"days:{back}": str(today - timedelta(days=back)) for back in (7, 14)}
    for name, service in _SERVICES.items():
        days = [before + timedelta(days=at) for at in range((first - before).days)]
        found[f"usd:{name}"] = str(_spent(ledger, service, days, now))
    moved = spike(cast(0))
    dearer = dict(zip(("before", "after"), moved.amounts, strict=True))
    hours = {"before": moved.before, "after": moved.after}
    return (
        found
        | {f"spike:{name}": str(value) for name, value in dearer.items()}
        | {f"hours:{name}": str(value) for name, value in hours.items()}
    )


def _spent(ledger: Ledger, service: str, days: list[date], now: datetime) -> float:
    lines = [line for line in ledger.lines if line.service == service]
    return float(sum(ledger.billed(line, day, now) for line in lines for day in days))
