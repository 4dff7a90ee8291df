"""The operator's table of allowed accounts and clusters (`AIOPS_CLUSTERS_FILE`), read strictly.

    accounts:
      - account_id: "111122223333"
        role_arn: arn:aws:iam::111122223333:role/aiops
        external_id: example
        regions: [us-west-2]
    clusters:
      - {name: shop, account_id: "111122223333", region: us-west-2, environment: prod}
      - {name: kind, context: kind-kind, environment: dev}
    repositories:
      - {name: shop-config, path: /srv/git/shop-config.git, branch: main, applications: [shop], push: never}

A mistake names its line and field. Read once, when the first cluster is asked for.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from aiops_shared.errors import NotConfiguredError
from aiops_shared.results import Frozen

MAX_BYTES = 1_000_000
MAX_MISTAKES = 5
THING = "AIOPS_CLUSTERS_FILE"
_ACCOUNT, _REGION = "[0-9]{12}", "[a-z]{2}(-[a-z]{2,12}){1,3}-[0-9]{1,2}"
_BRANCH = "[A-Za-z0-9][A-Za-z0-9._/-]*"
_ROLE = "arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]+"
Region = Annotated[str, Field(pattern=f"^{_REGION}$")]


class AccountRow(Frozen):
    """One account that may be asked, and as which role. Ids stand in quotes."""

    account_id: Annotated[str, Field(pattern=f"^{_ACCOUNT}$", strict=True)]
    role_arn: Annotated[str, Field(pattern=f"^({_ROLE})?$", max_length=2048)] = ""
    external_id: Annotated[str, Field(max_length=1224)] = ""
    regions: Annotated[tuple[Region, ...], Field(min_length=1)]


class ClusterRow(Frozen):
    """One cluster: of EKS by account and region, or any by its kubeconfig context."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$")]
    account_id: Annotated[str, Field(pattern=f"^({_ACCOUNT})?$", strict=True)] = ""
    region: Annotated[str, Field(pattern=f"^({_REGION})?$")] = ""
    environment: Literal["prod", "staging", "dev", ""] = ""
    context: str = ""

    @model_validator(mode="after")
    def _says_where(self) -> "ClusterRow":
        if not self.context and not (self.account_id and self.region):
            raise ValueError("give account_id and region, or a kubeconfig context")
        return self


class RepositoryRow(Frozen):
    """One git repository on this machine that a GitOps controller reads, a clone or bare (decision D13).

    `applications`: names of the Argo CD applications or Flux objects that it feeds.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$")]
    path: Annotated[Path, Field(description="absolute")]
    branch: Annotated[str, Field(pattern=f"^{_BRANCH}$", max_length=200)] = "main"
    applications: tuple[Annotated[str, Field(min_length=1, max_length=253)], ...] = ()
    push: Literal["never", "policy"] = "never"

    @model_validator(mode="after")
    def _can_be_found(self) -> "RepositoryRow":
        if not self.path.is_absolute():
            raise ValueError("path is not absolute")
        if ".." in self.branch or "//" in self.branch or self.branch.endswith(("/", ".lock", ".")):
            raise ValueError("branch is not a branch's name")
        return self


class ClusterTable(Frozen):
    """The whole file."""

    accounts: tuple[AccountRow, ...] = ()
    clusters: tuple[ClusterRow, ...] = ()
    repositories: tuple[RepositoryRow, ...] = ()

    @model_validator(mode="after")
    def _fits_together(self) -> "ClusterTable":
        if not self.accounts and not self.clusters:
            raise ValueError("it names neither accounts nor clusters")
        regions = {row.account_id: row.regions for row in self.accounts}
        if len(regions) != len(self.accounts):
            raise ValueError("an account_id stands twice under accounts")
        if len({row.name for row in self.repositories}) != len(self.repositories):
            raise ValueError("a name stands twice under repositories")
        for row in self.clusters:
            if not row.context and row.region not in regions.get(row.account_id, ()):
                raise ValueError(
                    f"cluster {row.name}: account {row.account_id} with region {row.region} "
                    "does not stand under accounts"
                )
        return self

    def account(self, account_id: str) -> AccountRow | None:
        """The row of an account."""
        return next((row for row in self.accounts if row.account_id == account_id), None)


def read_table(path: Path) -> ClusterTable:
    """The table in a file. Raises NotConfiguredError that names line and field of each mistake."""
    import yaml

    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1)
        if len(text) > MAX_BYTES:
            raise NotConfiguredError(THING, f"{path.name} is larger than {MAX_BYTES} bytes")
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, yaml.SafeLoader)):
            raise NotConfiguredError(THING, f"{path.name} has YAML aliases", "write the rows out")
        node, data = yaml.compose(text, yaml.SafeLoader), yaml.safe_load(text)
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise NotConfiguredError(THING, f"cannot be read ({' '.join(str(error).split())[:200]})") from error
    try:
        return ClusterTable.model_validate(data)
    except ValidationError as error:
        mistakes = [_mistake(one, node) for one in error.errors(include_url=False, include_input=False)]
        raise NotConfiguredError(THING, "; ".join(mistakes[:MAX_MISTAKES]), f"correct {path.name}") from error


def _mistake(error: Any, node: Any) -> str:
    where = list(error["loc"])
    field = ".".join(str(part) for part in where) or "the file"
    return f"line {_line(node, where)}, {field}: {error['msg']}"


def _line(node: Any, where: list[Any]) -> int:
    """The line of the deepest part of a path that the file has."""
    import yaml

    line = 1
    for part in where:
        if isinstance(node, yaml.MappingNode):
            pair = next(((key, value) for key, value in node.value if key.value == part), None)
            if pair is None:
                break
            line, node = pair[0].start_mark.line + 1, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            break
    return line
