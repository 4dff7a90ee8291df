"""How long a scan of a 500-document file takes, without and with repair."""

import time

from aiops_eks.diagnosis.scanning.placing import sheet
from aiops_eks.diagnosis.scanning.reporting import report
from aiops_lab.scenarios.manifests import seed_text
from aiops_lab.scenarios.names import cast
from bench.rows import Row, met

DOCUMENTS = 500
WITHIN_S = 1.0
_TRIES = 3


def scans() -> list[Row]:
    """Rows of the table: the whole tool but the answer's serialisation, best of a few tries."""
    text = "---\n".join(seed_text(cast(seed % 40)).replace("\r\n", "\n") for seed in range(DOCUMENTS))
    rows: list[Row] = []
    for fix, name in ((False, "scan"), (True, "scan and fix")):
        best = min(_once(text, fix=fix) for _ in range(_TRIES))
        what = f"{name} of {DOCUMENTS} documents ({len(text) // 1024} KiB)"
        rows.append((what, f"<= {WITHIN_S:.0f} s", f"{best:.2f} s", met(best, WITHIN_S)))
    return rows


def _once(text: str, *, fix: bool) -> float:
    began = time.perf_counter()
    report(sheet(text), "restricted", fix=fix)
    return time.perf_counter() - began
