"""Other servers of the field, installed from the registry into an environment of their own."""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parents[1]
HOME = HERE / ".cache" / "bench-peers"
AWSLABS_EKS = "awslabs.eks-mcp-server==0.2.1"


def awslabs_eks() -> list[str] | None:
    """The command of AWS Labs' eks server, or None when it cannot be installed here."""
    command = HOME / "bin" / "awslabs.eks-mcp-server"
    if not command.exists():
        HOME.parent.mkdir(exist_ok=True)
        made = subprocess.run([sys.executable, "-m", "venv", str(HOME)], check=False)
        if made.returncode:
            return None
        wanted = [str(HOME / "bin" / "pip"), "install", "--quiet", AWSLABS_EKS]
        if subprocess.run(wanted, check=False).returncode or not command.exists():
            return None
    return [str(command)]


def installed_version(package: str) -> str:
    """Which version the peers' environment holds."""
    shown = subprocess.run(
        [str(HOME / "bin" / "pip"), "show", package], check=False, capture_output=True, text=True
    )
    for line in shown.stdout.splitlines():
        if line.startswith("Version:"):
            return line.split()[1]
    return "?"
