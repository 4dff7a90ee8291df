"""The host's page as a file of this package: one, whole, without anything from elsewhere."""

from importlib.resources import files


def series_page() -> str:
    """HTML that draws measured series, anomalies and forecasts."""
    return files(__package__).joinpath("series.html").read_text("utf-8")
