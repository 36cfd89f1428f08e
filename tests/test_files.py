from pathlib import Path

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
