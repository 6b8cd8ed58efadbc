"""Room of scoring: which versions of which clips are scored, who decides on them, and how good they are."""
