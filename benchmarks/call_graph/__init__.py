"""What benchmarks/call_graph.py measures, one file for each kind of measure.

- naming.py: our links in the names that the suites' truths use; the only file that knows both.
- suites.py: precision and recall on micro suites (PyCG, Jarvis, SWARM-CG) and on six applications.
- peers.py: other tools on the same cases, where a checkout of them is given.
- traced.py: how many of the calls that a package's tests were seen to make the static graph has.
- cost.py: processor time beside a bare parse of the same files, memory, and the time from an edit to the graph.

Suites, truths and corpora are never part of this repository: they are read from the folders given.
"""
