"""No planted secret leaves, and clean text stays as it is (F17b, T6, T7)."""

import io
import json
import logging
import time
from collections import Counter
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aiops_shared.guardrails.redacting import (
    RedactingFilter,
    escape_untrusted,
    redact,
    redact_tree,
    shortened,
)
from eks_aiops.drilling.secret_corpus import KINDS, look_alikes, planted

pytestmark = [pytest.mark.row("S31"), pytest.mark.threat("T6")]
SEEDS = [20261122, 1, 2, 3, 4]


@pytest.mark.parametrize("seed", SEEDS)
def test_of_a_thousand_planted_secrets_of_18_kinds_none_is_left(seed: int) -> None:
    assert len(KINDS) == 18
    leaked = [one for one in planted(seed, 1000) if one.secret in redact(one.text)]
    assert leaked == []


@pytest.mark.parametrize("seed", SEEDS)
def test_of_nine_thousand_look_alikes_none_is_touched(seed: int) -> None:
    touched = [(line, redact(line)) for line in look_alikes(seed, 9000) if redact(line) != line]
    assert touched[:5] == []


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_redacting_what_is_redacted_changes_nothing(kind: str) -> None:
    for one in [one for one in planted(7, 360) if one.kind == kind]:
        once = redact(one.text)
        assert redact(once) == once


_NOISE = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


@given(number=st.integers(0, 10_000), before=_NOISE, after=_NOISE)
@settings(max_examples=400, deadline=None)
def test_a_planted_secret_on_a_line_of_its_own_never_leaks_whatever_is_around(
    number: int, before: str, after: str
) -> None:
    one = planted(number, number % 18 + 1)[-1]
    text = f"{before}\n{one.text}\n{after}"
    once = redact(text)
    assert one.secret not in once
    assert redact(once) == once


@given(text=st.text(max_size=400))
@settings(max_examples=300, deadline=None)
def test_redacting_twice_is_redacting_once(text: str) -> None:
    assert redact(redact(text)) == redact(text)


@given(
    parts=st.lists(
        st.sampled_from(
            ["password", "=", ": ", '"', "'", "{", "}", "token", " ", "\n", "x1", "[redacted:jwt]"]
        ),
        max_size=30,
    )
)
@example(parts=["=", "token", "=", "password", "=", "password"])
@settings(max_examples=500, deadline=None)
def test_redacting_twice_is_redacting_once_in_the_thick_of_it(parts: list[str]) -> None:
    text = "".join(parts)
    assert redact(redact(text)) == redact(text)


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("DB_PASSWORD=hunter2", "DB_PASSWORD=[redacted:assignment]"),
        ('{"password": "hun\\"ter2", "user": "x"}', '{"password": "[redacted:assignment]", "user": "x"}'),
        (r'"{\"password\":\"hunter2\"}"', r'"{\"password\":\"[redacted:assignment]\"}"'),
        ("url?token=abc123def456&page=2", "url?token=[redacted:assignment]&page=2"),
        ("psql --password hunter2 --host db", "psql --password [redacted:assignment] --host db"),
        ("password: |\n  two\n  lines\nnext: x", "password: [redacted:assignment]\nnext: x"),
        ("postgres://u:p@ss/w@db:5432/x", "postgres://u:[redacted:url-password]@db:5432/x"),
        ("password=[redacted:assignment]hunter2", "password=[redacted:assignment]"),
        ("Set-Cookie: session=abcdef; Path=/", "Set-Cookie: [redacted:cookie]"),
        ("a: 1\npassword: hunter2", "a: 1\npassword: [redacted:assignment]"),
        ("X-Amz-Security-Token=" + "a1" * 20 + "&x=1", "X-Amz-Security-Token=[redacted:session-token]&x=1"),
        ("k8s-aws-v1." + "aHR0cHM6Ly9zdHMu" * 3, "[redacted:session-token]"),
        ("<password>hunter2</password>", "<password>[redacted:assignment]</password>"),
        ("ALTER USER app IDENTIFIED BY 'hunter2'", "ALTER USER app IDENTIFIED BY '[redacted:assignment]'"),
        ("requirepass hunter2", "requirepass [redacted:assignment]"),
        ("curl -s -u admin:hunter2 https://x", "curl -s -u admin:[redacted:assignment] https://x"),
        ('"auth": "YWRtaW46aHVudGVyMg=="', '"auth": "[redacted:authorization]"'),
    ],
)
def test_only_the_value_goes_and_the_rest_stays_readable(text: str, clean: str) -> None:
    assert redact(text) == clean


