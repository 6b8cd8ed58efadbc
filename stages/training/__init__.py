"""Room of training: the one training loop."""
