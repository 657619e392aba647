"""How the default embedder is made: corpus, pairs, training, export. Nothing here runs in the product."""
