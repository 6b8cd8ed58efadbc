"""Ground floor: numbers that decide something, or are kept, are finite, or an error says where they are not."""

from typing import Any

import numpy as np

from stages.frame.errors import UserError


def check(values: Any, where: object, name: str, *, do: str) -> None:
    """Passes numbers that are all finite: one, or an array or tensor of them.

    Args:
        values: numbers of any kind and shape; those that are whole or truth values pass.
        where: what they are part of, for errors.
        name: what they are, for errors.
        do: what the user can do about it, for errors.

    Raises:
        UserError: one is NaN or infinite.
    """
    finite = values.isfinite() if hasattr(values, "isfinite") else np.isfinite(values)
    if not finite.all():
        raise UserError(where, f"finite numbers as {name}", f"{int((~finite).sum())} that are not", do)
