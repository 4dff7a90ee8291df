"""The table of sets of tools, as docs/gateway.md has it: written from the registry."""

from typing import Final

from aiops_shared.app.toolsets import TOOLSETS

BEGIN: Final = "<!-- toolsets: written by `python -m eks_aiops.docs` -->\n"
END: Final = "<!-- /toolsets -->\n"


def table() -> str:
    """One row a set."""
    rows = ["| Set | For | Tools |", "|---|---|---|"]
    for name, one in TOOLSETS.items():
        tools = ", ".join(f"`{server}_{tool}`" for server, names in one.tools.items() for tool in names)
        rows.append(f"| `{name}` | {one.says} | {tools} |")
    return "\n".join(rows) + "\n"


def with_table(page: str) -> str:
    """The page with the table as it is now."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{table()}{END}{after}"
