"""Helm, by its own engine."""

import subprocess
import tempfile
from pathlib import Path
from typing import Any

import yaml

from tests.launch.charts import CHART, render

NAMED = {"--namespace": "-n", "--values": "-f"}
WITH_VALUE = {"-n", "-f", "--set", "--set-string", "--version", "--timeout"}
ALONE = {
    "--create-namespace",
    "--wait",
    "--install",
    "--atomic",
    "--reuse-values",
    "--reset-then-reuse-values",
}
RENDERING = {"install", "upgrade", "template"}
REMEMBERING = {"uninstall", "rollback", "history", "status"}


def _set(values: dict[str, Any], text: str, *, string: bool) -> None:
    """One `a.b=c` of --set."""
    path, _, value = text.partition("=")
    *above, last = path.split(".")
    for name in above:
        values = values.setdefault(name, {})
    values[last] = value if string else yaml.safe_load(value)


def _parsed(arguments: list[str]) -> tuple[list[str], list[Path], dict[str, Any]]:
    """Words, values files, values that were set. An option that Helm lacks fails."""
    words, files, values, rest = [], [], {}, list(arguments)  # type: ignore[var-annotated]
    while rest:
        name, _, inline = rest.pop(0).partition("=") if rest[0].startswith("--") else (rest.pop(0), "", "")
        name = NAMED.get(name, name)
        if name in WITH_VALUE:
            value = inline or rest.pop(0)
            if name == "-f":
                files.append(Path(value))
            elif name.startswith("--set"):
                _set(values, value, string=name == "--set-string")
        elif name.startswith("-"):
            assert name in ALONE, f"helm: {name}"
        else:
            words.append(name)
    return words, files, values


def helm(arguments: list[str]) -> int:
    """The options are Helm's, the chart is ours, and Helm's engine renders it with these values."""
    verb, *rest = arguments
    assert verb in RENDERING | REMEMBERING, verb
    words, files, values = _parsed(rest)
    if verb in REMEMBERING:
        assert words
        return 0
    _, chart = words
    assert (Path(chart) / "Chart.yaml").read_bytes() == (CHART / "Chart.yaml").read_bytes(), chart
    if "--create-namespace" in rest:
        namespace = rest[rest.index("-n") + 1] if "-n" in rest else rest[rest.index("--namespace") + 1]
        subprocess.run(["kubectl", "create", "namespace", namespace], check=False, capture_output=True)
    with tempfile.TemporaryDirectory() as folder:
        assert render(
            Path(folder), *(yaml.safe_load(one.read_text("utf-8")) for one in files), values
        ).objects
    return 0
