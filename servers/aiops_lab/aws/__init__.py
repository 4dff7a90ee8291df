"""The AWS account of the lab: moto's simulated services behind an overlay that knows what moto does not.

Importing this package imports nothing heavy; `overlay` and the operations bring in moto's core (about 1 s).
"""
