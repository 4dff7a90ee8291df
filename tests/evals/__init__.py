"""The counting of the evaluation."""
