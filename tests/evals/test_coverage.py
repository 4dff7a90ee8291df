"""The table of faults names causes that exist, all of them, and says why where there is none."""

from aiops_eks.diagnosis.registry import every_cause
from evals.coverage import faults


def test_every_cause_stands_at_a_fault_and_no_row_names_one_that_does_not_exist() -> None:
    named = {code for fault in faults() for code in fault.codes}
    causes = {cause.code for cause in every_cause()}
    assert causes - named - {"POD_STUCK"} == set()  # what nothing explains is no fault of its own
    assert named - causes == set()


def test_a_fault_without_a_cause_says_why() -> None:
    assert [fault.fault for fault in faults() if not fault.codes and not fault.note] == []
