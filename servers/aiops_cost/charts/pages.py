"""The host's page: the suite's shell with what draws money in it."""

from importlib.resources import files

from aiops_shared.app.page_files import whole_page

KEY = "orange: dearer; blue: cheaper; pale days may still change; days are UTC"


def money_page() -> str:
    """HTML that draws a change of costs as a waterfall, and days stacked by what they were spent on."""
    room = files(__package__)
    return whole_page(
        style=room.joinpath("money.css").read_text("utf-8"),
        script=room.joinpath("money.js").read_text("utf-8"),
        key=KEY,
    )
