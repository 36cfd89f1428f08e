"""Judges the commit that is checked out by gate.yaml, beside another: `make compare`, and CI for a pull request.

From what git holds alone: `verify --fast` and, where dvc.lock is in sync, `diff`, `gate` and `report`. Trains nothing
and needs no network. Writes report.html, and summary.md, which begins with the gate's word, or with why it has none.
A pass by other rules than the base's, of what is not all committed, or beside itself, is a warning, and so are other
code that measured, and a base whose own figures are in doubt: else neither could be mended. Exit codes: 0 the gate
passed, or is inconclusive by chance or by one of these, with a warning; 1 it failed, or dvc.lock is not in sync; 2
bad use, or a command broke; 3 the two contradict each other, or the head's figures are in doubt; 130 interrupted.
"""

import argparse
import io
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

SUMMARY, REPORT, RULES = "summary.md", "report.html", "gate.yaml"
LIMIT = 60_000
"""Bytes of the summary. A comment on GitHub takes 65,536 characters, and holds a little more than the summary."""
CUT = f"\n\n*Cut here: a comment takes no more. {REPORT} has the rest.*\n"
PASSED, FAILED, BAD_USE, INCONCLUSIVE, INTERRUPTED = 0, 1, 2, 3, 130
TRACEBACK = "Traceback (most recent call last)"
NO_GIT = "git does not answer"
UNSHALLOW = "--unshallow origin '+refs/heads/*:refs/remotes/origin/*'"


class UnansweredError(Exception):
    """A command failed to answer: the question that stays open, what it said, its exit code."""

    def __init__(self, why: str, said: str, code: int) -> None:
        super().__init__(said)
        self.why, self.said, self.code = why, said, code


@dataclass(frozen=True)
class Summary:
    """The comparison's first line, its summary in Markdown, and its exit code (as `gate` has them)."""

    headline: str
    summary: str
    code: int
    is_sound: bool = True
    """Whether nothing contradicts the head's figures; what does is red."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare, write the files, say how it ended. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("base", help="what to compare with: a commit, branch or tag, for instance origin/main")
    parser.add_argument("--out", type=Path, default=Path("comparison"), help="the folder to write to")
    options = parser.parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # what the terminal's encoding lacks
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        for name in (SUMMARY, REPORT):  # an earlier comparison's
            (options.out / name).unlink(missing_ok=True)
        told = compare(options.base, options.out)
        (options.out / SUMMARY).write_bytes(fitted(told.summary))
    except OSError as error:
        print(f"error: {error.filename}: can't be written: {error.strerror}", file=sys.stderr)
        return BAD_USE
    except KeyboardInterrupt:
        return INTERRUPTED
    print(f"wrote {options.out / SUMMARY}", flush=True)
    may_merge = told.code == INCONCLUSIVE and told.is_sound
    if told.code != PASSED:
        announce("warning" if may_merge else "error", told.headline)
    return PASSED if may_merge else told.code


def compare(base: str, out: Path) -> Summary:
    """Compares the last commit with ``base``; where that can't be done, say why."""
    try:
        base = named(base)
        done = pipeline("verify", "--fast", why="dvc.lock is not in sync", stdout=subprocess.PIPE)
        with tempfile.TemporaryDirectory(prefix="mnistgan-compare-") as folder:
            return judge(base, git("rev-parse", "--short=12", "HEAD"), out / REPORT, Path(folder), done.stdout.strip())
    except UnansweredError as open_question:
        if open_question.code == INTERRUPTED:
            raise KeyboardInterrupt from open_question
        headline = f"gate not asked: {open_question.why}"
        if open_question.why == NO_GIT:
            print(open_question.said.strip(), file=sys.stderr)
        return Summary(headline, f"**{headline}**\n\n{as_code(open_question.said)}\n", open_question.code)


def named(base: str) -> str:
    """The name of a commit as people read it. Raises UnansweredError where it is none, or git does not answer."""
    shallow = git("rev-parse", "--is-shallow-repository") == "true"
    try:
        git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{base}^{{commit}}")
    except UnansweredError as error:
        fetch = f"git fetch {UNSHALLOW}" if shallow else "git fetch origin"
        what = "in this shallow clone" if shallow else "here"
        said = f"error: {base!r} is no commit, branch or tag {what}; fetch it ({fetch}), or give another BASE"
        print(said, file=sys.stderr)
        raise UnansweredError("there is no such base", said, BAD_USE) from error
    return base[:12] if re.fullmatch("[0-9a-f]{40}", base) else base


