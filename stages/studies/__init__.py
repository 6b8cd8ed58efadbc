"""Room of studies: one file a paper, which of its tables and figures come from which scores; its values in a csv beside."""
