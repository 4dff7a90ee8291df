"""Text made to slow the redaction down or to get past it (T6, T14). All planted values are fake."""

import time

import pytest

from aiops_shared.guardrails.redacting import redact

LONG = 60_000
MOST_S = 20.0  # linear cost is some 0.1 s; what tries every split of a run of blanks takes minutes


@pytest.mark.threat("T14")
@pytest.mark.parametrize(
    "text",
    [
        "name: password" + " " * LONG + "x",
        "name: password" + "\n" * LONG + "x",
        "--password" + '",' * (LONG // 2) + "x",
        "--password" + " " * LONG + ",",
        "secret: [" + " " * LONG + "x",
        'secret: ["' * (LONG // 10),
        'secret="' * (LONG // 8),
        "-----BEGIN PRIVATE KEY-----" * (LONG // 27),
        '"data":{"a":1}' * (LONG // 14),
        "curl -u " * (LONG // 8),
    ],
    ids=lambda text: text[:16],
)
def test_no_text_makes_the_redaction_slow(text: str) -> None:
    started = time.monotonic()
    redact(text)
    assert time.monotonic() - started < MOST_S


@pytest.mark.threat("T6")
@pytest.mark.parametrize(
    "text",
    [
        '{"passwords": ["planted1Xy", "planted2Xy"]}',
        '{"name": "DB_PASSWORD", "value": ["planted1Xy"]}',
        "args:\n  - --password\n  - planted1Xy\n  - --port\n",
        'args: ["--db-password", "planted1Xy", "--port", "80"]',
        r"[\"--token\", \"planted1Xy\"]",
    ],
)
def test_a_secret_in_a_list_is_masked(text: str) -> None:
    clean = redact(text)
    assert "planted" not in clean
    assert "[redacted:" in clean


@pytest.mark.parametrize(
    "text",
    [
        "--password --verbose",
        '["--password", "--verbose"]',
        "- --token\n- --verbose\n",
        'resources: ["secrets", "pods"]',
        "tokens: [1, 2]",
        "secrets: [{name: a}]",
    ],
)
def test_a_list_that_holds_no_secret_stays(text: str) -> None:
    assert redact(text) == text
