"""Reports as pure functions: facts in, figures and Markdown out. No I/O, no clock."""
