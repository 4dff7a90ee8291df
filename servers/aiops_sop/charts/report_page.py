"""A report as one HTML file: its Markdown, its pictures inside, its figures with where each is from.

Markdown is read with raw HTML switched off, so that a name of the cluster stays text; nothing is loaded from
elsewhere and no script runs.
"""

import base64
import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

Obj = Mapping[str, Any]
_REFERENCE = re.compile(r"\[(f\d+)\]")
STYLE = """
body{font:15px/1.5 system-ui,sans-serif;color:#222;max-width:62rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;margin:1rem 0}
td,th{border-bottom:1px solid #ddd;padding:.25rem .7rem;text-align:left}
sup a{color:#0072B2;text-decoration:none;font-size:.7em}img{max-width:100%}
code{background:#f4f4f4;padding:0 .2rem}
details{margin-top:2rem}h1{font-size:1.6rem}h2{font-size:1.2rem;margin-top:2rem}
@media print{details{display:block}}
"""
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def page(report: Obj, pictures: Sequence[tuple[str, bytes]]) -> str:
    """The whole file."""
    from markdown_it import MarkdownIt

    made = MarkdownIt("commonmark", {"html": False}).enable("table").render(str(report["text"]))
    body = _REFERENCE.sub(r'<sup><a href="#\1">\1</a></sup>', made)
    drawn = "".join(_picture(*one) for one in pictures)
    title = escape(str(report["text"]).partition("\n")[0].removeprefix("# "))
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}"><style>{STYLE}</style></head>'
        f"<body>{body}{drawn}{_figures(report)}</body></html>\n"
    )


def _picture(says: str, png: bytes) -> str:
    return f'<p><img alt="{escape(says)}" src="data:image/png;base64,{base64.b64encode(png).decode()}"></p>'


def _figures(report: Obj) -> str:
    """Every figure and every source."""
    table = report["figures"]
    head = "".join(f"<th>{escape(str(name))}</th>" for name in table["columns"])
    rows = "".join(_row(row) for row in table["rows"])
    sources = "".join(_source(place, one) for place, one in enumerate(report.get("evidence", ()), 1))
    return (
        f"<details open><summary>Where every number is from</summary><table><tr>{head}</tr>{rows}</table>"
        f"<ol>{sources}</ol></details>"
    )


def _source(place: int, one: Obj) -> str:
    said = " ".join(escape(str(one.get(name, ""))) for name in ("query", "says"))
    return f'<li id="e{place}"><b>{escape(str(one["source"]))}</b> {said}</li>'


def _row(row: Sequence[Any]) -> str:
    cells = "".join(f"<td>{escape(str(cell))}</td>" for cell in row[1:])
    return f'<tr id="{escape(str(row[0]))}"><td>{escape(str(row[0]))}</td>{cells}</tr>'
