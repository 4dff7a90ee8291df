"""Lays a recorded world into a real API server, so that the same diagnosis can be asked of the real thing.

Objects and their status go through the API: the server validates and defaults them. What only a server may
set (uid, creation and deletion times, generation) is then written into etcd, where this shape of the control
plane keeps JSON; nothing else runs there that could change an object. A world is taken away by deleting its
keys. What the server has taken once is not sent again word for word in the next world: the form in which it
was stored then is put back. Admission that would refuse a world for what is wrong in it (quotas, Pod
Security, webhooks) is off: the contract tests meet it elsewhere.
"""

import base64
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import anyio
import httpx
import orjson

from aiops_lab.kube.resources import LAB_CRDS, Resource
from aiops_lab.kube.wire import clone
from evals.lines import Lines
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
    flags=(
        f"--disable-admission-plugins={_OFF}",
        "--watch-cache=false",  # nobody watches: it would decode every object at each of its four writes
        "--enable-priority-and-fairness=false",
    ),
    audited=False,
)
_SERVER_SET = ("uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "selfLink")
_DELETION = ("deletionTimestamp", "deletionGracePeriodSeconds")
_CONFLICTS = 10
_PER_TXN = 100  # etcd takes 128 operations


# An address is given to a Service and a definition is established anew in every world.
_ALWAYS_SENT = frozenset({"Service", "CustomResourceDefinition"})
_CREATED = 201
Identity = tuple[str, str, str, str]  # group, kind, namespace, name


class LoadError(RuntimeError):
    """The real API server did not take an object of the lab; carries its words."""


@dataclass(frozen=True)
class _Stored:
    """What the server made of an object that it was sent: the key in etcd, and the object."""

    key: str
    obj: Obj


@dataclass
class Loader:
    """One control plane of the shape `RECORDED` that worlds are laid into, one after another."""

    plane: ControlPlane
    api: httpx.AsyncClient
    lines: Lines
    port: int  # of the kubelet that stands behind every node
    _kept: dict[str, Identity] = field(default_factory=dict)  # by key in etcd
    _taken: dict[bytes, _Stored] = field(default_factory=dict)  # by what was sent
    _lying: dict[str, bytes] = field(default_factory=dict)  # by key in etcd, what this world has there

    async def prepare(self) -> None:
        """What every world needs: the lab's custom kinds and the metrics API; the rest can be taken away."""
        for resource in LAB_CRDS:
            self._put("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", _definition(resource))
        self._put("/api/v1/namespaces/default/services", _OUTSIDE)
        self._put("/apis/apiregistration.k8s.io/v1/apiservices", _metrics(self.port))
        for resource in LAB_CRDS:
            await self._until_served(f"/apis/{resource.group}/{resource.version}/{resource.plural}")
        await self._until_served("/apis/metrics.k8s.io/v1beta1")
        there = (await self._range()).get("kvs", [])
        self._kept = {_text(each["key"]): _identity(_object(each)) for each in there}

    async def lay(self, world: Sequence[Recorded]) -> None:
        """Take the last world away and lay this one. Raises LoadError with every object that was refused."""
        told = {self._said(one): one for one in world}
        again = {said: one for said, one in told.items() if said in self._taken}
        since = await self._revision()
        await self._clear({self._taken[said].key for said in again})
        await self._put_back(again)
        new = [one for said, one in told.items() if said not in again]
        created: dict[Identity, bytes] = {}
        refused: list[str] = []

        def load(one: Recorded) -> None:
            try:
                if self._load(one) and one.resource.kind not in _ALWAYS_SENT:
                    created[_identity(one.obj)] = self._said(one)
            except LoadError as error:
                refused.append(str(error))

        for batch in _batches(new):
            await anyio.to_thread.run_sync(self.lines.each, load, batch)
        await self._as_recorded(new, since, created)
        if refused:
            raise LoadError("\n".join(refused))

    def _said(self, one: Recorded) -> bytes:
        """All that the server is told of an object."""
        said = [_path(one.resource, one.obj), _sent(one.obj), self._status(one)]
        return orjson.dumps(said, option=orjson.OPT_SORT_KEYS)

    # through the API

    def _load(self, one: Recorded) -> bool:
        """Whether the object is a new one, and not put in the place of another."""
        path = _path(one.resource, one.obj)
        sent = _sent(one.obj)
        created, stored = self._put(path, sent)
        status = self._status(one)
        if status is None or not one.resource.has_status:
            return created
        where = f"{path}/{quote(sent['metadata']['name'])}"
        code, answer = self.lines.ask("PUT", f"{where}/status", {**stored, "status": status})
        for _ in range(_CONFLICTS):
            if code != httpx.codes.CONFLICT:
                break
            # The server's own controllers write the status of definitions and APIServices meanwhile.
            _, there = self.lines.ask("GET", where)
            code, answer = self.lines.ask("PUT", f"{where}/status", {**there, "status": status})
        if httpx.codes.is_error(code):
            raise LoadError(f"PUT {where}/status: {_message(answer)}")
        return created

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

    def _put(self, path: str, obj: Obj) -> tuple[bool, Obj]:
        """Create it, or put it in the place of one that the server made itself; says which."""
        code, answer = self.lines.ask("POST", path, obj)
        if code == httpx.codes.CONFLICT:
            where = f"{path}/{quote(obj['metadata']['name'])}"
            _, there = self.lines.ask("GET", where)
            meta = {**obj["metadata"], "resourceVersion": there["metadata"]["resourceVersion"]}
            code, answer = self.lines.ask("PUT", where, {**there, **obj, "metadata": meta})
        if httpx.codes.is_error(code):
            raise LoadError(f"{path} {obj['metadata'].get('name')}: {_message(answer)}")
        return code == _CREATED, answer

    async def _until_served(self, path: str) -> None:
        with anyio.fail_after(60):
            while (await self.api.get(path)).is_error:  # noqa: ASYNC110  # another process serves it
                await anyio.sleep(0.1)

    # in etcd

    async def _etcd(self, call: str, body: Obj) -> Obj:
        answer = await self.api.post(f"{self.plane.etcd_url}/v3/kv/{call}", content=orjson.dumps(body))
        answer.raise_for_status()
        found: Obj = orjson.loads(answer.content)
        return found

    async def _range(self, **how: Any) -> Obj:
        everything = {"key": _coded("/registry/"), "range_end": _coded("/registry0")}
        return await self._etcd("range", {**everything, **how})

    async def _keys(self) -> list[str]:
        return [_text(each["key"]) for each in (await self._range(keys_only=True)).get("kvs", [])]

    async def _revision(self) -> int:
        return int((await self._range(count_only=True))["header"]["revision"])

    async def _clear(self, but: Collection[str]) -> None:
        gone = [key for key in await self._keys() if key not in self._kept and key not in but]
        self._lying = {key: text for key, text in self._lying.items() if key in but}
        await self._txn({"requestDeleteRange": {"key": _coded(key)}} for key in gone)

    async def _put_back(self, again: Mapping[bytes, Recorded]) -> None:
        """What the server was told before in the same words; the metadata that is not, as now recorded."""
        texts = {}
        for said, one in again.items():
            stored = self._taken[said]
            texts[stored.key] = orjson.dumps(_with_identity(stored.obj, one.obj))
        await self._write(texts)

    async def _as_recorded(
        self, world: Sequence[Recorded], since: int, created: Mapping[Identity, bytes]
    ) -> None:
        """The metadata of what was written since a revision as the lab had it, versions apart, and what hangs
        on the uid; what the server created is remembered."""
        wanted = {_identity(one.obj): one.obj for one in world}
        texts: dict[str, bytes] = {}
        for each in await self._written(since, wanted):
            key, stored = _text(each["key"]), _object(each)
            identity = _identity(stored)
            if identity in wanted:
                texts[key] = orjson.dumps(_with_identity(stored, wanted[identity]))
            if identity in created:
                self._taken[created[identity]] = _Stored(key, stored)
        await self._write(texts)

    async def _written(self, since: int, wanted: Collection[Identity]) -> list[Obj]:
        """What is later than a revision, and the server's own that are wanted.

        A write that changes nothing in one of those does not make it later.
        """
        found: list[Obj] = (await self._range(min_mod_revision=str(since + 1))).get("kvs", [])
        seen = {each["key"] for each in found}
        own = [_coded(key) for key, identity in self._kept.items() if identity in wanted]
        asked = [{"requestRange": {"key": key}} for key in own if key not in seen]
        answer = await self._etcd("txn", {"success": asked}) if asked else {}
        return [*found, *(kv for each in answer.get("responses", ()) for kv in _pairs(each))]

    async def _write(self, texts: Mapping[str, bytes]) -> None:
        """Put these where they do not lie already."""
        new = {key: text for key, text in texts.items() if self._lying.get(key) != text}
        self._lying.update(new)
        await self._txn(
            {"requestPut": {"key": _coded(key), "value": base64.b64encode(text).decode()}}
            for key, text in new.items()
        )

    async def _txn(self, operations: Iterable[Obj]) -> None:
        left = list(operations)
        while left:
            await self._etcd("txn", {"success": left[:_PER_TXN]})
            left = left[_PER_TXN:]


def _message(answer: Any) -> str:
    return str(answer.get("message", answer) if isinstance(answer, dict) else answer)


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


def _identity(obj: Obj) -> Identity:
    meta = obj.get("metadata", {})
    group = str(obj.get("apiVersion", "")).rpartition("/")[0]
    return group, str(obj.get("kind", "")), str(meta.get("namespace", "")), str(meta.get("name", ""))


def _coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _pairs(response: Obj) -> list[Obj]:
    """The keys and values of one range of a transaction (the gateway writes either name)."""
    ranged = response.get("response_range") or response.get("responseRange") or {}
    found: list[Obj] = ranged.get("kvs", [])
    return found


def _object(pair: Obj) -> Obj:
    """What stands under a key, where it is JSON."""
    value = base64.b64decode(pair.get("value", ""))
    found: Obj = orjson.loads(value) if value.startswith(b"{") else {}
    return found


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
