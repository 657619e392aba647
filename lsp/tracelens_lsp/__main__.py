"""python -m tracelens_lsp: the same as the `tracelens-lsp` command."""

from tracelens_lsp.server import main

main()
