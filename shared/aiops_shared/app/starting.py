"""Keeps the garbage collector away from what a server loads once and holds for its whole life.

Loading makes some hundred thousand objects that stay. The collector would walk all of them again and again:
a quarter of the time until a server lists its tools, and later in the middle of calls that make many objects.
"""

import gc


def end_loading() -> None:
    """Leave what is loaded out of all later collections; let the collector work on the rest.

    The console script has switched the collector off before it loaded anything (`eks_aiops.__main__`).
    """
    gc.freeze()
    gc.enable()
