"""The language server: the only code that knows the protocol. It analyses nothing; `tracelens.answers` does."""
