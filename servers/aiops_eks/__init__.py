"""The eks server: what Kubernetes and EKS know, and the changes planned and executed there."""
