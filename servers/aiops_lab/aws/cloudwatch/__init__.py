"""CloudWatch metrics and alarms of the lab: the world's signals in CloudWatch's vocabulary, really evaluated.

`table` names the metrics, `stats` aggregates them over periods, `math`, `sql` and `search` are its three
languages, `data` answers the operations, `evaluating` and `alarms` are alarms. moto answers expressions with
nothing and SQL with raw values; what is not played here answers ValidationError instead.
"""
