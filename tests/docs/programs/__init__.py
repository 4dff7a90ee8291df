"""What a program's name means in a page: ours run for real, those of others as far as this machine can.

A checker takes the arguments, in the page's own folder and environment, and gives an exit code; a failed
assertion in it is told to whoever runs the page's tests. Each docstring says what it proves. Programs
that are not named here (cp, curl, openssl, …) run as they are; one that is not installed fails its page.
"""

from collections.abc import Callable, Mapping
from typing import Final

from tests.docs.programs.aws import aws
from tests.docs.programs.charts import helm
from tests.docs.programs.clients import claude
from tests.docs.programs.containers import docker
from tests.docs.programs.kube import kubectl
from tests.docs.programs.launchers import npx, pip, pipx, uv, uvx
from tests.docs.programs.ours import eks_aiops, fastmcp, load, make, python

PROGRAMS: Final[Mapping[str, Callable[[list[str]], int]]] = {
    "aws": aws,
    "claude": claude,
    "docker": docker,
    "eks-aiops": eks_aiops,
    "fastmcp": fastmcp,
    "helm": helm,
    "kubectl": kubectl,
    "make": make,
    "npx": npx,
    "pip": pip,
    "pipx": pipx,
    "python": python,
    "python3": python,
    "uv": uv,
    "uvx": uvx,
}
__all__ = ["PROGRAMS", "load"]
