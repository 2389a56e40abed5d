"""`python -m deepen`: the command line."""

from deepen.cli.main import main

main()
