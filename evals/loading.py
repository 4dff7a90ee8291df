"""Lays a recorded world into a real API server, so that the same diagnosis can be asked of the real thing.

Objects and their status go through the API: the server validates and defaults them. What only a server may
set (uid, creation and deletion times, generation) is then written into etcd, where this shape of the control
plane keeps JSON; nothing else runs there that could change an object. A world is taken away by deleting its
keys. Admission that would refuse a world for what is wrong in it (quotas, Pod Security, webhooks) is off: the
contract tests meet it elsewhere.
"""

import base64
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import anyio
import httpx

from aiops_lab.kube.resources import LAB_CRDS, Resource
from aiops_lab.kube.wire import clone
from evals.recording import Obj, Recorded
from tests.cluster.control_plane import ControlPlane, Shape

_OFF = (
    "ServiceAccount,LimitRanger,ResourceQuota,PodSecurity,MutatingAdmissionWebhook,ValidatingAdmissionWebhook,"
    "TaintNodesByCondition,DefaultTolerationSeconds,Priority,DefaultStorageClass,DefaultIngressClass,"
    "StorageObjectInUseProtection,RuntimeClass,PersistentVolumeClaimResize,NamespaceLifecycle"
)
RECORDED = Shape(
    controllers=False,
    storage_json=True,
    flags=(f"--disable-admission-plugins={_OFF}",),
)
_SERVER_SET = ("uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "selfLink")
_DELETION = ("deletionTimestamp", "deletionGracePeriodSeconds")
_AT_ONCE = 8
_CONFLICTS = 10
_PER_TXN = 100  # etcd takes 128 operations


class LoadError(RuntimeError):
    """The real API server did not take an object of the lab; carries its words."""


@dataclass
class Loader:
    """One control plane of the shape `RECORDED` that worlds are laid into, one after another."""

    plane: ControlPlane
    api: httpx.AsyncClient
    port: int  # of the kubelet that stands behind every node
    _kept: frozenset[str] = field(default_factory=frozenset)

    async def prepare(self) -> None:
        """What every world needs: the lab's custom kinds and the metrics API; the rest can be taken away."""
        for resource in LAB_CRDS:
            await self._put("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", _definition(resource))
        await self._put("/api/v1/namespaces/default/services", _OUTSIDE)
        await self._put("/apis/apiregistration.k8s.io/v1/apiservices", _metrics(self.port))
        for resource in LAB_CRDS:
            await self._until_served(f"/apis/{resource.group}/{resource.version}/{resource.plural}")
        await self._until_served("/apis/metrics.k8s.io/v1beta1")
        self._kept = frozenset(await self._keys())

    async def lay(self, world: Sequence[Recorded]) -> None:
        """Take the last world away and lay this one. Raises LoadError with every object that was refused."""
        await self._clear()
        limiter = anyio.CapacityLimiter(_AT_ONCE)
        refused: list[str] = []

        async def load(one: Recorded) -> None:
            async with limiter:
                try:
                    await self._load(one)
                except LoadError as error:
                    refused.append(str(error))

        for batch in _batches(world):
            async with anyio.create_task_group() as tasks:
                for one in batch:
                    tasks.start_soon(load, one)
        await self._as_recorded(world)
        if refused:
            raise LoadError("\n".join(refused))

    # through the API

    async def _load(self, one: Recorded) -> None:
        path = _path(one.resource, one.obj)
        sent = _sent(one.obj)
        stored = await self._put(path, sent)
        status = self._status(one)
        if status is None or not one.resource.has_status:
            return
        where = f"{path}/{quote(sent['metadata']['name'])}"
        answer = await self.api.put(f"{where}/status", json={**stored, "status": status})
        for _ in range(_CONFLICTS):
            if answer.status_code != httpx.codes.CONFLICT:
                break
            # The server's own controllers write the status of definitions and APIServices meanwhile.
            there = (await self.api.get(where)).json()
            answer = await self.api.put(f"{where}/status", json={**there, "status": status})
        if answer.is_error:
            raise LoadError(f"PUT {where}/status: {_message(answer)}")

    def _status(self, one: Recorded) -> Obj | None:
        status = one.obj.get("status")
        if "deletionTimestamp" in one.obj["metadata"] and one.resource.kind == "Namespace":
            return None  # only one that is being deleted may say so: it comes with the time of its deletion
        if status is None or one.resource.kind != "Node":
            return status
        return {
            **status,
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self.port}},
        }

    async def _put(self, path: str, obj: Obj) -> Obj:
        """Create it, or put it in the place of one that the server made itself."""
        answer = await self.api.post(path, json=obj)
        if answer.status_code == httpx.codes.CONFLICT:
            where = f"{path}/{quote(obj['metadata']['name'])}"
            there = (await self.api.get(where)).json()
            meta = {**obj["metadata"], "resourceVersion": there["metadata"]["resourceVersion"]}
            answer = await self.api.put(where, json={**there, **obj, "metadata": meta})
        if answer.is_error:
            name = obj["metadata"].get("name")
            raise LoadError(f"{answer.request.method} {path} {name}: {_message(answer)}")
        stored: Obj = answer.json()
        return stored

    async def _until_served(self, path: str) -> None:
        with anyio.fail_after(60):
            while (await self.api.get(path)).is_error:  # noqa: ASYNC110  # another process serves it
                await anyio.sleep(0.1)

    # in etcd

    async def _etcd(self, call: str, body: Obj) -> Obj:
        answer = await self.api.post(f"{self.plane.etcd_url}/v3/kv/{call}", json=body)
        answer.raise_for_status()
        found: Obj = answer.json()
        return found

    async def _range(self, *, keys_only: bool) -> list[Obj]:
        everything = {"key": _coded("/registry/"), "range_end": _coded("/registry0"), "keys_only": keys_only}
        found: list[Obj] = (await self._etcd("range", everything)).get("kvs", [])
        return found

    async def _keys(self) -> list[str]:
        return [_text(each["key"]) for each in await self._range(keys_only=True)]

    async def _clear(self) -> None:
        gone = [key for key in await self._keys() if key not in self._kept]
        await self._txn({"requestDeleteRange": {"key": _coded(key)}} for key in gone)

    async def _as_recorded(self, world: Sequence[Recorded]) -> None:
        """The metadata of every object as the lab had it, versions apart, and what hangs on the uid."""
        wanted = {_identity(one.obj): one.obj for one in world}
        puts = []
        for each in await self._range(keys_only=False):
            value = _text(each.get("value", ""))
            stored = json.loads(value) if value.startswith("{") else {}
            obj = wanted.get(_identity(stored)) if stored else None
            if obj is not None:
                text = json.dumps(_with_identity(stored, obj))
                puts.append({"requestPut": {"key": each["key"], "value": _coded(text)}})
        await self._txn(puts)

    async def _txn(self, operations: Iterable[Obj]) -> None:
        left = list(operations)
        while left:
            await self._etcd("txn", {"success": left[:_PER_TXN]})
            left = left[_PER_TXN:]


