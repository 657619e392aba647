"""One file per method of the protocol: take the snapshots, ask `tracelens.answers`, convert."""
