"""The host's page: the suite's shell with what draws a series in it."""

from importlib.resources import files

from aiops_shared.app.page_files import whole_page

KEY = "orange: abnormal; blue: expected or forecast, with its band; grey: not measured; times are UTC"


def series_page() -> str:
    """HTML that draws measured series, anomalies and forecasts."""
    room = files(__package__)
    return whole_page(
        style=room.joinpath("series.css").read_text("utf-8"),
        script=room.joinpath("series.js").read_text("utf-8"),
        key=KEY,
    )
