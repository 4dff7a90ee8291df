"""The transcripts of docs/servers are played again: same calls, same answers but for ids, times, ports."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.docs.stories import STORIES, Story
from tests.docs.transcripts import masked, page_of, part, playing, told
from tests.sop.stage import Stage

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240), pytest.mark.asyncio(loop_scope="module")]
PLAYED = [(server, story) for server, stories in STORIES.items() for story in stories]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """One lab for all stories, in the order in which the pages were written."""
    async with playing(tmp_path_factory.mktemp("transcripts")) as found:
        yield found


@pytest.mark.parametrize(("server", "story"), PLAYED, ids=lambda one: getattr(one, "name", one))
async def test_a_transcript_is_what_is_said(server: str, story: Story, stage: Stage, tmp_path: Path) -> None:
    written = part(story.name).search(page_of(server).read_text("utf-8"))
    assert written, f"docs/servers/{server}.md has no place for {story.name}"
    said = await told(stage, server, story, tmp_path)
    assert masked(written[2]).strip() == masked(said).strip(), "run `make transcripts` and read what changed"


async def test_every_place_of_a_page_has_its_story() -> None:
    for server, stories in STORIES.items():
        text = page_of(server).read_text("utf-8")
        assert text.count("<!-- transcript ") == len(stories)
