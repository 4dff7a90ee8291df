"""The types of kagent's objects, for the real kube-apiserver: what test_kagent_objects.py posts.

kmcp publishes its Go module, so its CRD is read from there, as published. kagent's own module is not to be
had from the proxy: for `Agent` and `RemoteMCPServer` what our files meet of fields and rules is written here,
after github.com/kagent-dev/kagent, go/api/config/crd/bases, commit 5229184 (August 2026). Whoever has that
folder names it in KAGENT_CRDS, and the published files are used instead of these.
"""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml

from aiops_shared.settings import inherited

KMCP = "github.com/kagent-dev/kmcp@v0.3.0"
Obj = dict[str, Any]

_TEXT: Obj = {"type": "string"}
_NAMES: Obj = {"type": "array", "items": _TEXT, "maxItems": 50}


def _obj(required: tuple[str, ...] = (), rules: tuple[str, ...] = (), **properties: Obj) -> Obj:
    checks = {"x-kubernetes-validations": [{"rule": rule} for rule in rules]} if rules else {}
    needed = {"required": list(required)} if required else {}
    return {"type": "object", "properties": properties, **needed, **checks}


def _one_of(*values: str) -> Obj:
    return {"type": "string", "enum": list(values)}


_SECRET = _obj(("key", "name", "type"), key=_TEXT, name=_TEXT, type=_one_of("ConfigMap", "Secret"))
_HEADER = _obj(
    ("name",), ("has(self.value) != has(self.valueFrom)",), name=_TEXT, value=_TEXT, valueFrom=_SECRET
)
_REMOTE = _obj(
    ("description", "url"),
    description=_TEXT,
    url=_TEXT,
    protocol=_one_of("SSE", "STREAMABLE_HTTP"),
    headersFrom={"type": "array", "items": _HEADER},
    timeout=_TEXT,
    sseReadTimeout=_TEXT,
    terminateOnClose={"type": "boolean"},
)
_MCP_SERVER = _obj(
    ("name",),
    ("!has(self.requireApproval) || self.requireApproval.all(x, x in self.toolNames)",),
    apiGroup=_TEXT,
    kind=_TEXT,
    name=_TEXT,
    namespace=_TEXT,
    toolNames=_NAMES,
    requireApproval=_NAMES,
    allowedHeaders={"type": "array", "items": {**_TEXT, "maxLength": 253}},
)
_TOOL = _obj(
    (),
    ("has(self.mcpServer) == (self.type == 'McpServer')",),
    type=_one_of("McpServer", "Agent"),
    mcpServer=_MCP_SERVER,
)
_DECLARATIVE = _obj(
    runtime=_one_of("python", "go"),
    modelConfig=_TEXT,
    systemMessage=_TEXT,
    tools={"type": "array", "items": _TOOL, "maxItems": 20},
)
_AGENT = _obj(
    (),
    ("has(self.type)", "self.type == 'BYO' || has(self.declarative)"),
    type=_one_of("Declarative", "BYO"),
    description=_TEXT,
    declarative=_DECLARATIVE,
)


def _crd(kind: str, plural: str, versions: tuple[str, ...], spec: Obj) -> Obj:
    schema = {"openAPIV3Schema": _obj(spec=spec)}
    listed = [
        {"name": name, "served": True, "storage": name == "v1alpha2", "schema": schema} for name in versions
    ]
    names = {"kind": kind, "listKind": f"{kind}List", "plural": plural, "singular": kind.lower()}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.kagent.dev"},
        "spec": {"group": "kagent.dev", "scope": "Namespaced", "names": names, "versions": listed},
    }


def types() -> list[Obj]:
    """The CRDs. Raises AssertionError where kmcp's module cannot be had."""
    return [_kmcp(), *_kagent()]


def _kagent() -> list[Obj]:
    folder = inherited("KAGENT_CRDS").get("KAGENT_CRDS")
    if folder:
        files = ("kagent.dev_agents.yaml", "kagent.dev_remotemcpservers.yaml")
        return [yaml.load((Path(folder) / name).read_text("utf-8"), yaml.CSafeLoader) for name in files]
    return [
        _crd("Agent", "agents", ("v1alpha2",), _AGENT),
        _crd("RemoteMCPServer", "remotemcpservers", ("v1alpha2", "v1alpha3"), _REMOTE),
    ]


def _kmcp() -> Obj:
    go = shutil.which("go")
    assert go, "go is not installed: kmcp's CRD cannot be fetched"
    done = subprocess.run(
        [go, "mod", "download", "-json", KMCP], capture_output=True, text=True, check=True, cwd=Path("/")
    )
    folder = Path(json.loads(done.stdout)["Dir"])
    found: Obj = yaml.safe_load((folder / "config/crd/bases/kagent.dev_mcpservers.yaml").read_text("utf-8"))
    return found
