"""What an experiment of CI trains and costs, said and refused before."""

from pathlib import Path

import pytest

from scripts import experiment
from tests.pipeline.checkout import Checkout

SMALLER = "recipes/dcgan.yaml:fast.epochs=2"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A repository whose tag `old` has no such script, and whose last commit trains twice as fast as `base`."""
    made = Checkout.create(tmp_path_factory.mktemp("planned") / "repository")
    script = made.root / "scripts" / "experiment.py"
    script.rename(made.root / "aside")
    made.commit("old")
    (made.root / "aside").rename(script)
    made.commit("base")
    made.turn(learning_rate=0.0028)
    made.commit("head")
    return made


@pytest.fixture
def here(made: Checkout, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    monkeypatch.chdir(made.root)
    monkeypatch.delenv("GITHUB_OUTPUT", raising=False)
    return made


def test_a_plan_that_fits_says_its_minutes_its_commits_and_what_each_side_is_trained_with(
    here: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))
    assert experiment.main(["plan", "--base=base", "--both", SMALLER, "--set", "train.grid_seed=3"]) == 0
    told = dict(line.split("=", 1) for line in (tmp_path / "output").read_text().splitlines())
    assert [told[side] for side in ("base", "head")] == [here.git("rev-parse", side) for side in ("base", "head")]
    assert (told["set_base"], told["set_head"]) == (SMALLER, f"{SMALLER} train.grid_seed=3")
    assert (told["seeds"], told["minutes"]) == ("[0, 1, 2]", "16")  # 6 jobs of 16 minutes, and 22 beside: 118
    # 5 + 50,000 images x 2 epochs / 174 a second / 60 = 14.6 minutes a job; 6 of them, and 22
    assert "3 seeds a side: about 109 minutes of runners, 120 at most" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--base=base"], "3 seeds a side would take about 311 minutes of runners (48 a seed of the base, 48"),
        (["--base=base", f"--both={SMALLER}", "--seeds=4"], "takes 120 in all, so 12 a seed; train less on both"),
        (["--base=base", "--seeds=0"], "got 0 seeds a side; takes 1 to 20"),
        (["--base=head", f"--both={SMALLER}"], "both sides are one commit with the same overrides"),
        (["--base=nowhere"], "'nowhere' is no commit, branch or tag here"),
        (["--base=old"], "'old' has no scripts/experiment.py, so no job can train it"),
        (["--base=base", "--both=train.family=vae"], "no speed is recorded for the family vae; give --rate"),
        (["--base=base", "--both=recipes/dcgan.yaml:fast.nonsense=1"], "nonsense"),
        (["--base=base", f"--both={SMALLER}", "--set=evaluate.samples=1"], "evaluate.samples: got 1"),
    ],
)
def test_what_costs_too_much_or_can_not_be_trained_is_refused_in_a_line(
    here: Checkout, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert experiment.main(["plan", *words]) == 2
    assert said in capsys.readouterr().err


def test_the_key_tells_seeds_and_overrides_apart_and_nothing_else(here: Checkout) -> None:
    here.run_made_up(27.0, learning_rate=0.0028)
    name = experiment.key(1, [SMALLER])
    assert name.startswith("fast-seed1-")
    assert name == experiment.key(1, [SMALLER])
    assert len({name, experiment.key(0, [SMALLER]), experiment.key(1, [])}) == 3
    here.git("checkout", "--quiet", "--force", "main")
