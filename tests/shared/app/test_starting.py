"""A server's start leaves the garbage collector working, and away from what was loaded."""

import subprocess
import sys

_LOADED = """
import gc
gc.disable()
from aiops_shared.app.starting import end_loading
end_loading()
print(gc.isenabled(), gc.get_freeze_count() > 1000)
"""
_SERVED = """
import gc, sys
import aiops_shared.app.serving as serving
from eks_aiops.__main__ import main
serving.anyio.run = lambda *_: print(gc.isenabled(), gc.get_freeze_count() > 1000)
sys.argv = ["eks-aiops", "eks"]
main()
"""


def _said(program: str) -> str:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False).stdout


def test_the_collector_works_on_the_rest_once_all_is_loaded() -> None:
    assert _said(_LOADED) == "True True\n"


def test_the_console_script_serves_with_the_collector_at_work() -> None:
    assert "True True\n" in _said(_SERVED)
