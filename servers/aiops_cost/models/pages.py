"""Addresses of the pages that a host may draw answers on."""

MONEY_PAGE = "ui://eks-aiops/money.html"
