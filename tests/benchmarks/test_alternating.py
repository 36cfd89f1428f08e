import sys
from pathlib import Path

import pytest

from benchmarks import ROOT
from benchmarks.alternating import Contender, alternate
from benchmarks.ending import BenchmarkError


def contender(folder: Path, name: str, body: str) -> Contender:
    """One that runs ``body`` a round, in place of a module of benchmarks, and prints where no answer is looked for."""
    script, interpreter = folder / f"{name}.py", folder / name
    lines = [
        "import sys",
        "from benchmarks.alternating import serve",
        "rounds = []",
        f"log = open({str(folder / 'log')!r}, 'a')",
        "def run():",
    ]
    lines += [
        f"    print({name!r}, file=log, flush=True)",
        "    print('what a library prints')",
        f"    {body}",
        "serve(run)",
    ]
    script.write_text("\n".join(lines))
    interpreter.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" "{script}"\n')
    interpreter.chmod(0o755)
    return Contender(name, "ignored", python=str(interpreter))


def test_contenders_take_turns_and_every_other_round_goes_backwards(tmp_path: Path) -> None:
    speeds = alternate([contender(tmp_path, name, "return 64") for name in ("a", "b")], rounds=3)
    assert {name: len(rounds) for name, rounds in speeds.items()} == {"a": 3, "b": 3}
    assert min(*speeds["a"], *speeds["b"]) > 0
    turns = (tmp_path / "log").read_text().split()
    assert sorted(turns[:2]) == ["a", "b"]  # both warm up at once
    assert turns[2:] == ["a", "b", "b", "a", "a", "b"]


def test_one_that_fails_in_the_middle_is_named_with_what_it_said_last(tmp_path: Path) -> None:
    failing = contender(
        tmp_path, "failing", "return 1 if rounds.append(0) or len(rounds) < 3 else sys.exit('out of luck')"
    )
    healthy = contender(tmp_path, "healthy", "return 1")
    with pytest.raises(BenchmarkError, match=r"(?s)failing ended with exit code 1:.*out of luck"):
        alternate([healthy, failing], rounds=9)
