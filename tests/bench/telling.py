"""What the benchmark says while it runs, on standard error.

Refuses to write results: those are documents.
"""

import sys
import time

_BEGUN = time.monotonic()


def tell(line: str) -> None:
    """Say what goes on, with the minutes and seconds since the start."""
    minutes, seconds = divmod(int(time.monotonic() - _BEGUN), 60)
    sys.stderr.write(f"{minutes:3}:{seconds:02}  {line}\n")
    sys.stderr.flush()
