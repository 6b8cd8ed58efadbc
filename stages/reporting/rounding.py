"""Room of reporting: the one way in which numbers are rounded: in sentences, tables, pictures and READMEs."""

# By what share a number is made larger before it is rounded: more than what floats lose, less than anything that shows.
NUDGE = 1e-12


def rounded(value: float, form: str = ".0f") -> str:
    """The number in a format of Python's, halves away from zero, with signs of a minus; what is then 0 has none.

    So 12.5 is 13, also where it is 100 times 0.125 or a float just below it.
    """
    written = f"{value * (1 + NUDGE):{form}}"
    is_nothing = not written.strip("-0.")
    return written.lstrip("-") if is_nothing else written.replace("-", "−")
