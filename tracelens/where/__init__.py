"""Conditions on recorded calls: `qty < 0 and outcome != returned`. A small language of our own, parsed and walked.

A condition comes from a person, a command line or an agent, and is held against values of programs that are not
trusted: nothing here evaluates Python, builds SQL, or runs longer than the condition's length times the call's.

    condition   = and-ed { "or" and-ed }
    and-ed      = negated { "and" negated }
    negated     = "not" negated | comparison
    comparison  = operand { ("<" | "<=" | ">" | ">=" | "==" | "!=" | ["not"] "in" | "is" ["not"]) operand }
    operand     = name | "return" | "dur" | "outcome" | "test" | about | "type(" operand ")" | "len(" operand ")"
                | number | duration (5ms) | 'text' | True | False | None | "[" operands "]" | "(" condition ")"

    about       = "request" | "route" | "task" | "user" | "tags" | "kind"

`name` is a parameter. `about` is what the program said of its work, "" where it said nothing. `dur` is wall time, in
seconds beside a bare number. `outcome` is `returned` or the name of the
exception. Beside `type(…)` and `outcome` a bare name is the name of a type: `type(tier) == NoneType`. A parameter that
is itself called `dur`, `outcome` or `test` is meant before ours.

What was not recorded in full (a long text, a redacted value) makes a comparison neither true nor false; `not` of that
is again neither, and the call does not match.
"""

from tracelens.where.evaluate import Matcher, compile_condition
from tracelens.where.parse import parse

__all__ = ["Matcher", "compile_condition", "parse"]
