"""The demo: the first job, played on a simulated cluster through a real MCP client.

It judges by the simulator's own state and request log, never by what the suite says of itself.
"""
