"""A world played on, and how long the pods of a workload waited for a node in it.

Used by the replay of F6 and by the procedures that prepare for a surge.
"""

from typing import Any

import yaml

from aiops_lab.run import Lab

STEP_S = 5.0


def pods_of(lab: Lab, namespace: str, app: str) -> list[dict[str, Any]]:
    """Its pods."""
    return list(lab.store.list("Pod", namespace, labels=f"app={app}"))


def pending_seconds(lab: Lab, namespace: str, app: str, seconds: float) -> float:
    """Play on for so long; pod-seconds that its pods stood without a node."""
    waited = 0.0
    for _ in range(round(seconds / STEP_S)):
        lab.clock.advance(STEP_S)
        lost = [pod for pod in pods_of(lab, namespace, app) if not pod["spec"].get("nodeName")]
        waited += STEP_S * len(lost)
    return waited


def apply_files(lab: Lab, files: list[dict[str, Any]]) -> None:
    """Bring generated files to the world, as a person with kubectl would."""
    for file in files:
        for wanted in yaml.safe_load_all(file["content"]):
            about = wanted["metadata"]
            live = lab.store.get(wanted["kind"], about.get("namespace"), about["name"])
            if live is None:
                lab.store.create(wanted, manager="kubectl")
            else:
                lab.store.update(_merged(live, wanted), manager="kubectl")


def _merged(live: Any, wanted: Any) -> Any:
    if isinstance(live, dict) and isinstance(wanted, dict):
        return {**live, **{key: _merged(live.get(key), value) for key, value in wanted.items()}}
    return wanted
