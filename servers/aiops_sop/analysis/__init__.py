"""Pure functions over facts: events, hypotheses, generated configuration, verdicts, reports."""
