"""`eks-aiops drill`: the guardrails in force are tried in a simulated cluster, and the result is kept."""
