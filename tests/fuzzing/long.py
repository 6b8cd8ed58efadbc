"""Many more mutated inputs than the test: `python -m tests.fuzzing.long COUNT [SUBJECT ...]`, or one, `-N SUBJECT`."""

import sys
from collections import Counter

from tests.fuzzing import runner


def main(count: str, *names: str) -> None:
    """Prints each fault, with what makes it again, and how many inputs had which result."""
    numbers = [-int(count)] if int(count) < 0 else range(int(count))
    results: Counter[tuple[str, str]] = Counter()
    for name in names or runner.SUBJECTS:
        for outcome in runner.outcomes((name, number) for number in numbers):
            results[name, "fault" if outcome.fault else outcome.result] += 1
            if outcome.fault:
                print(f"python -m tests.fuzzing.long -{outcome.number} {name}: {outcome.mutation}: {outcome.fault}")
    for (name, result), times in sorted(results.items()):
        print(f"{name:16} {result:10} {times}")


if __name__ == "__main__":
    main(*sys.argv[1:])
