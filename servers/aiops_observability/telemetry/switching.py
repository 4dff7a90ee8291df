"""Sends a collector's telemetry elsewhere by its exporters alone: receivers and processors stay byte for
byte.

Called by `clients/telemetry_config.py`. The text is edited where it stands, so comments, order and everything
that is not an exporter, a pipeline's list of exporters or an authenticating extension is the same afterwards
(row S19); this is checked on the result, not assumed. Pure.
"""

import difflib
from collections.abc import Iterator
from dataclasses import dataclass

from aiops_observability.telemetry.backends import (
    ADOT,
    BACKENDS,
    CONTRIB,
    CORE,
    LOCAL,
    REMOVED,
    UNKNOWN,
    Backend,
    BackendName,
    Exporter,
    Obj,
    Signal,
)
from aiops_shared.errors import AiopsError, InvalidInputError
from aiops_shared.kube.manifests import dump_manifests, load_with_nodes
from aiops_shared.kube.yaml_splicing import CannotSpliceError, spliced

SIGNALS: tuple[Signal, ...] = ("metrics", "traces", "logs")
AUTHENTICATORS = frozenset({"sigv4auth", "basicauth", "bearertokenauth", "headers_setter", "oauth2client"})
_NOT_A_SECRET = ("${", "$(")
_SECRET_WORDS = ("key", "token", "password", "secret")


@dataclass(frozen=True, slots=True)
class Remark:
    """Something in the configuration that is wrong or will be: code, where, what to do."""

    code: str
    where: str
    says: str


@dataclass(frozen=True, slots=True)
class Switched:
    """The new configuration and what it needs."""

    text: str
    diff: str
    remarks: tuple[Remark, ...]
    secrets: tuple[str, ...]
    variables: tuple[str, ...]
    iam: tuple[str, ...]
    distributions: tuple[str, ...]
    notes: tuple[str, ...]
    rewritten: bool  # the text could not be edited in place: comments are lost


def switched(text: str, target: BackendName) -> Switched:
    """The configuration with `target` as its backend. Raises InvalidInputError for what is no collector's."""
    pairs = load_with_nodes(text, most=1)[0]
    if not pairs:
        raise InvalidInputError("current", "holds no configuration", "give the collector's YAML")
    node, before = pairs[0]
    _require_collector(before)
    backend = BACKENDS[target]
    after = _with(before, backend)
    new, rewritten = _written(text, node, before, after)
    _check(before, after)
    used = _used(after, backend)
    return Switched(
        new,
        _diff(text, new),
        tuple(_remarks(before)),
        tuple(name for name in backend.secrets if name in new),
        tuple(name for name in backend.variables if name in new),
        backend.iam if target in {"cloudwatch", "amp"} else (),
        _distributions(used),
        tuple(_notes(backend, used)),
        rewritten,
    )


def _require_collector(found: Obj) -> None:
    service = found.get("service")
    pipelines = service.get("pipelines") if isinstance(service, dict) else None
    if not isinstance(pipelines, dict) or not pipelines:
        raise InvalidInputError(
            "current", "has no service.pipelines", "give an OpenTelemetry collector's whole configuration"
        )
    for name, pipeline in pipelines.items():
        if name.partition("/")[0] not in SIGNALS:
            known = ", ".join(SIGNALS)
            raise InvalidInputError(f"pipeline {name}", "is of no known signal", f"one of {known}")
        if not isinstance(pipeline, dict) or not isinstance(pipeline.get("exporters"), list):
            raise InvalidInputError(f"pipeline {name}", "lists no exporters", "give exporters: [...]")


def _with(before: Obj, backend: Backend) -> Obj:
    """The same configuration with the backend's exporters, extensions and pipeline lists."""
    kept = _connectors(before)
    used: dict[str, Exporter] = {}
    pipelines: Obj = {}
    for name, pipeline in before["service"]["pipelines"].items():
        exporter = backend.exporters[_signal(name)]
        stay = [each for each in pipeline["exporters"] if _stays(str(each), kept)]
        leaving = len(stay) < len(pipeline["exporters"])
        if leaving:
            used[exporter.component] = exporter
        pipelines[name] = {**pipeline, "exporters": [*stay, exporter.component] if leaving else stay}
    listed = {str(each) for one in pipelines.values() for each in one["exporters"]}
    old = before.get("exporters") or {}
    exporters = {name: settings for name, settings in old.items() if name in listed and name not in used}
    exporters |= {name: _kept_settings(old, one) for name, one in used.items()}
    after = {**before, "exporters": exporters, "service": {**before["service"], "pipelines": pipelines}}
    return _with_extensions(after, before, backend, used)


def _kept_settings(old: Obj, exporter: Exporter) -> Obj:
    """The operator's own settings where the exporter is there already."""
    return old.get(exporter.component) or exporter.settings


