"""Room of measures: pure functions with values that can be checked by hand."""
