"""Ground floor: the one way in which a stage tells its user that something outside the code is wrong."""

import contextlib
import inspect
import sys
from collections.abc import Callable, Iterator


class UserError(Exception):
    """What the user can mend: names the file or parameter, what was expected, what was found, and what to do."""

    def __init__(self, where: object, expected: str, found: str, do: str):
        super().__init__(f"{where}: expected {expected}; found {found}; {do}".replace("\n", " "))
        self._given = str(where), expected, found, do

    def __reduce__(self) -> tuple:
        """So that worker processes can raise it."""
        return UserError, self._given


@contextlib.contextmanager
def told_in_one_line() -> Iterator[None]:
    """Turns a `UserError`, a full disk and an interrupt into one line on stderr and a non-zero exit."""
    try:
        yield
    except UserError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit("interrupted: finished shards are kept; run the same command again to go on from them")
    except OSError as error:
        if error.errno not in (28, 122):  # ENOSPC, EDQUOT; anything else is ours to see in full
            raise
        sys.exit(
            f"error: {error.filename or 'the disk'}: expected room to write; found {error.strerror}; "
            "free some space (`dvc gc --workspace`) and run again, finished shards are kept"
        )


def run(main: Callable[..., None]) -> None:
    """Calls a verb's `main` with the words of the command line, see `told_in_one_line`."""
    with told_in_one_line():
        signature = inspect.signature(main)
        try:
            signature.bind(*sys.argv[1:])
        except TypeError:
            expected = " ".join(name.upper() for name in signature.parameters)
            raise UserError(
                f"python -m {sys.modules['__main__'].__spec__.name}",
                expected,
                " ".join(sys.argv[1:]) or "nothing",
                "the names are those of params.yaml",
            ) from None
        main(*sys.argv[1:])
