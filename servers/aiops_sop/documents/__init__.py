"""The SOP format: Markdown with YAML blocks, read, checked and never evaluated beyond bounded CEL. Pure."""
