"""The tool that writes configuration from measured facts. It returns files; it never writes one."""

from dataclasses import dataclass
from typing import Annotated, Protocol

from fastmcp import FastMCP
from fastmcp.exceptions import ResourceError
from fastmcp.tools.function_tool import FunctionTool
from pydantic import BeforeValidator, Field, WithJsonSchema

from aiops_shared.app.boundary import clean, escape_tree
from aiops_shared.errors import AiopsError, InvalidInputError
from aiops_shared.guardrails.redacting import redact_tree
from aiops_shared.kube import names
from aiops_shared.kube.nearest import nearest
from aiops_shared.params import READS, Cluster, Detail, Namespace, shown, to_list
from aiops_sop.models.configs import KINDS, PARTS, ConfigAsk, GeneratedConfig, Kind
from aiops_sop.tools.workloads import workload_of


class Configs(Protocol):
    """Makes configuration; fulfilled by `clients.config_making.ConfigMaker`."""

    async def generate(self, ask: ConfigAsk) -> GeneratedConfig:
        """The files. Raises InsufficientDataError on thin data, NotFoundError for a wrong name."""
        ...


def _wanted(value: object) -> object:
    words = to_list(value)
    if not isinstance(words, list | tuple) or not words:
        raise InvalidInputError("kinds", "names nothing", f"some of {', '.join(KINDS)}")
    for word in words:
        if word not in KINDS:
            near = nearest(str(word), KINDS)
            raise InvalidInputError(
                "kinds", f"{shown(str(word))} is none", f"nearest: {', '.join(near or KINDS)}"
            )
    return tuple(dict.fromkeys(words))


Kinds = Annotated[
    tuple[Kind, ...],
    BeforeValidator(_wanted),
    WithJsonSchema({"type": "array", "items": {"enum": list(KINDS)}}),
]


def serve_specs(server: FastMCP, configs: Configs) -> None:
    """`spec://{workload}/{part}`: one file of a workload's spec, made anew from what is measured now.

    `workload` is namespace.name; `part` requirements, design or tasks.
    """

    @server.resource(
        "spec://{workload}/{part}",
        mime_type="text/markdown",
        description="Spec of namespace.name: requirements, design or tasks",
    )
    async def spec(workload: str, part: str) -> str:
        try:
            found = await configs.generate(_of_resource(workload, part))
        except AiopsError as error:
            raise ResourceError(clean(error.wire())) from error
        text = next(file.content for file in found.files if file.path.endswith(f"/{part}.md"))
        return str(escape_tree(redact_tree({"text": text}))["text"])


def _of_resource(workload: str, part: str) -> ConfigAsk:
    namespace, dot, name = workload[:300].partition(".")
    if not dot or part not in PARTS:
        raise InvalidInputError(
            "spec", "is no such resource", "spec://NAMESPACE.NAME/requirements|design|tasks"
        )
    kind, name = workload_of(name)
    home = names.namespace(namespace)
    return ConfigAsk(namespace=home, kind=kind, name=name, kinds=("spec",), full=True)


@dataclass(frozen=True)
class ConfigTools:
    """Tools that make files."""

    configs: Configs

    async def generate_config(
        self,
        workload: Annotated[str, Field(max_length=300, description="kind/name, e.g. deployment/api")],
        namespace: Namespace,
        kinds: Kinds,
        cluster: Cluster = None,
        detail: Detail = "summary",
    ) -> GeneratedConfig:
        """Generate (write) a workload's configuration (HPA, requests, NodePool) from its measured use: files
        in which every number has metric, window and percentile; dry-run by the API server. Refuses on thin
        data. Apply by plan_manifest.
        """
        kind, name = workload_of(workload)
        ask = ConfigAsk(
            cluster=cluster,
            namespace=namespace,
            kind=kind,
            name=name,
            kinds=kinds,
            full=detail == "full",
        )
        return await self.configs.generate(ask)

    def tools(self) -> list[FunctionTool]:
        """The tools of this module."""
        return [FunctionTool.from_function(self.generate_config, annotations=READS, tags={"read"})]
