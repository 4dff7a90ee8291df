"""Every client gets the same from our server: a list, a diagnosis, and a write that is refused."""

from pathlib import Path

import pytest

from aiops_lab.scenarios.names import cast
from tests.e2e.clients import CLIENTS
from tests.e2e.processes import environment
from tests.lab_fixture import running_lab

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
HOME = "production"


@pytest.mark.parametrize("client", list(CLIENTS))
async def test_a_client_lists_diagnoses_and_is_refused_a_write(client: str, tmp_path: Path) -> None:
    async with (
        running_lab("pod-crashloop", 4) as lab,
        CLIENTS[client](environment(lab, tmp_path), tmp_path) as call,
    ):
        pods = await call("list_resources", {"kind": "Pod", "namespace": HOME})
        assert not pods.error, pods.text
        table = pods.data["resources"]
        assert table["rows"][0][table["columns"].index("name")].startswith(cast(4).api), "worst first"
        found = await call("diagnose", {"namespace": HOME})
        assert found.data["findings"][0]["code"] == "CONFIGMAP_MISSING"
        refused = await call("execute_plan", {"plan_id": "pln_" + "x" * 20, "confirm": "yes"})
        assert refused.error
        assert refused.text.startswith("[read_only]")
        assert lab.requests.writes() == []
