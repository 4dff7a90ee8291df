"""How summaries are worded; the words are shared by all servers. Called by the readers."""

from aiops_shared.results.wording import MOST, brief, counted, cut

__all__ = ["MOST", "brief", "counted", "cut"]
