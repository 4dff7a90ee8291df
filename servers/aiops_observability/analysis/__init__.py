"""Pure functions over numbers and texts: anomalies, forecasts, templates, groups. numpy and nothing else."""
