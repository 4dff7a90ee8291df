"""`deploy/grafana`: the dashboards as files, written by `python -m eks_aiops.docs`.

The same that the observability server gives at `dashboard://{name}`.
"""

import json

from aiops_observability.telemetry.dashboards import DASHBOARDS


def files() -> dict[str, str]:
    """Path from the root -> text of every dashboard."""
    return {
        f"deploy/grafana/{name}.json": json.dumps(make(), indent=2, ensure_ascii=False) + "\n"
        for name, make in DASHBOARDS.items()
    }