def judge(base: str, head: str, page: Path, folder: Path, verified: str) -> Summary:
    """Asks `diff`, `gate` and `report`. Raises UnansweredError where one of them has no answer.

    ``verified``: what `verify --fast` looked at.
    """
    pipeline("diff", "--", base, head, why="the results can't be compared")
    gate, report, word = folder / "gate.md", folder / "report.md", folder / "gate.json"
    sides = (f"--base={base}", f"--head={head}")
    code = pipeline(
        *("gate", *sides, f"--markdown={gate}", f"--json={word}"),
        why="it can't be judged",
        answers=(PASSED, FAILED, INCONCLUSIVE),
    ).returncode
    pipeline("report", f"--out={page}", f"--markdown={report}", "--", base, head, why="no report")
    first, _, judged = gate.read_text("utf-8").partition("\n")
    answer = json.loads(word.read_text("utf-8"))
    headline = answer["headline"]
    found = list(doubts(base))
    if found and code == PASSED:
        code, headline, first = (
            INCONCLUSIVE,
            f"{headline}; but {found[0]}",
            f"{first.removesuffix('**')}; but {found[0]}**",
        )
    notes = [f"- note: {note}" for note in (*found, verified)]
    sections = [f"{first}\n{judged}", "\n".join(notes), "## How they differ", report.read_text("utf-8")]
    summary = "\n\n".join(section.strip() for section in sections) + "\n"
    contradicted = answer["contradiction"] and not answer["base_doubts"]  # a torn base contradicts what mends it
    return Summary(headline, summary, code, is_sound=not (contradicted or answer["head_doubts"]))


def doubts(base: str) -> Iterator[str]:
    """Lists why a pass should not be merged unseen."""
    if git("diff", "--name-only", base, "--", RULES):
        yield f"the rules themselves differ: {RULES} is not the base's"
    if git("status", "--porcelain", "--untracked-files=no"):
        yield "what is not committed was verified, but not compared: the figures are the last commit's"
    if git("rev-parse", f"{base}^{{commit}}") == git("rev-parse", "HEAD"):
        yield "the base is this very commit, so there was nothing to compare"


def pipeline(
    *words: str, why: str, answers: Collection[int] = (PASSED,), stdout: int | None = None
) -> "subprocess.CompletedProcess[str]":
    """Runs a command of the pipeline, with an exit code among ``answers``; raises UnansweredError for others."""
    print(f"$ python -m pipeline {' '.join(words)}", flush=True)
    command = [sys.executable, "-m", "pipeline", *words]
    done = subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, text=True, errors="replace", check=False)
    print(done.stdout or "", end="", flush=True)
    print(done.stderr, end="", file=sys.stderr, flush=True)
    broke = TRACEBACK in done.stderr or done.returncode not in (*answers, FAILED, BAD_USE, INTERRUPTED)
    if broke:  # a bug, Python's own 1, or a signal is no verdict
        raise UnansweredError(f"`{words[0]}` broke", done.stderr or f"exit code {done.returncode}", BAD_USE)
    if done.returncode not in answers:
        raise UnansweredError(why, done.stderr, done.returncode)
    return done


def git(*words: str) -> str:
    """Runs a git command; returns what it prints. Raises UnansweredError with git's own words."""
    command = ["git", *words]
    try:
        done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace", check=False)
    except OSError as error:
        raise UnansweredError(NO_GIT, f"git: can't be run: {error.strerror}", BAD_USE) from error
    if done.returncode:
        raise UnansweredError(NO_GIT, done.stderr, BAD_USE)
    return done.stdout.strip()


def fitted(summary: str) -> bytes:
    """The summary as UTF-8, cut after a line where it is longer than LIMIT, which is then said."""
    whole = summary.encode()
    if len(whole) <= LIMIT:
        return whole
    kept, _, _ = whole[: LIMIT - len(CUT.encode())].rpartition(b"\n")
    return kept + CUT.encode()


def as_code(text: str) -> str:
    """Text as Markdown shows it as it is, whatever is in it."""
    fence = "`" * max([3, *(len(run) + 1 for run in re.findall("`+", text))])
    return f"{fence}text\n{text.strip()}\n{fence}"


def announce(level: str, message: str) -> None:
    """Says how it ended: as an annotation where GitHub runs this, on stderr elsewhere."""
    if os.environ.get("GITHUB_ACTIONS") == "true":
        for mark, code in (("%", "%25"), ("\r", "%0D"), ("\n", "%0A")):
            message = message.replace(mark, code)
        print(f"::{level} title=gate.yaml::{message}", flush=True)
    else:
        print(f"{level}: {message}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
