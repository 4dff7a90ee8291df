"""The pages that hosts draw answers on: each is one whole text that asks nobody and writes text as text."""

import re
from collections.abc import Callable

import pytest

from aiops_cost.charts.pages import money_page
from aiops_observability.charts.pages import series_page
from aiops_sop.charts.pages import story_page


@pytest.mark.threat("T7")
@pytest.mark.parametrize("page_of", [series_page, money_page, story_page])
def test_the_page_is_whole_and_asks_nobody(page_of: Callable[[], str]) -> None:
    page = page_of()
    assert not re.search(r"(?:https?:)?//[a-z0-9]", page.replace("\n", " "), re.I), "no address"
    for word in (
        "eval(",
        "Function(",
        "innerHTML",
        "outerHTML",
        "document.write",
        "fetch(",
        "XMLHttp",
        "import(",
    ):
        assert word not in page, word
    assert not re.search(r"<(?:script|link|img|iframe|object)[^>]*(?:src|href)\s*=", page, re.I)
    assert not re.search(r"\son[a-z]+\s*=", page.split("<script>")[0], re.I), "no handler in markup"
    assert "default-src 'none'" in page
    assert len(page.encode()) < 20_000
    assert not re.search(r"@[A-Z]+@", page), "every part of the shell is filled"
