"""What runs inside the sandbox, in the project's own interpreter (3.9 or later): the standard library alone.

`server` holds the conversation and the forks, `instrument` makes code that counts its steps, `checks` runs tests,
`watching` sees what they run through, `inputs` makes inputs like those that were seen.
"""
