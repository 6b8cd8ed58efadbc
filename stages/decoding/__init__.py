"""Room of decoding: from a recogniser's CTC outputs to labels and text."""
