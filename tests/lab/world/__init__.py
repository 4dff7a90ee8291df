"""The world of the lab, on a real Store and a clock that stands still until a test moves it."""
