"""What the lab can play: every scenario by its name (its SOP or symptom, variants by suffix).

The world loads them; `eks-aiops lab list` prints them; tests and graders read what each expects.
"""

from aiops_lab.scenarios import (
    addresses,
    alarm_stories,
    alert_storm,
    az_gray,
    bills,
    crashloop,
    db_pool,
    disk,
    disk_leftovers,
    drill,
    eks_side,
    gitops,
    log_insights,
    log_volume,
    manifests,
    maturity,
    memory,
    memory_spike,
    memory_trends,
    profiles,
    pulls,
    quiet,
    recovered,
    registry_expired,
    releases,
    sop_changes,
    symptoms,
    traffic_surge,
    usage_stories,
    zone_traffic,
)
from aiops_lab.scenarios.base import Expected, Scenario
from aiops_lab.scenarios.trials import SCENARIOS as TRIED

__all__ = ["SCENARIOS", "STORIES", "Expected", "Scenario", "names"]

STORIES: dict[str, Scenario] = {
    each.name: each
    for room in (
        quiet,
        crashloop,
        memory,
        memory_spike,
        memory_trends,
        pulls,
        recovered,
        manifests,
        maturity,
        drill,
        symptoms,
        addresses,
        az_gray,
        db_pool,
        disk,
        disk_leftovers,
        profiles,
        registry_expired,
        releases,
        sop_changes,
        eks_side,
        gitops,
        traffic_surge,
        usage_stories,
        zone_traffic,
        log_insights,
        log_volume,
        alarm_stories,
        alert_storm,
        bills,
    )
    for each in room.SCENARIOS
}
SCENARIOS: dict[str, Scenario] = STORIES | {each.name: each for each in TRIED}


def names() -> list[str]:
    """The stories that are told to people, sorted; `load` and `inject` take trials by name too."""
    return sorted(STORIES)
