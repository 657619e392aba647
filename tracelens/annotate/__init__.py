"""Type annotations from observed values: `observed` says what was seen, `edits` splices it into the source.

The source is spliced by the places of its syntax tree, so that what is not annotated keeps every byte; no other
library is needed for that.
"""
