"""Trials of the EKS side: what stands in AWS, who AWS takes a program for, nodes and where pods stand."""

from aiops_lab.scenarios.trials import aws_account, aws_identity, aws_nodes
from aiops_lab.scenarios.trials.base import Trial

TRIALS: tuple[Trial, ...] = (*aws_account.TRIALS, *aws_identity.TRIALS, *aws_nodes.TRIALS)
