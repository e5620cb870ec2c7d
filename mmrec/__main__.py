"""`python -m mmrec`, the same command as `mmrec` and `lightning`."""

from mmrec.cli import main

main()
