"""F15: any backend to any other by exporters alone; what is wrong with the file; secrets never inlined."""

from itertools import product

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from aiops_observability.telemetry.backends import BACKENDS, BackendName
from aiops_observability.telemetry.choice import CRITERIA, OPTIONS, Volume, costs, guide
from aiops_observability.telemetry.held import held
from aiops_observability.telemetry.switching import switched
from aiops_shared.errors import InvalidInputError

FIVE: tuple[BackendName, ...] = ("cloudwatch", "datadog", "splunk", "grafana_cloud", "prometheus")
# The guide's own example, with the exporter that does not exist.
SEED = """\
# Collector of the shop
receivers:
  otlp:
    protocols:
      grpc:
        endpoint: 0.0.0.0:4317   # applications send here

processors:
  batch:
  memory_limiter: {check_interval: 1s, limit_percentage: 75}

exporters:
  awscloudwatch:
    namespace: MyApp
    region: us-east-1
  debug: {}

extensions:
  health_check:

service:
  extensions: [health_check]
  pipelines:
    metrics:
      receivers: [otlp]
      processors: [memory_limiter, batch]
      exporters: [awscloudwatch]  # where they go
    traces:
      receivers: [otlp]
      processors: [batch]
      exporters: [awscloudwatch, debug]
    logs:
      receivers: [otlp]
      processors: [batch]
      exporters: [awscloudwatch]
"""


def untouched(text: str) -> str:
    """The part of the file that no switch may change, byte for byte."""
    return text[: text.index("exporters:")]


@pytest.mark.row("S19")
@pytest.mark.row("S20")
@pytest.mark.parametrize(("before", "after"), [*product(FIVE, FIVE)])
def test_only_exporters_their_lists_and_extensions_change(before: BackendName, after: BackendName) -> None:
    current = switched(SEED, before).text
    found = switched(current, after)
    assert not found.rewritten
    assert untouched(found.text) == untouched(SEED)
    old, new = yaml.safe_load(current), yaml.safe_load(found.text)
    for key in ("receivers", "processors"):
        assert new[key] == old[key]
    for name, pipeline in new["service"]["pipelines"].items():
        assert {**pipeline, "exporters": 0} == {**old["service"]["pipelines"][name], "exporters": 0}
        assert set(pipeline["exporters"]) <= set(new["exporters"])
    assert "debug" in new["service"]["pipelines"]["traces"]["exporters"]
    assert "health_check" in new["extensions"]
    assert "# where they go" in found.text
    if before == after:
        assert found.text == current


@pytest.mark.parametrize("name", BACKENDS)
def test_every_reference_of_the_new_file_is_defined_and_used(name: BackendName) -> None:
    found = yaml.safe_load(switched(SEED, name).text)
    listed = {one for pipeline in found["service"]["pipelines"].values() for one in pipeline["exporters"]}
    assert listed == set(found["exporters"])
    assert set(found["service"]["extensions"]) == set(found["extensions"])
    signing = {
        settings["auth"]["authenticator"]
        for settings in found["exporters"].values()
        if isinstance(settings, dict) and "auth" in settings
    }
    assert signing <= set(found["extensions"])


@pytest.mark.row("C4")
def test_the_exporter_that_does_not_exist_is_named_with_the_right_one() -> None:
    found = switched(SEED, "cloudwatch")
    said = {(one.code, one.says.partition(":")[0]) for one in found.remarks}
    assert ("UNKNOWN_EXPORTER", "awscloudwatch -> awsemf") in said
    assert ("UNKNOWN_EXPORTER", "awscloudwatch -> awsxray") in said
    assert ("UNKNOWN_EXPORTER", "awscloudwatch -> awscloudwatchlogs") in said
    assert set(yaml.safe_load(found.text)["exporters"]) == {"debug", "awsemf", "awsxray", "awscloudwatchlogs"}


@pytest.mark.row("C5")
def test_datadog_says_which_collector_it_needs() -> None:
    found = switched(SEED, "datadog")
    assert found.distributions == ("contrib",)
    assert any("scheduled for removal, use contrib or OTLP" in note for note in found.notes)
    assert found.secrets == ("DD_API_KEY",)
    assert yaml.safe_load(found.text)["exporters"]["datadog"]["api"]["key"] == "${env:DD_API_KEY}"


@pytest.mark.threat("T6")
@pytest.mark.parametrize("name", BACKENDS)
def test_no_secret_is_ever_written_into_the_file(name: BackendName) -> None:
    found = switched(SEED, name)
    for secret in found.secrets:
        assert f"${{env:{secret}}}" in found.text


