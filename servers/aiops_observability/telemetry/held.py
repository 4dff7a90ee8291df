"""The collector's configuration out of the object that holds it, as `get_resource(view=yaml)` shows it.

Called by `clients/telemetry_config.py`, so that a SOP can hand on what runs without cutting YAML apart. Pure.
"""

from typing import Any

from aiops_shared.errors import InvalidInputError
from aiops_shared.kube.manifests import load_with_nodes


def held(text: str) -> str:
    """The configuration in a ConfigMap; any other text as it is.

    Raises InvalidInputError for a ConfigMap in which not exactly one value is a collector's.
    """
    if "kind: ConfigMap" not in text:
        return text
    pairs = load_with_nodes(text, most=1)[0]
    data = pairs[0][1].get("data") if pairs else None
    if not isinstance(data, dict):
        return text
    found = [value for value in data.values() if isinstance(value, str) and _is_collector(value)]
    if len(found) != 1:
        says = f"the ConfigMap holds {len(found)} values that are a collector's configuration"
        raise InvalidInputError("current", says, "give the value itself, as YAML")
    return found[0]


def _is_collector(text: str) -> bool:
    try:
        pairs = load_with_nodes(text, most=1)[0]
    except InvalidInputError:
        return False
    service: Any = pairs[0][1].get("service") if pairs else None
    return isinstance(service, dict) and isinstance(service.get("pipelines"), dict)
