"""`python -m mmrec`, the same command as `mmrec`."""

from mmrec.cli.main import main

main()
