"""Schema 5: runs and events keep what their caller held. Rows from before were a local caller's: ""."""

STATEMENTS = tuple(
    f"ALTER TABLE {table} ADD COLUMN {column} TEXT NOT NULL DEFAULT ''"
    for table, column in (
        ("sop_runs", "caller_scopes"),
        ("sop_runs", "caller_groups"),
        ("events", "sender_scopes"),
        ("events", "sender_groups"),
    )
)
