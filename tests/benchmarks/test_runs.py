import dataclasses
from pathlib import Path

import pytest

from benchmarks import frontier, runs
from benchmarks.bench import to_article_quality
from benchmarks.ending import BenchmarkError
from benchmarks.runs import COLUMNS, Run, TimedLook
from mnistgan.errors import DataError, FormatError

NO_8 = 20.0


def run_of(recipe: str, units: list[float], seed: int = 0, seconds: float = 100.0, processor: str = "one") -> Run:
    looks = tuple(
        TimedLook(
            recipe=recipe,
            seed=seed,
            key=f"key{seed}",
            processor=processor,
            images_per_second=500.0,
            epoch=epoch,
            step=100 * epoch,
            seconds=seconds * epoch,
            fid=NO_8 * value,
            fid_missing_class=NO_8,
            fid_floor=1.0,
            fid_pixels=1.0,
            fid_pixels_missing_class=0.5,
            fid_pixels_floor=0.25,
            coverage=0.7,
            smallest_ratio=0.9,
        )
        for epoch, value in enumerate(units, start=1)
    )
    return Run(f"{recipe}_{seed}", looks)


def write(folder: Path, *recorded: Run) -> Path:
    for run in recorded:
        (folder / f"{run.name}.csv").write_text(run.dumps())
    return folder


def test_a_quality_is_reached_at_the_first_look_from_which_all_stay_below_it() -> None:
    run = run_of("fast", [3.0, 1.5, 2.5, 1.9, 1.2])
    assert run.seconds_to(2.0) == 400  # at 200 it was below, and then above again
    assert run.seconds_to(10.0) == 100
    assert run.seconds_to(1.2) is None  # as good is not better
    assert run.seconds_to(1.0) is None


def test_the_articles_quality_is_the_median_of_its_last_five_looks() -> None:
    run = run_of("article", [0.1, 0.1, 5.0, 1.0, 2.0, 9.0, 4.0])
    assert run.quality == pytest.approx(4.0)
    assert runs.article_quality([run, run_of("fast", [0.1])]) == pytest.approx(4.0)


def test_a_run_comes_back_from_its_file_as_it_was(tmp_path: Path) -> None:
    recorded = [run_of("article", [2.0, 1.0]), run_of("fast", [0.7, 0.6], seed=3)]
    assert runs.read(write(tmp_path, *recorded)) == recorded


def test_a_table_of_looks_without_times_is_no_run_and_any_other_file_is_refused(tmp_path: Path) -> None:
    bare = runs.FOLDER / "looks_10000_images.csv"
    (tmp_path / bare.name).write_bytes(bare.read_bytes())
    assert runs.read(tmp_path) == []
    (tmp_path / "odd.csv").write_text("a,b\n1,2\n")
    with pytest.raises(FormatError, match=r"odd: begins with a, b; takes recipe"):
        runs.read(tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "begins with nothing"),
        (",".join(COLUMNS) + "\n", "holds no look"),
        (",".join(COLUMNS) + "\nfast,0\n", "shorter"),
    ],
)
def test_a_file_that_is_no_run_is_refused(text: str, said: str) -> None:
    with pytest.raises(FormatError, match=said):
        Run.parse(text, "odd")


def test_looks_of_two_trainings_in_one_file_are_refused() -> None:
    one, other = run_of("fast", [1.0]), run_of("fast", [1.0], seed=1)
    with pytest.raises(FormatError, match="more than one training"):
        Run.parse(Run("both", one.looks + other.looks).dumps(), "both")


def test_runs_measured_by_other_rulers_do_not_compare(tmp_path: Path) -> None:
    one = run_of("fast", [1.0])
    other = Run("other", tuple(dataclasses.replace(look, fid_missing_class=30.0) for look in one.looks))
    with pytest.raises(FormatError, match="other rulers"):
        runs.read(write(tmp_path, one, other))


def test_the_speedup_is_the_articles_whole_training_over_the_time_to_its_quality_a_round_a_seed() -> None:
    recorded = [run_of("article", [5.0] * 45 + [2.0] * 5)]
    recorded += [run_of("fast", units, seed) for seed, units in enumerate([[1.0, 0.5], [3.0, 0.5], [1.5, 0.4]])]
    figures = to_article_quality(recorded, "fast")
    assert figures["article_seconds"].median == 5000
    assert figures["article_quality"].median == pytest.approx(2.0)
    seconds = figures["seconds_to_article_quality"]
    assert (seconds.minimum, seconds.median, seconds.maximum, seconds.rounds) == (100, 100, 200, 3)
    speedup = figures["speedup_to_article_quality"]
    assert (speedup.minimum, speedup.median, speedup.maximum) == (25, 50, 50)


def test_a_seed_that_never_gets_there_is_told() -> None:
    with pytest.raises(BenchmarkError, match="fast_1"):
        to_article_quality([run_of("article", [2.0]), run_of("fast", [1.0]), run_of("fast", [3.0], seed=1)], "fast")


def test_times_of_two_processors_are_not_compared() -> None:
    with pytest.raises(BenchmarkError, match="one, two"):
        to_article_quality([run_of("article", [2.0]), run_of("fast", [1.0], processor="two")], "fast")


def test_a_recipe_without_a_run_is_told() -> None:
    with pytest.raises(DataError, match="no run of recipe article"):
        to_article_quality([run_of("fast", [1.0])], "fast")


def test_the_frontier_is_drawn_to_the_same_bytes_a_colour_a_recipe() -> None:
    recorded = [run_of("article", [9.0, 3.0, 2.0]), run_of("fast", [0.9, 0.5]), run_of("fast", [0.8, 0.6], seed=1)]
    picture = frontier.draw(recorded)
    assert picture.startswith(b"\x89PNG")
    assert picture == frontier.draw(recorded)
    given = frontier.colours([*recorded, run_of("lean", [0.4])])
    assert list(given) == ["article", "fast", "lean"]
    assert len(set(given.values())) == 3


def test_more_recipes_than_there_are_colours_are_refused() -> None:
    with pytest.raises(DataError, match="10 recipes"):
        frontier.colours([run_of(f"recipe{number}", [1.0]) for number in range(10)])
