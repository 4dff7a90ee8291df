"""What `describe_cluster` can show: one module per include, one line each here.

A view asks AWS and the cluster for its part and answers with tables. Views run at the same time, each under
its own deadline; one that fails is a warning in the answer, never its end. Within a view a source that fails
is a gap too: show what the others said.
"""

from aiops_eks.clients.cluster_views.access import access
from aiops_eks.clients.cluster_views.addons import addons
from aiops_eks.clients.cluster_views.base import View
from aiops_eks.clients.cluster_views.capabilities import capabilities
from aiops_eks.clients.cluster_views.control_plane import control_plane
from aiops_eks.clients.cluster_views.insights import insights
from aiops_eks.clients.cluster_views.nodepools import nodepools
from aiops_eks.clients.cluster_views.nodes import nodes
from aiops_eks.clients.cluster_views.subnets import subnets

VIEWS: dict[str, View] = {
    "addons": addons,
    "capabilities": capabilities,
    "insights": insights,
    "control_plane": control_plane,
    "nodes": nodes,
    "subnets": subnets,
    "nodepools": nodepools,
    "access": access,
}
