"""One script of kubectl commands, run by the same kubectl on the lab and on the real control plane."""
