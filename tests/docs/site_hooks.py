"""What the site takes from the pages themselves: the order from the map, links out of docs/, diagrams.

mkdocs.yml names this file under `hooks`. The map (docs/README.md) is the one list of pages: a `##` heading is
a section of the navigation; the first link of each row of its tables is a page, or a folder of pages.
"""

import re
from pathlib import Path
from typing import Any, Final

from tests.docs.mermaid import script

Nav = list[Any]
MERMAID: Final = "assets/mermaid.min.js"
_ROW = re.compile(r"^\| \[[^\]]*\]\(([^)#]+)\)", re.MULTILINE)
_LINK = re.compile(r"(?<!!)\[([^\]]*)\]\((?!https?:|mailto:|#)([^)\s#]+)(#[^)\s]*)?\)")


def pages_of(docs: Path, target: str) -> list[str]:
    """The pages that one link of the map stands for: itself, or those of a folder by name."""
    if not target.endswith("/"):
        return [target]
    found = sorted(str(page.relative_to(docs)) for page in (docs / target).glob("*.md"))
    return sorted(found, key=lambda name: not name.endswith("README.md"))


def navigation(docs: Path) -> Nav:
    """The map as mkdocs wants it."""
    head, *sections = re.split(r"^## (.+)$", (docs / "README.md").read_text("utf-8"), flags=re.MULTILINE)
    nav: Nav = ["README.md"]
    nav += [page for target in _ROW.findall(head) for page in pages_of(docs, target)]
    for title, text in zip(sections[::2], sections[1::2], strict=True):
        pages = [page for target in _ROW.findall(text) for page in pages_of(docs, target)]
        nav += [{title.strip(): pages}] if pages else []
    return nav


def inside(markdown: str, page: Path, docs: Path) -> str:
    """A page's links: a folder's is its README.md's; a file outside docs/ becomes its path, as code.

    A site has no such file, and an address of the repository is not known here.
    """

    def kept(found: re.Match[str]) -> str:
        target = (page.parent / found[2]).resolve()
        if target.is_relative_to(docs) and (target / "README.md").exists():
            return f"[{found[1]}]({found[2].rstrip('/')}/README.md{found[3] or ''})"
        if target.is_relative_to(docs) or not target.exists():
            return found[0]
        path = str(target.relative_to(docs.parent))
        return f"`{path}`" if path.endswith(found[1].strip("`")) else f"{found[1]} (`{path}`)"

    return _LINK.sub(kept, markdown)


def on_config(config: Any) -> Any:
    """mkdocs asks once, before it reads pages."""
    config["nav"] = navigation(Path(config["docs_dir"]))
    if script() is not None:
        config["extra_javascript"] = [MERMAID]  # else the theme lets the reader's browser fetch it
    return config


def on_post_build(config: Any) -> None:
    """mkdocs tells that all is written: mermaid goes beside the pages."""
    file = script()
    if file is not None:
        target = Path(config["site_dir"]) / MERMAID
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.read_bytes())


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """mkdocs asks for each page."""
    del files
    docs = Path(config["docs_dir"])
    return inside(markdown, docs / page.file.src_uri, docs)
