"""The sop server: procedures that run, survive, ask, undo and learn; events answered; causes joined.

It knows nothing of clusters itself: facts and changes are the tools of the other three servers, called over
MCP (decision D23). Rooms: `tools` (what a client sees), `clients` (peers, the store, DBOS, who is told),
`engine` (interprets a document over ports), `documents` (the SOP format), `analysis` (pure functions over
facts: hypotheses, events, configuration, reports), `charts`, `models`. `server` joins them.
"""
