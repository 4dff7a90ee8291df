"""Who reads a block that is data: settings, tables, rules, policies, SOPs, clients' files, objects, calls.

    READERS[block.language](block, folder)     # raises, with the reader's own words, when it is not accepted

A block is given to the product's own reader for what its keys say it is. One that nobody reads fails: a page
then shows something that exists nowhere.
"""

import ast
import asyncio
import contextlib
import inspect
import io
import json
import tomllib
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import anyio
import jsonschema
import yaml

from aiops_observability.clients.telemetry_config import _read_prices
from aiops_shared.guardrails.policy import SHIPPED, Policy
from aiops_shared.kube.manifests import load_manifests
from aiops_shared.kube.table import read_table
from aiops_shared.metrics.promql import checked
from aiops_shared.settings import PolicySettings
from aiops_sop.clients.knowledge import entries_of
from aiops_sop.documents.expressions import check
from eks_aiops.catalogue import all_tools
from eks_aiops.sops_command import lint_files
from tests.contracts.test_docs import variables
from tests.docs.blocks import Block, all_blocks
from tests.docs.programs.launchers import ours

Reader = Callable[[Block, Path], None]
WHERE_YAML: Final = {"rules": "rules"}  # where a page's reader would put a file with that key


def _shown(block: Block, folder: Path, ending: str = "yaml") -> Path:
    file = folder / f"{block.page.replace('/', '-')}-{block.line}.{ending}"
    file.write_text(block.text, encoding="utf-8")
    return file


def _table(block: Block, folder: Path) -> None:
    """The operator's table."""
    assert read_table(_shown(block, folder))


def _knowledge(block: Block, folder: Path) -> None:
    """A file of AIOPS_SOP_KNOWLEDGE_DIRS."""
    del folder
    assert entries_of(block.text, block.where)


def _rules(block: Block, folder: Path) -> None:
    """The organisation's scan rules."""
    del folder
    from aiops_eks.diagnosis.scanning.organisation import compile_rules

    assert compile_rules({block.where: block.text}).rules


def _prices(block: Block, folder: Path) -> None:
    """Prices of telemetry: every line of the block is one that the reader knows."""
    assert _read_prices(_shown(block, folder)) == yaml.safe_load(block.text)


def _values(block: Block, folder: Path) -> None:
    """Values of our Helm chart, rendered by Helm's engine."""
    from tests.launch.charts import render

    base = {"image": {"repository": "example.com/eks-aiops"}}
    assert render(folder, base, yaml.safe_load(block.text)).objects


def _objects(block: Block, folder: Path) -> None:
    """Kubernetes objects, by our own loader; each says what it is."""
    del folder
    assert all(one["kind"] and one["metadata"]["name"] for one in load_manifests(block.text))


YAML: Final[Mapping[str, Reader]] = {
    "accounts": _table,
    "clusters": _table,
    "repositories": _table,
    "entries": _knowledge,
    "rules": _rules,
    "amp": _prices,
    "apiVersion": _objects,
    "image": _values,
    "replicas": _values,
    "auth": _values,
    "state": _values,
    "mode": _values,
}


def read_yaml(block: Block, folder: Path) -> None:
    """Parsed, and read by whoever its first known key belongs to."""
    keys = next(one for one in yaml.safe_load_all(block.text) if one)
    reader = next((YAML[key] for key in keys if key in YAML), None)
    assert reader, f"{block.where}: nobody reads YAML with {', '.join(map(str, keys))}"
    reader(block, folder)


def _entry(entry: Mapping[str, Any]) -> None:
    """One server of a client's file: this release, or our gateway's address; variables that are settings."""
    assert set(entry.get("env", {})) - {"AWS_PROFILE", "AWS_REGION", "KUBECONFIG"} <= variables()
    if "url" in entry:
        assert entry["url"].endswith("/mcp"), entry
    elif entry["command"] == "uvx":
        ours(entry["args"][entry["args"].index("--from") + 1])
        assert entry["args"][2] == "eks-aiops"
    else:
        assert entry["command"].endswith("eks-aiops"), entry


