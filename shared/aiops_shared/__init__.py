"""What at least two servers use: identity, guardrails, adapters, results."""
