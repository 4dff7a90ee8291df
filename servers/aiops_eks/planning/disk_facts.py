"""What policy judges a clean of disks by. Pure; used when it is planned and when it is carried out (D3)."""

from aiops_shared.guardrails.models import Facts


def disk_facts(measured: Facts) -> Facts:
    """Undo gives nothing back, but what is removed is made again or expendable: partly reversible (D11)."""
    return measured.model_copy(update={"reversible": "partial"})
