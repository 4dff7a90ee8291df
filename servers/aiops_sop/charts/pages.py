"""The host's page: the suite's shell with what draws a run, or an incident on its axis of time."""

from importlib.resources import files

from aiops_shared.app.page_files import whole_page

KEY = (
    "blue: done; orange: failed or at fault; hatched: waits; ◆ changed something, ↺ given back; times are UTC"
)


def story_page() -> str:
    """HTML that draws a run's steps, and the timeline of an incident."""
    room = files(__package__)
    return whole_page(
        style=room.joinpath("story.css").read_text("utf-8"),
        script=room.joinpath("story.js").read_text("utf-8"),
        key=KEY,
    )
