"""Room of corpora: one reader each, found by its name; all return the same clip table."""
