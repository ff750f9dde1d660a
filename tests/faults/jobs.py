"""The task that the tests run."""

LINES = 300


def talk() -> int:
    """Write a log of many lines."""
    for n in range(LINES):
        print(f"line {n}", flush=n % 50 == 49)
    return LINES
