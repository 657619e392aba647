"""Tests from recorded calls: literals, cases, what a test file looks like, and whether its tests are worth having.

`engine.generate` is the way in. Everything that is written was run in the sandbox first.
"""
