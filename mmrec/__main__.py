"""`python -m mmrec`, the same command as `mmrec`."""

from mmrec.cli import main

main()
