"""What a container gets from ConfigMaps and Secrets before it starts, and what the kubelet says if it cannot.

Called by the container and pod runs. The error texts are the kubelet's (`pkg/kubelet/kubelet_pods.go`,
`pkg/volume/configmap`): they end up in waiting messages and events, where a diagnosis reads them.
"""

from base64 import b64decode
from collections.abc import Callable, Iterator

from aiops_lab.world.objects import Obj, meta

Lookup = Callable[[str, str, str], "Obj | None"]  # kind, namespace, name


class ConfigError(Exception):
    """A reference that must resolve does not."""


class MountError(Exception):
    """A volume that must be mounted cannot be."""


def environment(container: Obj, pod: Obj, find: Lookup) -> dict[str, str]:
    """The container's environment. Raises ConfigError with the kubelet's words."""
    env: dict[str, str] = {}
    for source in container.get("envFrom") or ():
        env.update(_from_all(source, meta(pod)["namespace"], find))
    for entry in container.get("env") or ():
        value = _value(entry, pod, find)
        if value is not None:
            env[entry["name"]] = value
    return env


def check_volumes(pod: Obj, find: Lookup) -> None:
    """Raises MountError for the first ConfigMap or Secret volume whose object or key is missing."""
    namespace = meta(pod)["namespace"]
    for volume in pod["spec"].get("volumes") or ():
        for kind, name, optional, items in _sources(volume):
            found = find(kind, namespace, name)
            failed = f'MountVolume.SetUp failed for volume "{volume["name"]}" : '
            if found is None and not optional:
                raise MountError(f'{failed}{kind.lower()} "{name}" not found')
            missing = [item["key"] for item in items if found and item["key"] not in _texts(found)]
            if missing and not optional:
                raise MountError(f"{failed}{kind.lower()} references non-existent config key: {missing[0]}")


def _sources(volume: Obj) -> Iterator[tuple[str, str, bool, list[Obj]]]:
    projected = (volume.get("projected") or {}).get("sources") or ()
    for each in (volume, *projected):
        if source := each.get("configMap"):
            yield "ConfigMap", source["name"], bool(source.get("optional")), source.get("items") or []
        if source := each.get("secret"):
            name = source.get("secretName") or source["name"]
            yield "Secret", name, bool(source.get("optional")), source.get("items") or []


def _texts(found: Obj) -> dict[str, str]:
    if found["kind"] == "ConfigMap":
        return dict(found.get("data") or {})
    return {
        key: b64decode(value).decode(errors="replace") for key, value in (found.get("data") or {}).items()
    }


def _from_all(source: Obj, namespace: str, find: Lookup) -> dict[str, str]:
    for kind, field in (("ConfigMap", "configMapRef"), ("Secret", "secretRef")):
        if (ref := source.get(field)) is None:
            continue
        found = find(kind, namespace, ref["name"])
        if found is None:
            if ref.get("optional"):
                return {}
            raise ConfigError(f'{kind.lower()} "{ref["name"]}" not found')
        prefix = source.get("prefix") or ""
        return {f"{prefix}{key}": value for key, value in _texts(found).items()}
    return {}


def _value(entry: Obj, pod: Obj, find: Lookup) -> str | None:
    source = entry.get("valueFrom")
    if source is None:
        return str(entry.get("value") or "")
    if field := source.get("fieldRef"):
        return _field(field["fieldPath"], pod)
    for kind, key in (("ConfigMap", "configMapKeyRef"), ("Secret", "secretKeyRef")):
        if ref := source.get(key):
            return _one(kind, ref, meta(pod)["namespace"], find)
    return ""


def _one(kind: str, ref: Obj, namespace: str, find: Lookup) -> str | None:
    found = find(kind, namespace, ref["name"])
    if found is not None and ref["key"] in (texts := _texts(found)):
        return texts[ref["key"]]
    if ref.get("optional"):
        return None
    if found is None:
        raise ConfigError(f'{kind.lower()} "{ref["name"]}" not found')
    raise ConfigError(f"couldn't find key {ref['key']} in {kind} {namespace}/{ref['name']}")


def _field(path: str, pod: Obj) -> str:
    known: dict[str, str] = {
        "metadata.name": meta(pod)["name"],
        "metadata.namespace": meta(pod)["namespace"],
        "spec.nodeName": pod["spec"].get("nodeName") or "",
        "status.podIP": (pod.get("status") or {}).get("podIP") or "",
    }
    return known.get(path, "")
