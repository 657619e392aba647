"""python -m tracelens.cli: the same as the `tracelens` command, for workers that know only their interpreter."""

from tracelens.cli.main import main

main()
