"""Time limits for the network."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Patience:
    """Limits in seconds, and how many times a host is asked."""

    connect: float = 5.0  # one address of a host
    answer: float = 8.0  # from the name look-up to the answer's headers, over all of a host's addresses
    client: float = 10.0  # a package client's first answer, its own start included
    silence: float = 10.0  # between two pieces of a file
    file: float = 300.0  # a whole file or package
    tries: int = 3
    unanswered: float = 8.0  # a host that was silent for so long is not asked again
    pause: float = 0.5  # before the second try; doubles from there


PATIENCE = Patience()
