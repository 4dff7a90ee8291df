"""Lines of a container's log, with the time that the runtime gave each.

The API is asked for timestamps, so every line starts with one; a line that does not (cut at the byte
limit, or a runtime's own words) keeps its text and has no time. Bytes that are no UTF-8 are replaced:
a log is data of any kind.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from aiops_shared.errors import InvalidInputError, NotFoundError
from aiops_shared.kube import names
from aiops_shared.kube.models import LogLine

MAX_TAIL = 100_000
DEFAULT_CONTAINER = "kubectl.kubernetes.io/default-container"


def lines(body: bytes, pod: str, container: str) -> Iterator[LogLine]:
    """The lines of one answer, as they came."""
    for line in body.decode("utf-8", errors="replace").split("\n"):
        if line:
            at, text = _split(line.removesuffix("\r"))
            yield LogLine(at=at, pod=pod, container=container, text=text)


def _split(line: str) -> tuple[datetime | None, str]:
    stamp, _, text = line.partition(" ")
    try:
        at = datetime.fromisoformat(stamp) if stamp[:1].isdigit() else None
    except ValueError:
        at = None
    return (at, text) if at is not None and at.tzinfo is not None else (None, line)


def params(
    *, container: str, previous: bool, tail: int, since: datetime | None, limit_bytes: int
) -> dict[str, str]:
    """The query of a log request. Raises InvalidInputError for numbers below 1 and times without a zone."""
    if tail < 1 or limit_bytes < 1:
        raise InvalidInputError("tail and limit_bytes", "must be 1 or more")
    given = {
        "container": names.container(container),
        "timestamps": "true",
        "tailLines": str(min(tail, MAX_TAIL)),
        "limitBytes": str(limit_bytes),
    }
    if previous:
        given["previous"] = "true"
    if since is not None:
        if since.tzinfo is None:
            raise InvalidInputError("since", "a time without a zone", "give UTC")
        given["sinceTime"] = since.isoformat().replace("+00:00", "Z")
    return given


def container_of(pod: dict[str, Any], wanted: str) -> str:
    """The container to read: the one named, the default one, or the only one.

    Raises InvalidInputError when one must be named, NotFoundError when there is none of that name.
    """
    about, spec = pod.get("metadata") or {}, pod.get("spec") or {}
    main = [str(one.get("name")) for one in spec.get("containers") or []]
    others = [
        str(one.get("name"))
        for key in ("initContainers", "ephemeralContainers")
        for one in spec.get(key) or []
    ]
    thing = f"logs of pod {about.get('namespace')}/{about.get('name')}"
    every = ", ".join(main + others)
    if wanted:
        if wanted not in main + others:
            raise NotFoundError(thing, f"it has no container {wanted}", f"it has {every}")
        return wanted
    default = str((about.get("annotations") or {}).get(DEFAULT_CONTAINER) or "")
    if default in main:
        return default
    if len(main) != 1:
        raise InvalidInputError(thing, "it has several containers", f"name one of {every}")
    return main[0]
