"""Repair by search: small edits of the functions that failing tests run through, each tried against the tests.

For wrong behaviour, where no exception says what to change. The tests are the oracle; no model is asked. Candidates are
made here, from the text and from the types that were seen; they run in one sandbox session (`inside`), which imports
the user's modules once and forks for every batch.
"""
