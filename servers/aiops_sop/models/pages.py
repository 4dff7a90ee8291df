"""Addresses of the pages that a host may draw answers on."""

STORY_PAGE = "ui://eks-aiops/story.html"
