"""The simulated world: the controllers, kubelets and programs that make the API simulator's objects live.

`world.World` is the door: the lab's start-up builds one over the Store and the clock, loads a scenario into
it, and hands it to the API simulator as its source of logs and usage.
"""
