import re
import shlex
import subprocess
from pathlib import Path

import pytest

from pipeline.results import rules
from scripts import compare
from tests.pipeline.checkout import Checkout


@pytest.mark.parametrize("line", ["| a row |\n", "| ≈ real 0.51 ↓ |\n"])
def test_a_summary_is_cut_after_a_line_to_what_a_comment_takes(line: str) -> None:
    whole = line * 10_000
    cut = compare.fitted(whole)
    assert len(cut) <= compare.LIMIT
    text = cut.decode()
    assert text.endswith(compare.CUT)
    assert set(text.removesuffix(compare.CUT).splitlines()) == {line.strip()}
    assert len(cut) > compare.LIMIT - 200


def test_a_summary_that_fits_stays_as_it_is() -> None:
    assert compare.fitted("**gate passed**\n") == b"**gate passed**\n"


@pytest.mark.parametrize("block", ["mnist:\n  {}\n  {}\nother:\n  {}\n", "{}\n{}\n"], ids=["blocks", "one-of-before"])
def test_of_the_rules_those_that_compare_with_the_base_are_kept_each_with_its_data_set(
    block: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    compares = "fid: no worse than base by more than 25%"
    Path("gate.yaml").write_text(block.format("verdict: healthy", compares, compares))
    found = rules.read(compare.of_the_change(tmp_path / "change.yaml"))
    assert {data: list(held) for data, held in found.items()} == {
        data: ["fid"] for data in (("mnist", "other") if "other" in block else ("mnist",))
    }


def test_what_a_command_said_stays_text_whatever_is_in_it() -> None:
    said = "error: ````\n<img src=x> @everyone"
    assert compare.as_code(said) == f"`````text\n{said}\n`````"


def test_an_annotation_is_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    compare.announce("warning", "100%\n::error::no")
    assert capsys.readouterr().out == "::warning title=gate.yaml::100%25%0A::error::no\n"
    monkeypatch.setenv("GITHUB_ACTIONS", "")
    compare.announce("warning", "inconclusive")
    assert capsys.readouterr().err == "warning: inconclusive\n"


def test_a_folder_that_can_not_be_made_is_bad_use(tmp_path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert compare.main(["--out", str(tmp_path / "file" / "folder"), "main"]) == 2
    assert "can't be written" in capsys.readouterr().err


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A repository whose tag `base` is in sync, and whose last commit has other figures over the very weights."""
    made = Checkout.create(tmp_path_factory.mktemp("compared") / "repository")
    made.run_made_up(27.0)
    made.record_seeds()
    made.commit("base")
    made.run_made_up(26.0)
    made.lock(weights="weights of FID 27.0")
    made.commit("lie")
    made.git("checkout", "--quiet", "--detach", "base")
    figures = made.root / "metrics" / "evaluation.json"
    figures.write_text(figures.read_text().replace("27.0", "1.2"))
    made.commit("torn")
    made.git("checkout", "--quiet", "base")
    with (made.root / "src" / "mnistgan" / "evaluation" / "measuring.py").open("a") as file:
        file.write("# tidied\n")
    made.lock(weights="weights of FID 27.0")
    made.commit("tidied")
    made.git("checkout", "--quiet", "main")
    return made


@pytest.fixture
def here(honest: Checkout, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    monkeypatch.chdir(honest.root)
    for name in ("GITHUB_ACTIONS", "GIT_DIR", "GIT_WORK_TREE"):
        monkeypatch.delenv(name, raising=False)
    return honest


def test_other_figures_over_the_same_weights_are_never_green(
    here: Checkout, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare.main(["--out", str(tmp_path), "base"]) == 3
    headline = "measured otherwise: the same weights, other figures: fid 27 → 26; gate inconclusive: "
    summary = (tmp_path / "summary.md").read_text("utf-8")
    assert summary.startswith(f"**{headline}")
    assert "gate passed" not in summary
    assert "files and folders looked at, " in summary
    assert f"error: {headline}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("base", "head", "said"),
    [
        ("base", "tidied", "measured otherwise: the same weights and figures, by other measuring: src/mnistgan/eval"),
        ("torn", "base", "measured otherwise: the same weights, other figures: fid 1.2 → 27; gate inconclusive: 2"),
    ],
)
def test_an_honest_change_of_what_measures_and_the_mend_of_a_torn_base_are_green_with_a_warning(
    here: Checkout, tmp_path: Path, capsys: pytest.CaptureFixture[str], base: str, head: str, said: str
) -> None:
    here.git("checkout", "--quiet", head)
    code = compare.main(["--out", str(tmp_path), base])
    here.git("checkout", "--quiet", "main")
    assert code == 0
    assert (tmp_path / "summary.md").read_text("utf-8").startswith(f"**{said}")
    assert f"warning: {said}" in capsys.readouterr().err


def test_a_pass_by_other_rules_of_what_is_not_committed_or_beside_itself_is_told_as_such(here: Checkout) -> None:
    assert list(compare.doubts("base")) == []
    assert list(compare.doubts("lie")) == ["the base is this very commit, so there was nothing to compare"]
    rules = here.root / "gate.yaml"
    before = rules.read_bytes()
    rules.write_text("verdict: healthy\n")
    told = list(compare.doubts("base"))
    rules.write_bytes(before)
    assert told == [
        "the rules themselves differ: gate.yaml is not the base's",
        "what is not committed was verified, but not compared: the figures are the last commit's",
    ]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("PATH", "", "git: can't be run: No such file or directory"),
        ("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1", "fatal: detected dubious ownership"),
        ("GIT_DIR", "nowhere", "fatal: not a git repository"),
    ],
)
def test_where_git_does_not_answer_its_own_words_are_told(
    here: Checkout,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    value: str,
    said: str,
) -> None:
    monkeypatch.setenv(name, value)
    assert compare.main(["--out", str(tmp_path), "base"]) == 2
    shown = capsys.readouterr().err
    assert said in shown
    assert "error: gate not asked: git does not answer" in shown
    assert said in (tmp_path / "summary.md").read_text("utf-8")


def test_in_a_shallow_clone_the_mend_is_the_whole_history(
    here: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(compare.UnansweredError) as raised:
        compare.named("nowhere")
    assert "(git fetch origin)" in raised.value.said
    subprocess.run(["git", "clone", "-q", "--depth", "1", here.root.as_uri(), tmp_path / "shallow"], check=True)
    monkeypatch.chdir(tmp_path / "shallow")
    with pytest.raises(compare.UnansweredError) as raised:
        compare.named("base")
    mend = re.search(r"in this shallow clone; fetch it \((git fetch --unshallow .+?)\)", raised.value.said)
    assert mend
    subprocess.run(shlex.split(mend[1]), check=True)
    assert compare.named("base") == "base"
