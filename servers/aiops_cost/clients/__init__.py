"""Who gathers: Cost Explorer, prices, clusters, usage. Loaded by the first call that needs it."""
