"""What the sop server speaks of: documents, runs, events, incidents, investigations, answers. Plain data."""
