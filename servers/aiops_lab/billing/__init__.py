"""What the lab's account is billed: lines as functions of the day, which Cost Explorer and the files read.

A scenario writes them (`stage.aws.area(Ledger)`, with the kit of `fleets.py`); nothing is recorded, a day's
rows are computed when they are asked for, never beyond the lab's now.
"""

from aiops_lab.billing.ledger import Ledger
from aiops_lab.billing.lines import Line

__all__ = ["Ledger", "Line"]
