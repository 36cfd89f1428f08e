"""Tab completion as bash asks for it: what stands on the line after `. scripts/completion.sh`."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

SCRIPT = Path("scripts/completion.sh").resolve()
ASK = f"""
. {SCRIPT}
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
"$(complete -p python | sed 's/.*-F \\([a-z_]*\\) .*/\\1/')" python
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def completions(*words: str) -> Sequence[str]:
    """What may stand in the place of the last word, as bash's own completion would be told."""
    asked = subprocess.run(["bash", "-c", ASK, "bash", *words], capture_output=True, text=True, check=True)
    assert not asked.stderr
    return asked.stdout.split()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("ga",), {"gallery", "gate"}),
        (("re",), {"render", "report"}),
        (("model", "ex"), {"export"}),
        (("diff", "main", "--mar"), {"--margin", "--markdown"}),
    ],
)
def test_commands_and_options_complete(words: tuple[str, ...], offered: set[str]) -> None:
    assert set(completions("python", "-m", "pipeline", *words)) == offered


@pytest.mark.parametrize("words", [("python", "scr"), ("python", "-m", "pip"), ("python", "-m", "pytest", "ga")])
def test_other_programs_are_left_to_bash(words: tuple[str, ...]) -> None:
    assert completions(*words) == []
