"""One HTML file that holds what was seen: no network, no script but its own, everything untrusted escaped."""
