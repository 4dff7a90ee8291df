"""What plan_manifest is asked with via=git. Apart from `git.py`, so that no server start pays for that."""

from aiops_shared.errors import InvalidInputError
from aiops_shared.results import Frozen


class GitWish(Frozen):
    """One manifest, and where it belongs as far as the caller says."""

    manifest: str
    repository: str = ""
    file: str = ""
    reason: str = ""


def check_git(action: str) -> None:
    """Raises InvalidInputError for what is not planned as a commit."""
    if action != "apply":
        raise InvalidInputError(
            "via",
            f"{action} is not planned by git",
            "remove it from its repository by hand, or use via=cluster",
        )
