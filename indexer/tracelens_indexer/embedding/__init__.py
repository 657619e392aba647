"""From the text of units to vectors: the embedders, and the decision what text stands for a unit."""