def test_a_secret_in_the_current_file_is_pointed_at_and_not_repeated() -> None:
    text = SEED.replace("    namespace: MyApp\n", "    api_key: planted-canary-worth-nothing\n")
    found = switched(text, "splunk")
    assert [one.where for one in found.remarks if one.code == "SECRET_INLINE"] == [
        "exporters.awscloudwatch.api_key"
    ]
    assert "planted-canary" not in found.text


def test_connectors_and_local_exporters_stay_where_they_are() -> None:
    text = SEED.replace("exporters: [awscloudwatch, debug]", "exporters: [spanmetrics, awscloudwatch, debug]")
    text = text.replace("\nservice:", "\nconnectors:\n  spanmetrics: {}\n\nservice:")
    found = yaml.safe_load(switched(text, "grafana_cloud").text)
    traces = found["service"]["pipelines"]["traces"]["exporters"]
    assert traces == ["spanmetrics", "debug", "otlphttp/grafana_cloud"]


def test_authenticating_extensions_come_and_go_with_their_exporters() -> None:
    signed = yaml.safe_load(switched(SEED, "amp").text)
    assert signed["service"]["extensions"] == ["health_check", "sigv4auth"]
    back = yaml.safe_load(switched(switched(SEED, "amp").text, "prometheus").text)
    assert back["extensions"] == {"health_check": None}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a: 1",
        "receivers: {}\nservice: {pipelines: {}}",
        "service: {pipelines: {metrics: {exporters: x}}}",
        "service: {pipelines: {profiles: {exporters: [x]}}}",
        "service: [",
        "!!python/object/apply:os.system ['true']",
    ],
    ids=["empty", "other", "no-pipeline", "no-list", "unknown-signal", "broken", "tag"],
)
def test_what_is_no_collectors_configuration_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError):
        switched(text, "datadog")


_NAMES = st.from_regex(r"[a-z]{2,8}(/[a-z]{1,5})?", fullmatch=True)
_SETTINGS = st.dictionaries(_NAMES, st.integers() | st.text("ab: #'\"", max_size=8))


@given(
    st.dictionaries(
        _NAMES, st.dictionaries(_NAMES, st.integers() | st.text("ab: #'\"", max_size=8)), max_size=4
    ),
    st.sampled_from(sorted(BACKENDS)),
)
def test_whatever_the_file_holds_the_result_parses_and_nothing_else_differs(
    exporters: dict[str, object], target: BackendName
) -> None:
    found = {
        "receivers": {"otlp": None},
        "exporters": exporters,
        "service": {"pipelines": {"metrics": {"receivers": ["otlp"], "exporters": [*exporters]}}},
    }
    new = yaml.safe_load(switched(yaml.safe_dump(found), target).text)
    assert new["receivers"] == found["receivers"]
    assert new["service"]["pipelines"]["metrics"]["receivers"] == ["otlp"]


@pytest.mark.row("S23")
def test_the_arithmetic_of_a_month() -> None:
    volume = Volume(active_series=200_000, samples_per_s=10_000, log_gb_per_day=20)
    prices = {"amp": {"samples_10m": 0.9}, "datadog": {"metrics_100": 5.0, "log_gb": 0.1}}
    found = {one.backend: one for one in costs(volume, prices)}
    assert found["amp"].usd == pytest.approx(10_000 * 30 * 86_400 / 1e7 * 0.9)
    assert found["datadog"].usd == pytest.approx(2_000 * 5.0 + 600 * 0.1)
    assert found["splunk"].usd is None
    assert [one.backend for one in costs(volume, prices)][:2] == ["amp", "datadog"]
    assert "2,592 x 0.9 samples_10m = 2,332.80" in found["amp"].lines[0]


@pytest.mark.row("S23")
def test_the_guide_has_eight_criteria_for_three_directions() -> None:
    assert len(CRITERIA) == 8
    assert all(len(told) == 8 for told in OPTIONS.values())
    assert set(guide()) == {"criteria", "options", "fits", "billed"}


def config_map(**data: str) -> str:
    made = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "collector"}, "data": data}
    return yaml.safe_dump(made)


def test_the_configuration_is_found_in_the_config_map_that_holds_it() -> None:
    assert held(config_map(**{"relay.yaml": SEED, "words": "service: none", "broken": "{"})) == SEED
    assert held(SEED) == SEED
    assert held(yaml.safe_dump({"kind": "ConfigMap"})) == yaml.safe_dump({"kind": "ConfigMap"})


@pytest.mark.parametrize("data", [{}, {"a": "plain"}, {"a": SEED, "b": SEED}])
def test_a_config_map_with_none_or_several_of_them_is_refused(data: dict[str, str]) -> None:
    with pytest.raises(InvalidInputError, match=r"holds [02] values"):
        held(config_map(**data))