def test_a_key_that_was_cut_off_is_taken_out_to_the_end() -> None:
    cut = "x\n-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA\nsecondline"
    assert redact(cut) == "x\n[redacted:private-key]"


def test_the_counts_say_how_many_each_rule_took_out() -> None:
    counts: Counter[str] = Counter()
    redact("DB_PASSWORD=a1b2c3 and AKIAIOSFODNN7EXAMPLE and SMTP_PASSWORD=b", counts)
    redact_tree({"token": "x", "n": 1}, counts)
    assert counts == {"assignment": 2, "aws-key-id": 1, "key-name": 1}


def test_a_value_is_redacted_whole_and_cut_afterwards() -> None:
    secret = "ghp_" + "a1B2" * 9
    text = "x" * 90 + " " + secret
    assert shortened(text, 100) == "x" * 90 + " [redacte…"
    assert shortened("short", 100) == "short"


# Structure.

SECRET = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {
        "name": "db",
        "annotations": {
            "kubectl.kubernetes.io/last-applied-configuration": '{"data":{"a":"Y2FuYXJ5"}}',
            "team": "a",
        },
        "managedFields": [{"manager": "kubectl"}],
    },
    "data": {"user": "Y2FuYXJ5", "tls.key": "Y2FuYXJ5"},
    "stringData": {"plain": "canary"},
    "type": "Opaque",
}


def test_a_secret_keeps_its_key_names_only() -> None:
    clean = redact_tree(SECRET)
    assert clean["data"] == {"user": "[redacted:secret-data]", "tls.key": "[redacted:secret-data]"}
    assert clean["stringData"] == {"plain": "[redacted:secret-data]"}
    assert clean["metadata"] == {"name": "db", "annotations": {"team": "a"}}
    assert "Y2FuYXJ5" in json.dumps(SECRET)  # the input is not changed
    assert "Y2FuYXJ5" not in json.dumps(clean)


def test_secrets_in_a_list_that_do_not_say_their_kind_are_known_too() -> None:
    item = {key: value for key, value in SECRET.items() if key != "kind"}
    for wrapped in ({"kind": "SecretList", "items": [item | {"type": "x"}]}, {"items": [item]}, [SECRET]):
        assert "Y2FuYXJ5" not in json.dumps(redact_tree(wrapped))


def test_values_are_masked_by_the_name_they_stand_under() -> None:
    clean = redact_tree(
        {
            "env": [
                {"name": "DB_PASSWORD", "value": "canary"},
                {"name": "LOG_LEVEL", "value": "info"},
                {"name": "API_KEY", "valueFrom": {"secretKeyRef": {"name": "api", "key": "token"}}},
            ],
            "args": ["--token", "canary", "--verbose", "--password=canary", "--token", "--x"],
            "config": {"apiKey": "canary", "passwords": ["canary"], "token_count": 3, "port": 80, "on": True},
            "volumes": [{"name": "s", "secret": {"secretName": "db"}}],
            "Tags": [{"Key": "db-password", "Value": "canary"}],
            "nextToken": "abc",
            "automountServiceAccountToken": True,
        }
    )
    assert "canary" not in json.dumps(clean)
    assert clean["env"][1:] == [
        {"name": "LOG_LEVEL", "value": "info"},
        {"name": "API_KEY", "valueFrom": {"secretKeyRef": {"name": "api", "key": "token"}}},
    ]
    assert clean["args"][2] == "--verbose"
    assert clean["args"][4:] == ["--token", "--x"]
    assert clean["config"] | {"apiKey": "", "passwords": []} == {
        "apiKey": "",
        "passwords": [],
        "token_count": 3,
        "port": 80,
        "on": True,
    }
    assert clean["volumes"] == [{"name": "s", "secret": {"secretName": "db"}}]
    assert (clean["nextToken"], clean["automountServiceAccountToken"]) == ("abc", True)


def test_a_config_maps_text_is_looked_into() -> None:
    clean = redact_tree(
        {"kind": "ConfigMap", "data": {"app.yaml": "db:\n  password: canary1\n  port: 5432\n"}}
    )
    assert clean["data"]["app.yaml"] == "db:\n  password: [redacted:assignment]\n  port: 5432\n"