@cache
def _schemas() -> Mapping[str, Any]:
    """What each tool takes, by its name and by the gateway's name for it."""
    return {
        name: tool["inputSchema"]
        for server, tools in asyncio.run(all_tools(write=True)).items()
        for tool in tools
        for name in (tool["name"], f"{server}_{tool['name']}")
    }


def _call(call: Mapping[str, Any]) -> None:
    """A tool's call: the tool is there, and its schema takes the arguments."""
    name = call.get("tool") or call["name"]
    assert name in _schemas(), name
    jsonschema.validate(call.get("arguments", {}), _schemas()[name])


def read_json(block: Block, folder: Path) -> None:
    """Parsed; entries of clients' files, tools' calls and IAM policies by whoever reads them.

    An answer (`title="answer"`) is one of a transcript, which tests/docs/test_transcripts.py plays again.
    """
    del folder
    found = json.loads(block.text)
    if block.title == "answer":
        return
    for key in ("mcpServers", "servers"):
        if key in found:
            for entry in found[key].values():
                _entry(entry)
            return
    if "Statement" in found:
        assert all({"Effect", "Action", "Resource"} <= set(one) for one in found["Statement"])
        return
    _call(found)


def read_toml(block: Block, folder: Path) -> None:
    """Parsed; a client's file is held to the same as in JSON."""
    del folder
    found = tomllib.loads(block.text)
    for entry in found.get("mcp_servers", found.get("mcpServers", {})).values():
        _entry(entry)
    assert found


def read_cedar(block: Block, folder: Path) -> None:
    """Beside the shipped rules the loader takes it: it parses, and Cedar's schema knows all that it names."""
    for shipped in SHIPPED.glob("*.cedar"):
        (folder / shipped.name).write_bytes(shipped.read_bytes())
    _shown(block, folder, "cedar")
    before = len(Policy(PolicySettings()).rules)
    assert len(Policy(PolicySettings(dir=folder)).rules) > before


def read_promql(block: Block, folder: Path) -> None:
    """Each query is one that `query_metrics` would send."""
    del folder
    for query in filter(None, (line.partition("  #")[0].strip() for line in block.text.splitlines())):
        assert checked(query)


def read_cel(block: Block, folder: Path) -> None:
    """Each condition is one that a SOP may have."""
    del folder
    for line in filter(None, (line.partition("  //")[0].strip() for line in block.text.splitlines())):
        check(line, condition=True)


def read_sop(block: Block, folder: Path) -> None:
    """A SOP: the linter has nothing to say, tools and causes and stories included."""
    text = yaml.safe_load(block.text.split("---")[1])
    file = folder / f"{text['id']}.sop.md"
    file.write_text(block.text, encoding="utf-8")
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        assert anyio.run(lint_files, [file]) == 0, said.getvalue()


def read_python(block: Block, folder: Path) -> None:
    """It runs, in a folder with the files that the page shows; `await` may stand outside of functions."""
    for shown in all_blocks():
        if shown.page == block.page and shown.language == "yaml":
            keys = yaml.safe_load(shown.text)
            for key in set(keys) & set(WHERE_YAML):
                (folder / WHERE_YAML[key]).mkdir(exist_ok=True)
                (folder / WHERE_YAML[key] / "shown.yaml").write_text(shown.text, encoding="utf-8")
    code = compile(block.text, block.where, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    with contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()):
        if code.co_flags & inspect.CO_COROUTINE:
            asyncio.run(eval(code, {}))  # noqa: S307 - our own page
        else:
            exec(code, {})  # noqa: S102 - our own page


READERS: Final[Mapping[str, Reader]] = {
    "yaml": read_yaml,
    "json": read_json,
    "toml": read_toml,
    "cedar": read_cedar,
    "promql": read_promql,
    "cel": read_cel,
    "markdown": read_sop,
    "python": read_python,
}
