"""The face for coding agents: the answers of tracelens.answers as tools of the Model Context Protocol.

`tools` makes the texts and knows no protocol; `budget` cuts them to what the agent can take; `marking` says what in
them is data; `server` and `http` speak to the agent. Nothing here writes to the workspace.
"""
