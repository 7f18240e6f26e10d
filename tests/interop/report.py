"""One printed line per thing checked; the first that does not hold ends the program with status 1."""

import sys


def check(holds: bool, what: str, otherwise: str = "") -> None:
    """Print `what`, or fail with it and with what was found instead."""
    if not holds:
        print(f"FAILED  {what}{': ' if otherwise else ''}{otherwise}", file=sys.stderr)
        sys.exit(1)
    print(f"ok      {what}")


def check_equal(found: object, expected: object, what: str) -> None:
    """Print `what` with its value, or fail with both values."""
    check(found == expected, f"{what} is {expected}", f"found {found}")


def check_close(difference: float, tolerance: float, what: str) -> None:
    """Print `what` with the largest difference, or fail with it. NaN fails."""
    check(difference <= tolerance, f"{what}: largest difference {difference:.2g} (<= {tolerance:g})")
