"""Time limits of a call, stretched while judgements are counted: a busy machine is no wrong answer.

How long an answer takes is measured by `make bench`; that a limit holds is tested where it stands.
"""

from importlib import import_module
from typing import Final

import pytest

TIMES: Final = 8
LIMITS: Final = (
    ("aiops_sop.clients.investigating", "ROUND_S"),
    ("aiops_sop.clients.investigating", "ALL_S"),
    ("aiops_sop.clients.peers", "CALL_S"),
    ("aiops_sop.clients.pipeline", "EVIDENCE_S"),
    ("aiops_observability.clients.trace_places", "ANSWER_S"),
    ("aiops_observability.clients.alarm_topology", "ANSWER_S"),
    ("aiops_shared.app.boundary", "CALL_DEADLINE_S"),
)


def patient(patch: pytest.MonkeyPatch) -> None:
    """Stretch every limit until the patch is undone."""
    for name, limit in LIMITS:
        module = import_module(name)
        patch.setattr(module, limit, getattr(module, limit) * TIMES)
