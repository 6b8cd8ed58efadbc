"""Room of learning: what training and pretraining both stand on."""
