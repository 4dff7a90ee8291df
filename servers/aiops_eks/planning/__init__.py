"""Pure functions: an object and a wish -> the exact change, what it touches, what it is judged by.

Called by the plan tools with facts that `aiops_eks.clients.surroundings` gathered. No I/O, no clock.
"""
