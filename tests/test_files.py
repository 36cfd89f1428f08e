import hashlib
import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from mnistgan import files

FULL = Path("/dev/full")  # every write to it finds no room


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full here")
def test_a_file_that_finds_no_room_is_named_and_stays_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "kept.txt"
    path.write_text("old")
    with pytest.raises(OSError, match="No space left on device") as told, files.replacing(path):
        FULL.write_bytes(b"new")
    assert told.value.filename == str(path)
    assert [each.read_text() for each in tmp_path.iterdir()] == ["old"]


def test_of_several_files_all_are_written_or_none(tmp_path: Path) -> None:
    kept, new, folder = tmp_path / "kept.txt", tmp_path / "new.txt", tmp_path / "folder"
    kept.write_text("old")
    folder.mkdir()
    with pytest.raises(IsADirectoryError):
        files.write_all({kept: b"new", new: b"new", folder: b"new"})
    assert sorted(tmp_path.iterdir()) == [folder, kept]
    assert kept.read_text() == "old"
    files.write_all({kept: b"new", new: b"new"})
    assert (kept.read_text(), new.read_text()) == ("new", "new")


def test_files_and_a_folder_are_written_together_or_not_at_all(tmp_path: Path) -> None:
    kept, parts = tmp_path / "kept.txt", tmp_path / "parts"
    kept.write_text("old")
    parts.mkdir()
    (parts / "old.txt").write_text("old")

    def write(fails: bool) -> None:
        with files.replacing_all(kept, folders=[parts]) as beside:
            beside[kept].write_text("new")
            (beside[parts] / "new.txt").write_text("new")
            if fails:
                raise OSError

    def held() -> dict[str, str]:
        return {path.relative_to(tmp_path).as_posix(): path.read_text() for path in tmp_path.rglob("*.txt")}

    with pytest.raises(OSError):  # noqa: PT011 - it is the one raised above
        write(fails=True)
    assert held() == {"kept.txt": "old", "parts/old.txt": "old"}
    write(fails=False)
    assert held() == {"kept.txt": "new", "parts/new.txt": "new"}
    with files.replacing_all(folders=[tmp_path / "empty"]):
        pass
    assert list((tmp_path / "empty").iterdir()) == []
    with pytest.raises(NotADirectoryError), files.replacing_folder(kept):
        raise AssertionError
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "kept.txt", "parts"]


def test_named_arrays_are_an_archive_of_the_plainest_headers(tmp_path: Path) -> None:
    """Written out by the format's own description (PKWARE's APPNOTE, 4.3.7): another Python may not change a byte."""
    files.write_arrays(tmp_path / "one.npz", {"one": np.arange(3, dtype=np.uint8)})
    member = io.BytesIO()
    np.save(member, np.arange(3, dtype=np.uint8))
    content, name = member.getvalue(), b"one.npy"
    january_1980 = 1 << 5 | 1
    fields = (20, 0, 0, 0, january_1980, zlib.crc32(content), len(content), len(content), len(name), 0)
    local = b"PK\x03\x04" + struct.pack("<5H3L2H", *fields) + name + content
    written = (tmp_path / "one.npz").read_bytes()
    assert written.startswith(local + b"PK\x01\x02")
    assert hashlib.sha256(written).hexdigest() == "1b77c3a9d517269faeae5c3537b200d5e1bf16bcdb7d2024507b22afdd41b455"
