import pytest

from scripts import compare


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
