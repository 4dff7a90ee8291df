"""`eks-aiops report`: Markdown and one HTML file, with pictures, without anything from elsewhere."""

import re
from typing import Any

import pytest

from aiops_sop.charts.report_page import page
from eks_aiops.report_command import pictures

PNG = b"\x89PNG\r\n\x1a\n"
COLUMNS = ["id", "figure", "value", "unit", "from"]


def report(text: str, *rows: list[Any], **more: Any) -> dict[str, Any]:
    evidence = [{"source": "observability.list_alarms", "query": "group=true <b>", "says": ""}]
    return {"text": text, "figures": {"columns": COLUMNS, "rows": list(rows)}, "evidence": evidence, **more}


@pytest.mark.threat("T7")
def test_names_of_the_cluster_stay_text_and_every_reference_has_its_figure() -> None:
    hostile = "<script>alert(1)</script>"
    told = report(
        f"# Noise of {hostile}\n\n| a | b |\n|---|---|\n| 7 [f1] | `{hostile}` |\n\n![x](http://elsewhere.example)",
        ["f1", f"firings {hostile}", 7, "", "e1"],
    )
    made = page(told, [("a picture", PNG)])
    assert "<script" not in made
    assert "default-src &#x27;none&#x27;" in made
    assert "data:image/png;base64," in made
    assert "<table>" in made
    for name in re.findall(r'href="#(f\d+)"', made):
        assert f'id="{name}"' in made
    assert "group=true &lt;b&gt;" in made


def test_each_kind_has_a_picture_where_there_is_something_to_draw() -> None:
    sides = [
        ["f1", "time to repair, before", 240, "min", "e1"],
        ["f2", "time to repair, after", 45, "min", "e1"],
    ]
    for kind, told in (
        ("maturity", report("# x", levels={"shop": 3, "dev": 0})),
        ("roi", report("# x", *sides)),
        ("noise", report("# x", ["f1", "flapping firings", 40, "", "e1"])),
        ("ops", report("# x", ["f1", "incidents, this period", 4, "", "e1"])),
    ):
        ((says, png),) = pictures(kind, told)
        assert says
        assert png.startswith(PNG)
        assert list(pictures(kind, report("# x"))) == []
