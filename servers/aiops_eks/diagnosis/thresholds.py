"""Numbers that diagnosis and planning share, where reading them loads no rule."""

LEAK_S = 2 * 3600.0  # D32: below two hours of slope, no leak is suspected
