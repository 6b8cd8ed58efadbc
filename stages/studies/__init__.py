"""Room of studies: a folder a paper, with its stages, tables, claims, figures, sounds, values and words."""
