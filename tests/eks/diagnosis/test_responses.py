"""Each kind of trouble leads to its written procedure (row B3; the event router is the sop server's)."""

import pytest

from aiops_eks.diagnosis.registry import every_cause

PROCEDURES = {
    "APP_ERROR": "pod-crashloop",  # a pod in CrashLoop, whatever the program's own error
    "CONFIGMAP_MISSING": "pod-crashloop",
    "NODE_NOT_READY": "node-notready",
    "OOM_LIMIT_TOO_LOW": "oom-raise-limits",
    "IMAGE_NOT_FOUND": "image-pull-failure",
    "IMAGE_AUTH": "image-pull-failure",
    "NODE_DISK_PRESSURE": "disk-pressure",
}


@pytest.mark.row("B3")
@pytest.mark.parametrize(("code", "procedure"), PROCEDURES.items())
def test_a_cause_names_the_procedure_that_answers_it(code: str, procedure: str) -> None:
    causes = {cause.code: cause for cause in every_cause()}
    assert causes[code].sop == procedure
