"""Pictures and pages: timelines of incidents, runs, reports."""
