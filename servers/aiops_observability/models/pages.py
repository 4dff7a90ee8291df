"""Addresses of the pages that a host may draw answers on."""

SERIES_PAGE = "ui://eks-aiops/series.html"
