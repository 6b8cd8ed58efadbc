"""Room of attacking: which clips an entry attacks, and what becomes of them; it knows no attack and no network."""
