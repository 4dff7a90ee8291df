"""Pure functions over bills, fleets and prices. No I/O, no clock."""
