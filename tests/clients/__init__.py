"""Clients and judges that others wrote, run against our servers: the conformance suite, SDKs, Claude Code."""
