"""`eks-aiops forward` as an operator starts it, and the server's tools that read what it kept."""

from pathlib import Path

import pytest
from fastmcp import Client

from aiops_eks.server import make
from aiops_shared.errors import AiopsError, InvalidInputError
from aiops_shared.settings import Settings
from eks_aiops.forwarding import duration_s, forward
from tests.eks.reading import records
from tests.lab_fixture import running_lab

WITHOUT = ("AIOPS_CLUSTERS_FILE", "AIOPS_KUBE_CONTEXT", "AWS_PROFILE", "AWS_SESSION_TOKEN")


@pytest.mark.timeout(60)  # two whole rounds of nineteen watches
async def test_what_the_command_kept_stands_in_the_servers_timeline(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with running_lab("healthy") as lab:
        for name in WITHOUT:
            monkeypatch.delenv(name, raising=False)
        for name, value in lab.export("aiops-reader").items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AIOPS_STATE_DIR", str(tmp_path / "state"))
        meta = {"name": "settings", "namespace": "staging"}
        lab.store.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"MODE": "a"}})
        assert await forward(None, 1.0) == 0
        lab.store.delete("ConfigMap", "staging", "settings")
        lab.clock.advance(2)
        assert await forward("my-cluster", 1.0) == 0
        with pytest.raises(AiopsError, match="my-cluster"):
            await forward("my-clutser", 1.0)
        said = capsys.readouterr().err
        assert "watching 111122223333/us-east-1/my-cluster" in said
        assert "forward: 1 change kept" in said
        async with Client(make(Settings())) as client:
            answer = await client.call_tool("list_changes", {"namespace": "staging", "kind": "cm"})
        found = records((answer.structured_content or {})["changes"])
        (row,) = found
        assert (row["verb"], row["sources"].split(",")[-1]) == ("delete", "journal")
        assert row["what"].startswith("was data.MODE=a (or up to ")
        assert lab.requests.writes() == []


def test_durations_are_read_as_people_write_them() -> None:
    assert (duration_s("90s"), duration_s("30m"), duration_s("2h")) == (90.0, 1800.0, 7200.0)
    with pytest.raises(InvalidInputError):
        duration_s("soon")
