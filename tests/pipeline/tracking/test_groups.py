"""What is told of a group of seeds, and the file that records it."""

import math
from pathlib import Path

import pytest

from mnistgan.comparison import seeds
from mnistgan.comparison.seeds import SeedRow
from mnistgan.errors import DataError, FormatError
from pipeline.tracking import groups
from pipeline.tracking.groups import Group
from tests.comparison.made_up import COLLAPSED, STEPS, figures, rows

LOST = SeedRow("fast", "recipe-a", 9, figures(400.0, verdict=COLLAPSED))


def values(group: Group) -> dict[str, float]:
    return {point.metric: point.value for point in group.points()}


def test_its_points_are_mean_spread_and_interval_of_log_fid_and_of_the_others() -> None:
    told = values(Group(tuple(rows()), 5))
    mean = math.log(27.5) + sum(STEPS[:5]) / 5
    assert told["seeds/log_fid.mean"] == float(f"{mean:.6g}")  # a chart's label has room for no more
    assert told["seeds/log_fid.low"] < told["seeds/log_fid.mean"] < told["seeds/log_fid.high"]
    assert told["seeds/fid.mean"] == float(f"{math.exp(mean):.6g}")
    assert {f"seeds/coverage.{end}" for end in ("mean", "sd", "low", "high")} <= told.keys()
    assert "seeds/fid.sd" not in told


def test_collapsed_seeds_are_counted_and_not_averaged_in() -> None:
    with_lost, without = values(Group((*rows(), LOST), 6)), values(Group(tuple(rows()), 5))
    assert (with_lost["seeds/count"], with_lost["seeds/collapsed"]) == (6, 1)
    assert with_lost["seeds/log_fid.mean"] == without["seeds/log_fid.mean"]


def test_its_points_stand_at_the_number_of_seeds_so_that_the_mean_is_seen_to_settle() -> None:
    assert {point.step for point in Group(tuple(rows(count=3)), 5).points()} == {3}


def test_its_note_has_the_sentence_a_row_a_metric_and_a_row_a_seed() -> None:
    group = Group((*rows(), LOST), 6)
    lines = group.note().splitlines()
    assert lines[0].startswith("6 seeds of recipe fast (recipe-a); FID 27.")
    assert "sd of log FID 0.05" in lines[0]
    assert lines[0].endswith("1 collapsed")
    assert [line for line in lines if line.startswith("| log\\_fid |")]
    (lost,) = [line for line in lines if line.startswith("| 9 |")]
    assert "collapsed: class 8" in lost
    assert "not averaged in" in lost


def test_a_group_that_is_not_all_there_says_so() -> None:
    assert Group(tuple(rows(count=3)), 5).headline().startswith("3 of 5 seeds of recipe fast")
    assert Group(tuple(rows(count=1)), 5).headline() == "1 of 5 seeds of recipe fast (recipe-a); FID 27.5; 0 collapsed"


def test_a_note_of_many_seeds_stays_within_what_mlflow_takes_and_says_what_is_left_out() -> None:
    made = tuple(SeedRow("fast", "recipe-a", seed, figures(27.0 + seed)) for seed in range(500))
    note = Group(made, 500).note()
    assert len(note) < 8000
    shown = sum(line.startswith("| ") and line.split()[1].isdigit() for line in note.splitlines())
    assert f"and {500 - shown} more" in note


def test_writing_replaces_the_rows_of_its_digest_and_keeps_those_of_others(tmp_path: Path) -> None:
    path = tmp_path / "seeds.csv"
    others = rows(50.0, digest="recipe-b")
    path.write_text(seeds.dumps([*rows(99.0, count=7), *others]))
    groups.write(path, Group(tuple(rows(27.5, count=3)), 3))
    assert path.read_text() == seeds.dumps([*rows(27.5, count=3), *others])


def test_the_bytes_are_the_same_in_whatever_order_groups_are_written(tmp_path: Path) -> None:
    made = [Group(tuple(rows(27.5)), 5), Group(tuple(rows(50.0, digest="recipe-b")), 5)]
    for name, order in (("one.csv", made), ("other.csv", made[::-1])):
        for group in order:
            groups.write(tmp_path / name, group)
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "other.csv").read_bytes()


def test_a_file_holds_a_group_for_each_recipe_with_two_seeds_or_more(tmp_path: Path) -> None:
    path = tmp_path / "seeds.csv"
    path.write_text(seeds.dumps([*rows(count=3), *rows(digest="recipe-b", count=1)]))
    (group,) = groups.of_file(path)
    assert (group.digest, len(group.rows), group.is_complete) == ("recipe-a", 3, True)
    assert groups.of_file(tmp_path / "none.csv") == []


def test_what_is_no_seeds_file_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "seeds.csv"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(FormatError, match=r"seeds\.csv: can't be read as UTF-8"):
        groups.read_rows(path)
    with pytest.raises(DataError, match="a folder"):
        groups.read_rows(tmp_path)
