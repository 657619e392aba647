"""What a model is given about a unit, a failure or a question: the code and the evidence that bear on it, in a budget.

`target` says what is meant, `near` which units bear on it and why, `text` how a unit is written down, whole or as an
outline, `pack` what fits. The same store gives the same context, word for word: no clock and no chance is in it.
"""

from tracelens.context.pack import Context, Part, context_of
from tracelens.context.target import Target, resolve

__all__ = ["Context", "Part", "Target", "context_of", "resolve"]
