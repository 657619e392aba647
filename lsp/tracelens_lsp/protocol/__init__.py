"""The Language Server Protocol as this server speaks it: types, frames, requests. Knows nothing of TraceLens."""
