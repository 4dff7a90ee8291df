"""A Kubernetes API of 5,000 nodes and 150,000 pods that is made up page by page, over TLS (fault R20)."""

import json
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import orjson

from aiops_lab.kube.tls import make_certificates
from tests.shared.http.wire_server import Reply, Seen, WireServer, as_json, status
from tests.shared.kube.fake_api import DISCOVERY

NODES, NAMESPACES, PODS_EACH = 5_000, 60, 2_500
BORN = "2026-11-01T00:00:00Z"
COLUMNS = ("Name", "Ready", "Status", "Restarts", "Age")


def _meta(name: str, namespace: str = "") -> dict[str, Any]:
    about = {
        "name": name,
        "uid": f"uid-{namespace}-{name}",
        "resourceVersion": "7",
        "creationTimestamp": BORN,
    }
    return about | ({"namespace": namespace, "labels": {"app": "web"}} if namespace else {})


def _pod(namespace: str, number: int) -> dict[str, Any]:
    image = {"name": "app", "image": "registry.example/shop/web:1.0", "resources": {"requests": {"cpu": "1"}}}
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": BORN}
    run = {"name": "app", "ready": True, "restartCount": 0, "state": {"running": {"startedAt": BORN}}}
    return {
        "metadata": _meta(f"web-{number}", namespace),
        "spec": {"containers": [image], "nodeName": f"node-{number % NODES}"},
        "status": {"phase": "Running", "conditions": [ready], "containerStatuses": [run]},
    }


def _node(number: int) -> dict[str, Any]:
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": BORN}
    room = {"cpu": "4", "memory": "16Gi", "pods": "58"}
    return {
        "metadata": _meta(f"node-{number}"),
        "spec": {},
        "status": {"conditions": [ready], "capacity": room, "allocatable": room},
    }


@cache
def _body(what: str, namespace: str, form: str, start: int, limit: int) -> bytes:
    total = {"nodes": NODES, "namespaces": NAMESPACES, "pods": PODS_EACH if namespace else 150_000}[what]
    numbers = range(start, min(start + limit, total))
    end = start + limit
    about = {"resourceVersion": "7"} | ({"continue": str(end)} if end < total else {})
    makers: dict[str, Callable[[int], dict[str, Any]]] = {
        "nodes": _node,
        "namespaces": lambda number: {"metadata": _meta(f"ns-{number:02}")},
        "pods": lambda number: _pod(namespace or f"ns-{number % NAMESPACES:02}", number),
    }
    make = makers[what]
    if form:
        columns = [{"name": name, "type": "string"} for name in COLUMNS]
        cells = [{"cells": [_name(what, number), "1/1", "Running", "0", "21d"]} for number in numbers]
        heads = [
            {"object": {"metadata": make(number)["metadata"]}} if form == "Metadata" else {}
            for number in numbers
        ]
        rows = [{**row, **head} for row, head in zip(cells, heads, strict=True)]
        return orjson.dumps({"kind": "Table", "metadata": about, "columnDefinitions": columns, "rows": rows})
    return orjson.dumps({"kind": "List", "metadata": about, "items": [make(number) for number in numbers]})


def _name(what: str, number: int) -> str:
    return {"nodes": f"node-{number}", "namespaces": f"ns-{number:02}", "pods": f"web-{number}"}[what]


def crowded(seen: Seen) -> Reply:
    """Any request to that cluster."""
    if seen.path in DISCOVERY:
        return as_json(DISCOVERY[seen.path])
    parts = seen.path.removeprefix("/api/v1/").split("/")
    tabular = "as=Table" in seen.headers["accept"]
    form = seen.query.get("includeObject", "Metadata") if tabular else ""
    start, limit = int(seen.query.get("continue", "0")), int(seen.query.get("limit", "100000"))
    match parts:
        case ["nodes" | "namespaces" | "pods" as what]:
            return Reply(_body(what, "", form, start, limit))
        case ["namespaces", namespace, "pods"]:
            return Reply(_body("pods", namespace, form, start, limit))
        case ["namespaces", namespace]:
            return as_json({"kind": "Namespace", "apiVersion": "v1", "metadata": _meta(namespace)})
        case ["nodes", node]:
            return as_json({"kind": "Node", "apiVersion": "v1"} | _node(int(node.removeprefix("node-"))))
    return status(404, "NotFound", f"{seen.path} not found")


@asynccontextmanager
async def crowd(folder: Path) -> AsyncIterator[tuple[WireServer, Path]]:
    """The API and a kubeconfig for it."""
    made = make_certificates(folder / "tls", datetime.fromtimestamp(time.time(), UTC))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(made.certificate_path, made.key_path)
    async with WireServer(crowded, tls) as server:
        path = folder / "kubeconfig.json"
        cluster = {"server": server.url, "certificate-authority-data": made.ca_base64}
        context = {"cluster": "crowd", "user": "crowd"}
        path.write_text(
            json.dumps(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "clusters": [{"name": "crowd", "cluster": cluster}],
                    "users": [{"name": "crowd", "user": {"token": "fake-token-worth-nothing"}}],
                    "contexts": [{"name": "crowd", "context": context}],
                    "current-context": "crowd",
                }
            )
        )
        yield server, path
