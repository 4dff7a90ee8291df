"""Pictures of money: a waterfall of what changed, stacked days."""
