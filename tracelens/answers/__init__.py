"""What people are told: pure functions from a document and an index to plain records in editor terms.

The language server, the command line and agents all show these and add nothing of their own. Nothing here knows a
protocol, opens a database or starts a process.
"""
