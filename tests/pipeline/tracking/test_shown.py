"""What of an evaluation and of params a run shows, and in which order."""

from pipeline.tracking import publication


def test_the_scores_come_first_and_what_only_goes_with_a_metric_is_left_to_the_file() -> None:
    leaves = {
        "kid.value": 0.2,
        "fid.floor": 0.5,
        "fid.low": 1.0,
        "fid.value": 1.7,
        "fid.relative": 0.09,
        "samples": 9.0,
    }
    told = dict(publication.figures(leaves))
    assert list(told) == ["scores/fid", "scores/fid.relative", "whole evaluation/kid"]


def test_at_most_a_dozen_figures_are_scores() -> None:
    assert 0 < len(publication.deciding()) <= 12


def test_the_params_that_are_shown_are_family_recipe_seed_and_knobs() -> None:
    held = {"train.family": "dcgan", "train.seed": 1, "train.threads": 2, "recipe.epochs": 9, "evaluate.samples": 100}
    assert publication.params(held) == {"train.family": "dcgan", "train.seed": "1", "recipe.epochs": "9"}
