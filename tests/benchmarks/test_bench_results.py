import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import results
from benchmarks.commands import elsewhere
from benchmarks.results import MEASUREMENTS, Measurement
from benchmarks.spread import Spread
from benchmarks.training import told
from mnistgan.errors import FormatError, MnistganError
from mnistgan.files import write_json
from pipeline.runs.journal import read

QUICK = Measurement.begin("make bench", Path("none/bin/python"))
LATER = dataclasses.replace(QUICK, time="2999-01-01T00:00:00+00:00", command="make bench-full", torch="2.13.0")
PROMISED = {
    *("step_ratio_vs_article", "step_ratio_vs_pytorch", "article_seconds", "seconds_to_article_quality"),
    *("speedup_to_article_quality", "tracking_share", "help_s", "noop_repro_s", "evaluate_s", "peak_rss_mib"),
}


def held(measurement: Measurement, **values: float) -> dict[str, Any]:
    return results.merged({}, measurement, {key: Spread.of([value]) for key, value in values.items()})


def test_a_spread_has_the_least_the_middle_and_the_most_and_counts_rounds() -> None:
    spread = Spread.of([3.0, 1.0, 2.0])
    assert spread.as_json() == {"minimum": 1.0, "median": 2.0, "maximum": 3.0, "rounds": 3}
    assert Spread.of([0.123456]).as_json()["median"] == 0.1235


def test_a_ratio_is_taken_within_a_round() -> None:
    # The second round was twice as slow for both, which a ratio of medians would carry over.
    assert Spread.of_ratios([600.0, 300.0], [400.0, 200.0]) == Spread(1.5, 1.5, 1.5, 2)


def test_a_figure_that_was_not_measured_again_stays_and_says_by_which_measurement() -> None:
    before = results.merged({}, LATER, {"help_s": Spread.of([0.3]), "step_ratio_vs_pytorch": Spread.of([1.2])})
    now = results.merged(before, QUICK, {"help_s": Spread.of([0.2])})
    assert now["help_s"] == {"minimum": 0.2, "median": 0.2, "maximum": 0.2, "rounds": 1, "measurement": QUICK.time}
    assert now["step_ratio_vs_pytorch"] == before["step_ratio_vs_pytorch"]
    assert now[MEASUREMENTS][LATER.time]["command"] == "make bench-full"
    assert now[MEASUREMENTS][QUICK.time]["cores"] == QUICK.cores


def test_a_measurement_that_no_figure_is_of_any_more_is_dropped() -> None:
    assert list(results.merged(held(QUICK, help_s=0.2), LATER, {"help_s": Spread.of([0.3])})[MEASUREMENTS]) == [
        LATER.time
    ]


def test_every_promised_figure_is_explained_and_counts_as_missing_until_it_is_measured() -> None:
    assert results.KEYS.keys() >= PROMISED
    unknown = results.missing(held(QUICK, help_s=0.2))
    assert "help_s" not in unknown
    assert set(unknown) >= PROMISED - {"help_s"}


def test_the_file_comes_back_as_it_was_written_and_nothing_comes_of_none(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    assert results.read(path) == {}
    write_json(path, held(QUICK, help_s=0.2))
    assert results.read(path) == held(QUICK, help_s=0.2)
    assert "`help_s`" in results.table(results.read(path))


@pytest.mark.parametrize("text", ["[]", "{}", '{"measurements": {}, "help_s": {"measurement": "then"}}', "{"])
def test_a_file_that_is_something_else_is_refused_and_not_written_over(tmp_path: Path, text: str) -> None:
    path = tmp_path / "results.json"
    path.write_text(text)
    with pytest.raises(FormatError, match=r"results\.json"):
        results.read(path)


def test_a_measurement_tells_the_machine() -> None:
    assert QUICK.torch is None
    assert QUICK.cores >= 1
    assert QUICK.memory_gib > 0
    assert QUICK.tensorflow.startswith("2.")


def test_a_stage_is_timed_with_its_outs_in_another_folder() -> None:
    words = ["-m", "pipeline", "evaluate", "--test", "data/test.npz", "--metrics", "metrics/evaluation.json"]
    moved = elsewhere(words, ["metrics/evaluation.json"], Path("/scratch"))
    assert moved == [*words[:-1], "/scratch/metrics/evaluation.json"]


def test_the_speed_of_a_training_is_the_last_that_its_journal_tells(tmp_path: Path) -> None:
    line = {"stage": "train", "time": "2026-01-01T00:00:00+00:00", "event": "progress"}
    path = tmp_path / "key.jsonl"
    speeds = [{**line, "images_per_second": speed, "overhead_share": 0.1} for speed in (100.0, 200.0)]
    path.write_text("".join(json.dumps(each) + "\n" for each in [*speeds, {**line, "event": "end"}]))
    assert told(read(path)) == (200.0, 0.1)
    with pytest.raises(MnistganError, match="no speed"):
        told([])
