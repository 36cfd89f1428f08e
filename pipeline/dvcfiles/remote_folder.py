"""Copies files to and from a folder of DVC's remote in which DVC keeps nothing: by private parts of DVC, as SEEN_IN has
them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mnistgan.errors import DataError, UsageError

SEEN_IN = "3.67"
_BESIDE = ".part"  # how the name of a file ends that is still on its way


class RemoteFolder:
    """A folder of the default remote; a file in it is whole or not there.

    Raises UsageError where no remote is set, and here as in each method DataError where it can't be reached.
    """

    def __init__(self, *names: str) -> None:
        from dvc.config import NoRemoteError
        from dvc.repo import Repo

        try:
            with _reached("DVC's remote"), Repo() as repo:
                remote = repo.cloud.get_remote()
                self._files: Any = remote.fs
                self._path = remote.fs.join(remote.path, *names)
        except NoRemoteError as error:
            raise UsageError("no remote of DVC is set here: `dvc remote add --default NAME URL` sets one") from error

    def names(self) -> set[str]:
        """Lists the files that are whole; none where there is no such folder."""
        with _reached(self._path):
            found = self._files.find(self._path) if self._files.exists(self._path) else []
            return {name for path in found if not (name := self._files.name(path)).endswith(_BESIDE)}

    def put(self, file: Path) -> None:
        """Copies a file into it."""
        to = self._files.join(self._path, file.name)
        with _reached(to):
            self._files.makedirs(self._path, exist_ok=True)
            self._files.put_file(str(file), to + _BESIDE)
            self._files.mv(to + _BESIDE, to)

    def get(self, name: str, to: Path) -> None:
        """Copies a file of it to a path."""
        beside = to.with_name(f".{to.name}")
        with _reached(self._files.join(self._path, name)):
            self._files.get_file(self._files.join(self._path, name), str(beside))
        beside.rename(to)

    def remove(self, name: str) -> None:
        """Removes a file from it."""
        with _reached(self._files.join(self._path, name)):
            self._files.rm_file(self._files.join(self._path, name))


@contextmanager
def _reached(place: str) -> Iterator[None]:
    """Turns what a remote's library raises, of whichever kind of remote, into a DataError."""
    from dvc.config import NoRemoteError

    try:
        yield
    except NoRemoteError:
        raise
    except Exception as error:
        raise DataError(f"{place}: can't be reached: {' '.join(str(error).split()) or type(error).__name__}") from error
