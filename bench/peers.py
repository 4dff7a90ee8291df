"""Other servers of the field, installed once from their registries into a cache of their own."""

import shutil
import subprocess
import sys
from pathlib import Path

CACHE = Path(__file__).resolve().parents[1] / ".cache"
PYTHON_HOME = CACHE / "bench-peers"
NPM_HOME = CACHE / "bench-npm"
AWSLABS_EKS = "awslabs.eks-mcp-server==0.2.1"
KUBERNETES_MCP = "kubernetes-mcp-server@0.0.67"
INSTALL_S = 300


def awslabs_eks() -> list[str] | None:
    """The command of AWS Labs' eks server, or None when it cannot be installed here."""
    command = PYTHON_HOME / "bin" / "awslabs.eks-mcp-server"
    if not command.exists():
        CACHE.mkdir(exist_ok=True)
        if not _done([sys.executable, "-m", "venv", str(PYTHON_HOME)]):
            return None
        _done([str(PYTHON_HOME / "bin" / "pip"), "install", "--quiet", AWSLABS_EKS])
    return [str(command)] if command.exists() else None


def kubernetes_mcp_server() -> list[str] | None:
    """The command of the containers project's server, or None when it cannot be installed here."""
    command = NPM_HOME / "node_modules" / ".bin" / "kubernetes-mcp-server"
    npm = shutil.which("npm")
    if not command.exists() and npm:
        NPM_HOME.mkdir(parents=True, exist_ok=True)
        flags = ["--no-audit", "--no-fund", "--silent", "--prefix", str(NPM_HOME)]
        _done([npm, "install", *flags, KUBERNETES_MCP])
    return [str(command)] if command.exists() else None


def _done(command: list[str]) -> bool:
    try:
        return subprocess.run(command, check=False, timeout=INSTALL_S).returncode == 0
    except subprocess.TimeoutExpired:
        return False
