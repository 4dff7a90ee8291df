"""Every story of the lab worked in three patterns, scored by code: a prompt, an agent, an event.

`python -m evals.patterns [--write]`: docs/evaluation-patterns.md. Prompt: a client that asks `investigate`,
reads the procedure that it names and has it planned. Agent: that procedure is run, as far as policy and the
story's people let it. Event: the story's alarm or event is handed over and nobody is there.
"""
