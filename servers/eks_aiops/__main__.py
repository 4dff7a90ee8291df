"""`python -m eks_aiops`."""

from eks_aiops.cli import main

main()
