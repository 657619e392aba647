"""The command line. Each command is a file that asks the engine and prints; none of them analyses."""
