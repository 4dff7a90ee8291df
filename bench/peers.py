"""Other servers of the field: the newest that could be installed, pinned here, kept in .cache by version."""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

CACHE: Final = Path(__file__).resolve().parents[1] / ".cache" / "bench-peers"
INSTALL_S: Final = 300


@dataclass(frozen=True)
class Package:
    """One server as its registry has it; its program has the package's name."""

    name: str
    version: str
    registry: str  # PyPI or npm

    @property
    def named(self) -> str:
        """Name and version, as tables say it."""
        return f"{self.name} {self.version}"


AWSLABS_EKS: Final = Package("awslabs.eks-mcp-server", "0.2.1", "PyPI")
AWSLABS_CLOUDWATCH: Final = Package("awslabs.cloudwatch-mcp-server", "0.3.1", "PyPI")
AWSLABS_PROMETHEUS: Final = Package("awslabs.prometheus-mcp-server", "0.3.1", "PyPI")
AWSLABS_BILLING: Final = Package("awslabs.billing-cost-management-mcp-server", "0.0.42", "PyPI")
KUBERNETES_MCP: Final = Package("kubernetes-mcp-server", "0.0.67", "npm")
MCP_KUBERNETES: Final = Package("mcp-server-kubernetes", "4.1.7", "npm")


def command_of(package: Package) -> list[str] | None:
    """The command of a server, installed first where it is not; None when it cannot be installed here."""
    home = CACHE / f"{package.name}-{package.version}"
    python, npm = package.registry == "PyPI", home / "node_modules" / ".bin"
    program = (home / "bin" if python else npm) / package.name
    if not program.exists():
        home.mkdir(parents=True, exist_ok=True)
        _from_pypi(home, package) if python else _from_npm(home, package)
    return [str(program)] if program.exists() else None


def _from_pypi(home: Path, package: Package) -> None:
    uv = str(Path(sys.executable).parent / "uv")
    if _done([uv, "venv", "--quiet", "--python", sys.executable, str(home)]):
        # Compiled at once: else the first cold start that is measured would do it.
        flags = ["--quiet", "--compile-bytecode", "--python", str(home / "bin" / "python")]
        _done([uv, "pip", "install", *flags, f"{package.name}=={package.version}"])


def _from_npm(home: Path, package: Package) -> None:
    if npm := shutil.which("npm"):
        flags = ["--no-audit", "--no-fund", "--silent", "--prefix", str(home)]
        _done([npm, "install", *flags, f"{package.name}@{package.version}"])


def _done(command: list[str]) -> bool:
    try:
        return subprocess.run(command, check=False, timeout=INSTALL_S, stdout=sys.stderr).returncode == 0
    except (subprocess.TimeoutExpired, OSError):
        return False
