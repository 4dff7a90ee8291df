"""Pictures of answers, drawn on request."""
