"""The smallest FastMCP server with one tool: what ours is compared with."""

from fastmcp import FastMCP

server = FastMCP("minimal")


@server.tool
def ping(text: str) -> str:
    """Say it back."""
    return text


if __name__ == "__main__":
    server.run(show_banner=False)
