"""What changed, told from a real kube-apiserver: its managedFields, revisions, watches and audit records."""

import json
import subprocess
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest

from aiops_shared.guardrails.redacting import redact
from aiops_shared.kube.access import Access, FixedSource
from aiops_shared.kube.api import KubeApi
from aiops_shared.kube.changes.audits import audit_changes
from aiops_shared.kube.changes.forwarding import Forwarder
from aiops_shared.kube.changes.journal import WatchJournal
from aiops_shared.kube.changes.records import Change, Span
from aiops_shared.kube.changes.timeline import Sources, kinds_by_plural, read_changes
from aiops_shared.kube.changes.views import Viewer
from aiops_shared.kube.connection import Connection
from aiops_shared.settings import StateSettings
from aiops_shared.state import StateStore
from tests.cluster.control_plane import ControlPlane
from tests.cluster.product.objects import daemon_set, deployment

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
HOME = "changes"


class Now:
    """Real time."""

    async def now(self) -> datetime:
        return datetime.fromtimestamp(time.time(), UTC)

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(seconds)

    def safe_now(self) -> datetime:
        return datetime.fromtimestamp(time.time(), UTC)


def _run(plane: ControlPlane, words: list[str], manifest: dict[str, Any] | None) -> None:
    command = [str(plane.kubectl), "--kubeconfig", str(plane.kubeconfig()), "-n", HOME, *words]
    text = json.dumps(manifest) if manifest else None
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 0, done.stderr


async def kubectl(plane: ControlPlane, *words: str, manifest: dict[str, Any] | None = None) -> None:
    await anyio.to_thread.run_sync(partial(_run, plane, list(words), manifest))


def told(changes: tuple[Change, ...], kind: str, name: str) -> list[tuple[str, tuple[str, ...]]]:
    return [(one.verb, one.what) for one in reversed(changes) if (one.kind, one.name) == (kind, name)]


async def test_objects_audit_records_and_the_journal_tell_the_same_story(
    whole: ControlPlane, tmp_path: Path
) -> None:
    access = Access(whole.kube_url, ca_file=str(whole.ca_path), token=whole.token())
    api = KubeApi("real", Connection(FixedSource(access)))
    journal = WatchJournal(StateStore(StateSettings(dir=tmp_path)))

    async def forward() -> int:
        one = Forwarder(
            api, journal, Viewer(redact, b"k" * 32), Now(), "real", lambda line: None, round_s=1.0
        )
        await one.run(rounds=1)
        return one.written

    try:
        start = await Now().now() - timedelta(seconds=2)
        await kubectl(whole, "create", "namespace", HOME)
        await kubectl(whole, "create", "configmap", "settings", "--from-literal=MODE=a")
        for made in (deployment(), daemon_set()):
            made["metadata"].pop("namespace", None)
            await kubectl(whole, "apply", "-f", "-", manifest=made)
        await forward()
        await anyio.sleep(1.1)  # managedFields have whole seconds
        await kubectl(whole, "set", "image", "deployment/web", "*=shop/web:9.9")
        await kubectl(whole, "scale", "deployment/web", "--replicas=3", "--dry-run=server")
        await kubectl(whole, "patch", "configmap", "settings", "-p", '{"data":{"MODE":"b"}}')
        await anyio.sleep(1.1)
        await forward()
        await kubectl(whole, "delete", "configmap", "settings")
        await forward()
        span = Span(start, await Now().now() + timedelta(seconds=5), HOME)
        line = await read_changes(Sources(api, redact, journal=journal), span)
        rollouts = [what for verb, what in told(line.changes, "Deployment", "web") if verb == "rollout"]
        assert len(rollouts) == 1
        assert rollouts[0][0] == "revision 1 → 2"
        assert any(words.endswith("→ shop/web:9.9") for words in rollouts[0])
        config = told(line.changes, "ConfigMap", "settings")
        assert ("update", ("data.MODE a → b",)) in config
        assert ("delete", ("was data.MODE=b",)) in config
        kinds = await kinds_by_plural(api)
        records = [one for one in whole.audited() if one.get("objectRef", {}).get("namespace") == HOME]
        mine = [one for one in records if one.get("verb") in {"create", "patch", "delete"}]
        audited = [
            one for one in audit_changes(mine, dict(kinds), redact) if one.client.startswith("kubectl/")
        ]
        seen = [(one.verb, one.kind, one.name) for one in audited]
        assert ("delete", "ConfigMap", "settings") in seen
        assert ("create", "ConfigMap", "settings") in seen
        assert not any(one.verb == "scale" for one in audited)
        assert any("shop/web:9.9" in " ".join(one.what) for one in audited)
        assert {one.user for one in audited} == {"lab-admin"}
    finally:
        await api.aclose()
        journal.store.close()
