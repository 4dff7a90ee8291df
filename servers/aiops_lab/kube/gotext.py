"""Values as Go prints them, which a real server quotes in some of its messages."""

from typing import Any

import orjson

from aiops_lab.kube.errors import GoText


def quoted(text: object) -> str:
    """A string as `%q` prints it."""
    return orjson.dumps(str(text)).decode()


def go_map(value: Any) -> str:
    """A decoded JSON value as `%v` prints it: `map[image:x]`."""
    if isinstance(value, dict):
        return f"map[{' '.join(f'{key}:{go_map(value[key])}' for key in sorted(value))}]"
    if isinstance(value, list):
        return f"[{' '.join(map(go_map, value))}]"
    if value is None:
        return "<nil>"
    return str(value).lower() if isinstance(value, bool) else str(value)


def go_labels(labels: dict[str, str] | None) -> GoText:
    """Labels as `%#v` prints them."""
    if not labels:
        return GoText("map[string]string(nil)")
    return GoText(
        f"map[string]string{{{', '.join(f'{quoted(key)}:{quoted(labels[key])}' for key in sorted(labels))}}}"
    )


def go_strings(values: list[str]) -> GoText:
    """A list of strings as `%#v` prints it."""
    return GoText(f"[]string{{{', '.join(map(quoted, values))}}}")


def go_selector(selector: dict[str, Any] | None) -> GoText:
    """A LabelSelector as `%#v` prints it."""
    held = selector or {}
    kind = "v1.LabelSelectorRequirement"
    parts = [
        f"{kind}{{Key:{quoted(one.get('key', ''))}, Operator:{quoted(one.get('operator', ''))}, "
        f"Values:{go_strings(one['values']) if one.get('values') else '[]string(nil)'}}}"
        for one in held.get("matchExpressions") or []
    ]
    listed = f"[]{kind}{{{', '.join(parts)}}}" if parts else f"[]{kind}(nil)"
    return GoText(
        f"v1.LabelSelector{{MatchLabels:{go_labels(held.get('matchLabels'))}, MatchExpressions:{listed}}}"
    )
