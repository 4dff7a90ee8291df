"""Speaks to one outside thing each: the other servers, the state store, DBOS, who is told."""