def _message(answer: httpx.Response) -> str:
    try:
        return str(answer.json().get("message", answer.text))
    except ValueError:
        return answer.text


def _batches(world: Sequence[Recorded]) -> Iterable[list[Recorded]]:
    """Runs of one kind: a definition before its objects, a namespace before what lies in it."""
    batch: list[Recorded] = []
    for one in world:
        if batch and batch[-1].resource != one.resource:
            yield batch
            batch = []
        batch.append(one)
    if batch:
        yield batch


def _sent(obj: Obj) -> Obj:
    """The object as its author would send it."""
    sent = clone(obj)
    sent.pop("status", None)
    for key in (*_SERVER_SET, *_DELETION):
        sent["metadata"].pop(key, None)
    if sent.get("kind") == "Service":
        _without_allocations(sent["spec"])
    if sent.get("kind") == "Job":
        _without_selector(sent["spec"])
    return sent


def _without_selector(spec: Obj) -> None:
    """The server makes a Job's selector and labels from the uid that it gives (`pkg/registry/batch/job`)."""
    spec.pop("selector", None)
    labels = spec["template"]["metadata"].get("labels", {})
    for label in ("controller-uid", "batch.kubernetes.io/controller-uid"):
        labels.pop(label, None)


def _without_allocations(spec: Obj) -> None:
    """The lab's cluster addresses and node ports mean nothing to another allocator; `None` means headless."""
    if spec.get("clusterIP") != "None":
        spec.pop("clusterIP", None)
        spec.pop("clusterIPs", None)
    for port in spec.get("ports") or []:
        port.pop("nodePort", None)


def _with_identity(stored: Obj, recorded: Obj) -> Obj:
    meta = {key: value for key, value in recorded["metadata"].items() if key != "resourceVersion"}
    if recorded["kind"] == "Namespace":
        return {**stored, "metadata": meta, "status": recorded["status"]}
    if recorded["kind"] != "Job":
        return {**stored, "metadata": meta}
    was = recorded["spec"]
    spec = {**stored["spec"], "selector": was["selector"], "template": was["template"]}
    return {**stored, "metadata": meta, "spec": spec}


def _path(resource: Resource, obj: Obj) -> str:
    root = f"/apis/{resource.group}/{resource.version}" if resource.group else f"/api/{resource.version}"
    place = f"/namespaces/{obj['metadata'].get('namespace', 'default')}" if resource.namespaced else ""
    return f"{root}{place}/{resource.plural}"


def _identity(obj: Obj) -> tuple[str, str, str, str]:
    meta = obj.get("metadata", {})
    group = str(obj.get("apiVersion", "")).rpartition("/")[0]
    return group, str(obj.get("kind", "")), str(meta.get("namespace", "")), str(meta.get("name", ""))


def _coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _text(coded: Any) -> str:
    return base64.b64decode(coded).decode(errors="replace")


_OUTSIDE: Obj = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "outside"},
    "spec": {"type": "ExternalName", "externalName": "localhost"},
}


def _metrics(port: int) -> Obj:
    return {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": "v1beta1.metrics.k8s.io"},
        "spec": {
            "group": "metrics.k8s.io",
            "version": "v1beta1",
            "service": {"namespace": "default", "name": "outside", "port": port},
            "insecureSkipTLSVerify": True,
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
        },
    }


# The server wants a word for every definition in a group that is Kubernetes' own.
_UNAPPROVED = {"api-approved.kubernetes.io": "unapproved, a stand-in for a test"}


def _definition(resource: Resource) -> Obj:
    """A definition that takes anything: the lab's custom kinds have no schema of their own."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version: Obj = {
        "name": resource.version,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
    }
    if resource.has_status:
        version["subresources"] = {"status": {}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{resource.plural}.{resource.group}", "annotations": _UNAPPROVED},
        "spec": {
            "group": resource.group,
            "scope": "Namespaced" if resource.namespaced else "Cluster",
            "names": {"plural": resource.plural, "kind": resource.kind, "singular": resource.singular},
            "versions": [version],
        },
    }
