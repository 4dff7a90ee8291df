"""The same list on a real kube-apiserver, where its programs are there (see `tests/cluster`).

Pods are put into its etcd as they stand, since no API lets a test write creationTimestamp; the API server
then serves them as its own. Nothing else runs beside it, so nobody changes them.
"""

import base64
import statistics
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import orjson

from bench.crowd import Obj
from bench.gathered import Crowd, crowd
from bench.listing import DIAGNOSE, LIST, measure, rows_of, this_moment
from bench.rows import Row
from tests.cluster.control_plane import BARE, ControlPlane, assets, running_control_plane

PUTS_AT_ONCE = 64  # etcd takes 128 operations, and 1.5 MiB, in one transaction
RAW_ROUNDS = 3
WAIT_S = 30.0
_TABLE = {"accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}


def on_real_plane(pods: int, base: Mapping[str, str]) -> list[Row]:
    """The rows, or one row that says what is missing."""
    programs = assets()
    what = f"{pods:,} pods and 60 broken on a real kube-apiserver"
    if programs is None:
        return [(f"unhealthy_only list, {what}", "", "not measured: no control plane here", "")]
    with (
        TemporaryDirectory() as folder,
        running_control_plane(Path(folder) / "plane", programs, BARE) as plane,
    ):
        found = crowd(this_moment(), pods, scattered=False)
        put(plane, found)
        environment = {
            **base,
            "KUBECONFIG": str(plane.kubeconfig()),
            "AIOPS_KUBE_CONTEXT": "real",
        }
        rows = [
            row
            for question in (LIST, DIAGNOSE)
            for row in rows_of(what, measure(environment, found.suspects, None, question), question)
        ]
        return [*rows, _raw_forms(plane, pods)]


def put(plane: ControlPlane, found: Crowd) -> None:
    """Write the crowd into etcd and wait until the API server lists all of it. Raises TimeoutError."""
    # Two hashes of one app are one Deployment; etcd takes a key once in a transaction.
    puts = list({each["requestPut"]["key"]: each for each in _puts(found)}.values())
    with httpx.Client(base_url=plane.etcd_url, trust_env=False) as etcd:
        for start in range(0, len(puts), PUTS_AT_ONCE):
            batch = {"success": puts[start : start + PUTS_AT_ONCE]}
            etcd.post("/v3/kv/txn", json=batch).raise_for_status()
    until = time.monotonic() + WAIT_S
    with _client(plane) as client:
        while len(_table(client)["rows"]) < len(found.pods):
            if time.monotonic() > until:
                raise TimeoutError("the API server does not list the crowd")


def _puts(found: Crowd) -> Iterator[dict[str, Any]]:
    for obj in (*found.namespaces, *found.around, *found.events, *found.pods):
        about = obj["metadata"]
        place = [about["namespace"]] if "namespace" in about else []
        # Nodes lie in etcd under their oldest name (kubernetes, registry/core/node).
        plural = "minions" if obj["kind"] == "Node" else f"{obj['kind'].lower()}s"
        key = "/".join(["", "registry", plural, *place, about["name"]])
        yield {"requestPut": {"key": _wire(key.encode()), "value": _wire(orjson.dumps(_stored(obj)))}}


def _stored(obj: Obj) -> Obj:
    """Without the resourceVersion, which etcd gives."""
    return {
        **obj,
        "metadata": {key: value for key, value in obj["metadata"].items() if key != "resourceVersion"},
    }


def _wire(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _client(plane: ControlPlane) -> httpx.Client:
    return httpx.Client(
        base_url=plane.kube_url,
        headers={"authorization": f"Bearer {plane.token()}"},
        verify=str(plane.ca_path),
        trust_env=False,
        timeout=60,
    )


def _table(client: httpx.Client) -> Any:
    answer = client.get("/api/v1/pods", params={"includeObject": "None"}, headers=_TABLE)
    return orjson.loads(answer.raise_for_status().content)


def _objects(client: httpx.Client) -> Any:
    return orjson.loads(client.get("/api/v1/pods").raise_for_status().content)


def _raw_forms(plane: ControlPlane, pods: int) -> Row:
    """One list of everything, as a Table without objects and as JSON."""
    with _client(plane) as client:
        said = []
        for name, read in (("Table without objects", _table), ("JSON", _objects)):
            taken = []
            for _ in range(RAW_ROUNDS):
                began = time.perf_counter()
                read(client)
                taken.append(1000 * (time.perf_counter() - began))
            said.append(f"{name} {statistics.median(taken):.0f} ms")
    return (f"one raw list of {pods:,} pods, real kube-apiserver", "", ", ".join(said), "")
