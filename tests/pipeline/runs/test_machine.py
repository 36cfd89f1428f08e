"""What tells machines and clones apart."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pipeline.runs import machine


def test_a_clone_keeps_its_mark_and_one_of_the_same_host_and_place_has_another(tmp_path: Path) -> None:
    with ThreadPoolExecutor() as pool:  # of several processes at once the first one's number counts
        [mark] = set(pool.map(machine.clone, [tmp_path] * 8))
    assert [path.name for path in (tmp_path / "journal").iterdir()] == ["clone"]
    (tmp_path / machine.NUMBER).unlink()  # as in another container: host, device and inode are what they were
    assert machine.clone(tmp_path) != mark


def test_a_clone_that_can_keep_no_number_is_told_by_its_place(tmp_path: Path) -> None:
    (tmp_path / "journal").write_text("no folder")
    assert machine.clone(tmp_path) == machine.clone(tmp_path)
