"""Time limits, stretched while judgements are counted: a busy machine is no wrong answer.

How long an answer takes is measured by `make bench`; that a limit holds is tested where it stands. What waits
for something to happen (`move_on_after`, the world's clock) is left as it is.
"""

from contextlib import AbstractContextManager
from typing import Final

import anyio
import pytest

from aiops_sop.clients import investigating

TIMES: Final = 8
_fail_after = anyio.fail_after


def patient(patch: pytest.MonkeyPatch) -> None:
    """Stretch every limit until the patch is undone."""
    patch.setattr(anyio, "fail_after", _later)
    patch.setattr(investigating, "ALL_S", investigating.ALL_S * TIMES)


def _later(delay: float | None, shield: bool = False) -> AbstractContextManager[anyio.CancelScope]:
    return _fail_after(None if delay is None else delay * TIMES, shield)
