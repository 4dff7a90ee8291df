"""kubectl, the real one, on the lab."""

import os
import subprocess
from itertools import pairwise
from pathlib import Path

import yaml

from aiops_shared.settings import inherited

_KUBECTL = "/usr/bin/kubectl"
_BARE = """apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: {plural}.{group}}}
spec:
  group: {group}
  scope: Namespaced
  names: {{kind: {kind}, plural: {plural}, singular: {singular}}}
  versions:
    - name: {version}
      served: true
      storage: true
      schema: {{openAPIV3Schema: {{type: object, x-kubernetes-preserve-unknown-fields: true}}}}
"""


def _real(*arguments: str, given: str = "") -> int:
    cache = Path(inherited("HOME")["HOME"]) / "kubectl-cache"
    program = os.environ.get("SNIPPETS_KUBECTL", _KUBECTL)  # noqa: TID251
    return subprocess.run(
        [program, "--cache-dir", str(cache), *arguments], input=given or None, text=True, check=False
    ).returncode


def _known(files: list[str]) -> None:
    """Give the lab kagent's kinds that these files hold; their schemas tests/cluster knows."""
    for file in files:
        for one in yaml.safe_load_all(Path(file).read_text("utf-8")):
            group, _, version = str((one or {}).get("apiVersion", "")).rpartition("/")
            if group.endswith("kagent.dev"):
                singular = one["kind"].lower()
                plural = f"{singular}es" if singular.endswith("s") else f"{singular}s"
                names = {"plural": plural, "singular": singular, "kind": one["kind"]}
                text = _BARE.format(group=group, version=version, **names)
                assert _real("apply", "-f", "-", given=text) == 0
                _namespace(one["metadata"]["namespace"])


def _namespace(name: str) -> None:
    """The chart's, whose install comes before (docs/agents.md) and is only rendered here."""
    text = f"apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}}}\n"
    assert _real("apply", "-f", "-", given=text) == 0


def _forwards(arguments: list[str]) -> int:
    """port-forward: the chart has that Deployment, and a container of it listens on that port."""
    from tests.launch.charts import render

    target = next(word for word in arguments if "/" in word)
    port = int(next(word for word in arguments if ":" in word).rpartition(":")[2])
    made = render(Path(inherited("HOME")["HOME"]), {"image": {"repository": "example.com/eks-aiops"}})
    containers = [
        container
        for one in made.objects
        if f"{one['kind'].lower()}/{one['metadata']['name']}".endswith(target.partition("/")[2])
        for container in one.get("spec", {}).get("template", {}).get("spec", {}).get("containers", [])
    ]
    assert any(port == listens["containerPort"] for one in containers for listens in one["ports"]), target
    return 0


def kubectl(arguments: list[str]) -> int:
    """Every line is run on the lab, which knows kagent's kinds by name; port-forward by the chart."""
    if "port-forward" in arguments:
        return _forwards(arguments)
    files = [value for flag, value in pairwise(arguments) if flag == "-f"]
    if "apply" in arguments:
        _known([file for file in files if file != "-"])
    return _real(*arguments)
