"""The lab's own PromQL: promql-parser's syntax tree evaluated with numpy, held to Prometheus 2.42 by a test.

Called by the observatory's Prometheus and AMP rooms where no real Prometheus serves the world.
What it does not know it refuses in Prometheus' words; it never guesses a number. Native histograms,
exemplars and functions newer than 2.42 are not there.
"""
