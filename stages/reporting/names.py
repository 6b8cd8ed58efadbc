"""Room of reporting: how keys are spelt for readers."""


def name(key: object) -> str:
    """The name that readers see of a key of tables."""
    return str(key).replace("_", " ")