def _with_extensions(after: Obj, before: Obj, backend: Backend, used: dict[str, Exporter]) -> Obj:
    """The extensions that sign for the exporters; those that signed for the old ones alone go."""
    wanted = {one.extension for one in used.values() if one.extension}
    old: Obj = before.get("extensions") or {}
    still = {_authenticator(settings) for settings in after["exporters"].values()}
    extensions = {
        name: settings
        for name, settings in old.items()
        if name.partition("/")[0] not in AUTHENTICATORS or name in still
    }
    extensions |= {name: old.get(name) or backend.extensions[name] for name in sorted(wanted)}
    listed = before["service"].get("extensions") or []
    names = [name for name in listed if name in extensions]
    names += [name for name in sorted(wanted) if name not in names]
    service = {**after["service"]}
    rest = {key: value for key, value in service.items() if key != "extensions"}
    if names or "extensions" in service:
        service = {"extensions": names, **rest} if names else rest
    found = {**after, "service": service}
    if extensions:
        found["extensions"] = extensions
    else:
        found.pop("extensions", None)
    return found


def _authenticator(settings: object) -> str:
    auth = settings.get("auth") if isinstance(settings, dict) else None
    return str(auth.get("authenticator", "")) if isinstance(auth, dict) else ""


def _signal(pipeline: str) -> Signal:
    return next(one for one in SIGNALS if one == pipeline.partition("/")[0])


def _connectors(found: Obj) -> frozenset[str]:
    return frozenset(str(name) for name in found.get("connectors") or {})


def _stays(exporter: str, connectors: frozenset[str]) -> bool:
    return exporter in connectors or exporter.partition("/")[0] in LOCAL


def _written(text: str, node: object, before: Obj, after: Obj) -> tuple[str, bool]:
    """The text with what changed written in its place; anew as a whole where that cannot be done."""
    try:
        new = spliced(text, node, before, after)  # type: ignore[arg-type]  # the node of load_with_nodes
        if load_with_nodes(new, most=1)[0][0][1] == after:
            return new, False
    except (CannotSpliceError, InvalidInputError):
        pass
    return dump_manifests([after]), True


def _check(before: Obj, after: Obj) -> None:
    """Nothing but exporters, their lists and extensions differs: else it is a bug, not the caller's."""
    if _apart_from_exporters(before) != _apart_from_exporters(after):
        raise AiopsError("current", "the switch would change more than exporters", "keep the file; report it")


def _apart_from_exporters(found: Obj) -> Obj:
    rest = {key: value for key, value in found.items() if key not in {"exporters", "extensions", "service"}}
    service = {
        key: value for key, value in found["service"].items() if key not in {"extensions", "pipelines"}
    }
    pipelines = {
        name: {key: value for key, value in one.items() if key != "exporters"}
        for name, one in found["service"]["pipelines"].items()
    }
    return {**rest, "service": service, "pipelines": pipelines}


def _used(after: Obj, backend: Backend) -> list[Exporter]:
    return [
        one
        for one in {each.component: each for each in backend.exporters.values()}.values()
        if one.component in after["exporters"]
    ]


def _distributions(used: list[Exporter]) -> tuple[str, ...]:
    return tuple(name for name in (CORE, ADOT, CONTRIB) if all(name in one.in_distributions for one in used))


def _notes(backend: Backend, used: list[Exporter]) -> Iterator[str]:
    yield from backend.notes
    if _distributions(used) == (CONTRIB,):
        needs = ", ".join(one.component for one in used if one.in_distributions == (CONTRIB,))
        yield f"the collector must be the contrib distribution: {needs} is not in ADOT"


def _remarks(found: Obj) -> Iterator[Remark]:
    """What is wrong with the configuration as it is."""
    exporters = found.get("exporters") or {}
    defined = {str(name) for name in exporters} | _connectors(found)
    for name, pipeline in found["service"]["pipelines"].items():
        for each in pipeline["exporters"]:
            where, kind = f"service.pipelines.{name}", str(each).partition("/")[0]
            if kind in UNKNOWN:
                meant = UNKNOWN[kind][_signal(name)]
                yield Remark("UNKNOWN_EXPORTER", where, f"{each} -> {meant}: no such exporter")
            elif kind in REMOVED:
                yield Remark("REMOVED_EXPORTER", where, f"{each}: {REMOVED[kind]}")
            if str(each) not in defined:
                yield Remark("UNDEFINED_EXPORTER", where, f"{each} is not under exporters")
    for path in _secrets(exporters, "exporters"):
        yield Remark(
            "SECRET_INLINE", path, "a secret stands in the file: rotate it, read it from the environment"
        )


def _secrets(found: object, path: str) -> Iterator[str]:
    if not isinstance(found, dict):
        return
    for name, value in found.items():
        here = f"{path}.{name}"
        if isinstance(value, dict):
            yield from _secrets(value, here)
        elif isinstance(value, str) and _is_secret(str(name), value):
            yield here


def _is_secret(name: str, value: str) -> bool:
    named = any(word in name.lower() for word in _SECRET_WORDS)
    return named and bool(value) and not value.startswith(_NOT_A_SECRET)


def _diff(before: str, after: str) -> str:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), "current", "new", lineterm="", n=1)
    return "\n".join(lines)
