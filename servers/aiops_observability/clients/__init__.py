"""Who gathers: one module for each backend and each question. Only this room speaks to the outside."""
