"""Starting a server must not pay for libraries that only a call needs (decision D31)."""

import subprocess
import sys

import pytest

HEAVY = {"httpx", "orjson", "boto3", "botocore", "kubernetes", "cryptography", "rapidfuzz", "yaml"}
MODULES = [
    "aiops_shared.auth",
    "aiops_shared.aws",
    "aiops_shared.http",
    "aiops_shared.kube",
    "aiops_shared.kube.clusters",
]


@pytest.mark.parametrize("module", MODULES)
def test_importing_a_room_loads_no_heavy_library(module: str) -> None:
    code = f"import sys, {module}; print(*sorted({HEAVY!r} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=25
    )
    assert done.stdout.split() == []
