"""Room of pretraining: one file for each way to a model that needs no labels, learned here or converted."""