def test_a_value_nested_beyond_all_reason_is_masked_not_followed() -> None:
    deep: Any = "canary"
    for _ in range(5000):
        deep = [deep]
    assert "canary" not in str(redact_tree(deep))


def test_a_tree_redacted_twice_is_the_same() -> None:
    once = redact_tree({**SECRET, "env": [{"name": "DB_PASSWORD", "value": "x"}], "password": "y"})
    assert redact_tree(once) == once


# Logs.


def logged(emit: Any, form: str = "%(levelname)s %(message)s %(extra)s") -> str:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(RedactingFilter())
    handler.setFormatter(logging.Formatter(form, defaults={"extra": ""}))
    logger = logging.Logger("test-redacting")  # noqa: LOG001  # one of its own, without handlers of others
    logger.addHandler(handler)
    emit(logger)
    return stream.getvalue()


def test_log_messages_arguments_and_extra_fields_are_clean() -> None:
    text = logged(
        lambda log: log.warning("login with password=%s", "canary1", extra={"extra": {"token": "canary2"}})
    )
    assert "canary" not in text
    assert "login with password=[redacted:assignment]" in text


def test_a_traceback_in_the_log_is_clean() -> None:
    def connect() -> None:
        raise ConnectionError("postgres://app:canary3@db/shop refused")

    def emit(log: logging.Logger) -> None:
        try:
            connect()
        except ConnectionError:
            log.exception("failed", stack_info=True)

    text = logged(emit)
    assert "canary3" not in text
    assert "ConnectionError: postgres://app:[redacted:url-password]@db/shop refused" in text


def test_a_wrong_format_string_loses_no_record() -> None:
    assert "[redacted:assignment]" in logged(lambda log: log.warning("%d password=x1", "not a number"))


# Untrusted text.


@pytest.mark.threat("T7")
@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", r"\u001b[31mred\u001b[0m"),
        ("\x1b]8;;http://evil\x07click", r"\u001b]8;;http://evil\u0007click"),
        ("admin\u202enimda", r"admin\u202enimda"),
        ("pay\u200bload\ufeff", r"pay\u200bload\ufeff"),
        ("\U000e0049gnore", r"\U000e0049gnore"),
        ("a\rb\r\nc\n\td", "a\\u000db\nc\n\td"),
        ("\x9b31m\x7f\x00", r"\u009b31m\u007f\u0000"),
        ("lone \ud800 half", r"lone \ud800 half"),
        ("naïve 日本語 🙂 stays", "naïve 日本語 🙂 stays"),
    ],
)
def test_characters_that_hide_or_act_are_spelled_out(text: str, shown: str) -> None:
    assert escape_untrusted(text) == shown


@pytest.mark.threat("T7")
@given(text=st.text(st.characters(exclude_categories=[])))
def test_escaped_text_is_printable_and_encodes(text: str) -> None:
    shown = escape_untrusted(text)
    assert escape_untrusted(shown) == shown
    assert not any(ord(char) < 32 and char not in "\n\t" for char in shown)
    shown.encode("utf-8")


# Cost.


def test_clean_lines_cost_almost_nothing() -> None:
    line = "2026-11-22T02:11:05Z info handled GET /api/v1/orders in 23ms status=200 digest=sha256:" + "a" * 64
    best = min(_seconds(lambda: [redact(line) for _ in range(2000)]) for _ in range(5))
    assert 2000 / best > 10_000


@pytest.mark.threat("T14")
@pytest.mark.parametrize(
    "hostile",
    [
        "password=" * 20_000,
        "token:" * 20_000,
        "nextToken=" * 10_000,
        "eyJ" * 50_000,
        "://a:" * 30_000 + "@",
        "-----BEGIN RSA PRIVATE KEY-----" * 3_000,
        "AKIA" * 40_000,
        "password=" + "a" * 300_000,
        "secret=" + "/var/a" * 30_000,
        "data:\n" + "  a\n" * 30_000,
        "name: password " * 10_000,
        'password="' + "\\" * 100_000,
        "token " + "a" * 200_000 + ": x",
    ],
    ids=lambda text: str(text)[:16],
)
def test_hostile_text_costs_no_more_than_its_length(hostile: str) -> None:
    assert _seconds(lambda: redact(hostile)) < 15  # minutes, if a pattern backtracked


def _seconds(work: Any) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start
