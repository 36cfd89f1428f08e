"""Ends a benchmark's command: the project's own errors as one message and their exit code."""

import sys
from collections.abc import Callable

from mnistgan.errors import Interrupted, MnistganError


class BenchmarkError(MnistganError):
    """Something could not be measured; exit code 2."""


def ending(main: Callable[[], None]) -> None:
    """Runs ``main`` and end the process: 0 when it is done, else as ``python -m pipeline`` does."""
    try:
        main()
    except MnistganError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(Interrupted.exit_code)
