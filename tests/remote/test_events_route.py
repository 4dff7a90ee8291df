"""POST /events of a server behind every layer: senders by tokens of their own, people by the issuer's."""

from pathlib import Path

import httpx
import pytest

from aiops_sop.server import Wiring
from aiops_sop.server import served as sop_of
from tests.remote.issuer import Issuer, Served, issuer, remote_settings
from tests.sop.events.samples import Named, alertmanager, seed_shape

SENDER = "fake-token-for-eventbridge"
pytestmark = [pytest.mark.row("S26"), pytest.mark.threat("T3")]


def configured(tmp_path: Path, idp: Issuer | None) -> Wiring:
    tokens = tmp_path / "tokens"
    tokens.write_text(f"eventbridge:{SENDER}\n", encoding="utf-8")
    settings = remote_settings(idp, tmp_path / "state")
    events = settings.events.model_copy(update={"token_file": tokens})
    return Wiring(settings.model_copy(update={"events": events}))


def test_a_sender_needs_its_token_and_a_person_the_scope(tmp_path: Path) -> None:
    with issuer() as idp:
        parts = configured(tmp_path, idp)
        with Served(sop_of(parts), parts.settings) as place, httpx.Client(base_url=place.base) as client:

            def post(event: object, **headers: str) -> httpx.Response:
                return client.post("/events", json=event, headers=headers)

            taken = post(seed_shape(Named(0)), authorization=f"Bearer {SENDER}")
            assert (taken.status_code, taken.json()["events"][0]["became"]) == (202, "queued"), taken.text
            assert post(alertmanager(Named(1), "A"), **{"x-api-key": SENDER}).status_code == 202
            person = idp.token(sub="anna", scope="aiops:execute")
            assert post(seed_shape(Named(2)), authorization=f"Bearer {person}").status_code == 202
            reader = idp.token(sub="anna", scope="aiops:read aiops:plan")
            short = post(seed_shape(Named(3)), authorization=f"Bearer {reader}")
            assert (short.status_code, "insufficient_scope" in short.headers["www-authenticate"]) == (
                403,
                True,
            )
            for wrong in ({}, {"x-api-key": "x" * 24}, {"authorization": "Bearer " + "y" * 24}):
                assert post(seed_shape(Named(4)), **wrong).status_code == 401
            both = {"x-api-key": SENDER, "authorization": f"Bearer {SENDER}"}
            assert post(seed_shape(Named(4)), **both).status_code == 401
            assert (
                post(seed_shape(Named(4)), **{"x-api-key": SENDER, "origin": place.base}).status_code == 403
            )
            mcp = client.post("/mcp", json={}, headers={"authorization": f"Bearer {SENDER}"})
            assert mcp.status_code == 401
            assert client.get("/events", headers={"x-api-key": SENDER}).status_code == 405


def test_without_an_issuer_only_senders_are_taken(tmp_path: Path) -> None:
    parts = configured(tmp_path, None)
    with Served(sop_of(parts), parts.settings) as place, httpx.Client(base_url=place.base) as client:
        assert client.post("/events", json=seed_shape(Named(0))).status_code == 401
        sent = client.post("/events", json=seed_shape(Named(0)), headers={"x-api-key": SENDER})
        assert sent.status_code == 202
