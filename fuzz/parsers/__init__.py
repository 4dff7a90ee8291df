"""Everything that reads foreign or operators' text, fed with text that nobody wrote: guided by coverage.

`targets` holds what is attacked and what must hold; `running` feeds it with atheris in a child process;
`tests/fuzz` feeds the same targets with hypothesis for some seconds in `make test`.
"""
