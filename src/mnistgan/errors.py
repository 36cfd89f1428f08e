"""The project's exceptions. A message says what came, where, what is taken, and how to mend it."""

MOST_LINES = 200
MOST_COLUMNS = 4000


class MnistganError(Exception):
    """Root of the project's errors; the command line prints its text and exits with ``exit_code``.

    Its text is bounded, however much of a bad input a message repeats: its first lines, of each the two ends.
    """

    exit_code = 2

    def __str__(self) -> str:
        lines = super().__str__().split("\n")
        more = [f"  ... and {len(lines) - MOST_LINES:,} more lines"] if len(lines) > MOST_LINES else []
        return "\n".join([*map(_ends, lines[:MOST_LINES]), *more])


def _ends(line: str) -> str:
    half = MOST_COLUMNS // 2
    left_out = len(line) - MOST_COLUMNS
    return f"{line[:half]} ... {left_out:,} characters ... {line[-half:]}" if left_out > 0 else line


class ParamsError(MnistganError):
    """params.yaml breaks its schema or can't be parsed."""


class GateError(MnistganError):
    """gate.yaml holds a rule that is not understood, or can't be parsed."""


class DataError(MnistganError):
    """Data is missing, broken, or not what it should be."""


class SourceError(DataError):
    """No source has a file."""


class DigestError(DataError):
    """A file's bytes do not have the pinned digest."""


class OtherDataError(DigestError):
    """A whole file of another data set than the one that was asked for."""


class FormatError(DataError):
    """A file breaks its format."""


class TrainingError(MnistganError):
    """Training can't go on."""


class DivergedError(TrainingError):
    """A loss or a weight became NaN or infinite."""


class CheckpointError(TrainingError):
    """A checkpoint can't be read or written, or belongs to another state."""


class MetricError(MnistganError):
    """A metric can't be computed from these samples."""


class RulerError(MnistganError):
    """A feature network is not the pinned one."""


class PinsError(RulerError):
    """Two figures were measured by different rulers."""


class TrackingError(MnistganError):
    """The tracking store can't be used."""


class GitError(MnistganError):
    """Git can't be asked: it is not installed, or can't or won't read the repository."""


class UsageError(MnistganError):
    """A command was called with something that it does not take."""


class DifferenceError(MnistganError):
    """Files that are here, or were made again, differ from the record."""

    exit_code = 1


class UnfitError(MnistganError):
    """This machine can't do a job that another may: it has no room, no environment, or no clone any more."""

    exit_code = 75  # EX_TEMPFAIL of sysexits.h


class Interrupted(MnistganError):  # noqa: N818 - what happened is no error
    """Stopped by Ctrl-C or SIGTERM after saving; the same command goes on from there."""

    exit_code = 130
