"""Judges the commit that is checked out by gate.yaml, beside another: `make compare`, and CI for a pull request.

From what git holds alone: `verify --fast` and, where dvc.lock is in sync, `diff`, `gate` and `report`. Trains nothing
and needs no network. Writes report.html, and summary.md: on its first screen the gate's word or why it has none, six
figures, what changed, and on GitHub the samples of both; all else is folded. With --head two results are judged that
are no commits, for instance two groups of seeds that were trained for it.

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
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.output import escaped, markdown_table  # which puts src/ on the path

# isort: split
from mnistgan import reading
from mnistgan.comparison.wording import leading
from mnistgan.errors import GateError
from pipeline.results import former

SUMMARY, REPORT, RULES, SAMPLES = "summary.md", "report.html", "gate.yaml", "plots/samples.png"
LIMIT = 60_000
"""Bytes of the summary. A comment on GitHub takes 65,536 characters, and holds a little more than the summary."""
CUT = f"\n\n*Cut here: a comment takes no more. {REPORT} has the rest.*\n\n</details>\n"
SHOWN = 6
"""Figures on the first screen, and names of a kind that differ."""
COLUMNS = ("", "real", "base", "head", "head against base", "says")
CONCLUSIONS = {0: "success", 3: "neutral"}
"""How GitHub calls an exit code of the gate; all others are a failure."""
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
    parser.add_argument("--head", help="what to judge in place of the last commit: with BASE, whatever `diff` takes")
    parser.add_argument("--change-only", action="store_true", help="leave out the rules that don't ask about the base")
    parser.add_argument("--note", action="append", default=[], help="a line for the first screen, in Markdown")
    options = parser.parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # what the terminal's encoding lacks
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        for name in (SUMMARY, REPORT):  # an earlier comparison's
            (options.out / name).unlink(missing_ok=True)
        told = compare(options.base, options.out, options.head, options.change_only, options.note)
        (options.out / SUMMARY).write_bytes(fitted(told.summary))
    except OSError as error:
        print(f"error: {error.filename}: can't be written: {error.strerror}", file=sys.stderr)
        return BAD_USE
    except KeyboardInterrupt:
        return INTERRUPTED
    print(f"wrote {options.out / SUMMARY}", flush=True)
    may_merge = told.code == INCONCLUSIVE and told.is_sound
    if output := os.environ.get("GITHUB_OUTPUT"):
        with Path(output).open("a", encoding="utf-8") as file:
            file.write(f"conclusion={CONCLUSIONS.get(told.code if told.is_sound else FAILED, 'failure')}\n")
    if told.code != PASSED:
        announce("warning" if may_merge else "error", told.headline)
    return PASSED if may_merge else told.code


def compare(
    base: str, out: Path, head: str | None = None, change_only: bool = False, said: Sequence[str] = ()
) -> Summary:
    """Compares the last commit, or ``head``, with ``base``; where that can't be done, say why."""
    try:
        with tempfile.TemporaryDirectory(prefix="mnistgan-compare-") as folder:
            place = Path(folder)
            rules = of_the_change(place / RULES) if change_only else Path(RULES)
            if head is not None:
                return judge(base, head, out / REPORT, place, rules, said)
            base = named(base)
            done = pipeline("verify", "--fast", why="dvc.lock is not in sync", stdout=subprocess.PIPE)
            found, head = list(doubts(base)), git("rev-parse", "--short=12", "HEAD")
            shown = pictures(base)
            return judge(base, head, out / REPORT, place, rules, [*said, *shown], [*found, done.stdout.strip()], found)
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


def judge(
    base: str,
    head: str,
    page: Path,
    folder: Path,
    rules: Path,
    said: Sequence[str] = (),
    notes: Sequence[str] = (),
    doubted: Sequence[str] = (),
) -> Summary:
    """Asks `diff`, `gate` and `report`. Raises UnansweredError where one of them has no answer.

    ``said``: Markdown for the first screen; ``notes``: what else is to be told; ``doubted``: why a pass is none.
    """
    gate, report, word, differences = (folder / name for name in ("gate.md", "report.md", "gate.json", "diff.json"))
    pipeline("diff", f"--json={differences}", "--", base, head, why="the results can't be compared")
    code = pipeline(
        *("gate", f"--base={base}", f"--head={head}", f"--rules={rules}", f"--markdown={gate}", f"--json={word}"),
        why="it can't be judged",
        answers=(PASSED, FAILED, INCONCLUSIVE),
    ).returncode
    pipeline("report", f"--out={page}", f"--markdown={report}", "--", base, head, why="no report")
    first, _, judged = gate.read_text("utf-8").partition("\n")
    first = first.removeprefix("**").removesuffix("**")
    answer, difference = (json.loads(path.read_text("utf-8")) for path in (word, differences))
    headline = answer["headline"]
    if doubted and code == PASSED:
        code, headline, first = INCONCLUSIVE, f"{headline}; but {doubted[0]}", f"{first}; but {doubted[0]}"
    whole = report.read_text("utf-8")
    told = [
        f"**{shortened(first)}**",
        escaped(difference["headline"]),
        "\n".join(markdown_table(COLUMNS, figures(difference["metrics"], answer["rules"]))),
        "\n".join(shortened(line) for line in causes(whole)),
        *said,
        folded("The rules, one by one", judged),
        folded("Notes", "\n".join(f"- note: {note}" for note in notes)),
        folded("All figures, what differs, where both come from", whole),
    ]
    summary = "\n\n".join(part.strip() for part in told if part.strip()) + "\n"
    contradicted = answer["contradiction"] and not answer["base_doubts"]  # a torn base contradicts what mends it
    return Summary(headline, summary, code, is_sound=not (contradicted or answer["head_doubts"]))


def figures(metrics: Sequence[Mapping[str, Any]], rules: Sequence[Mapping[str, Any]]) -> list[Sequence[str]]:
    """Chooses the rows of the first screen: of the figures that decide those first that the rules ask about."""
    rows = {metric["name"]: metric["row"] for metric in metrics}
    chosen = [rows[name] for name in leading(rows, (rule["figure"] for rule in rules), SHOWN)]
    return [(*cells, says) for *cells, _, says in chosen]  # p is among what is folded


def causes(report: str) -> Iterator[str]:
    """Finds the lines that say what differs in params, data, code and machine, below the headline of a report."""
    _, _, rest = report.partition("\n\n")
    for line in rest.splitlines():
        if not line.startswith("- "):
            return
        yield line


def shortened(line: str) -> str:
    """Cuts each list of many names after the first few, and says how many more there are."""

    def cut(part: str) -> str:
        *kept, last = part.split(", ", SHOWN)
        return part if len(kept) < SHOWN else f"{', '.join(kept)} and {last.count(', ') + 1} more"

    return "; ".join(map(cut, line.split("; ")))


def pictures(base: str) -> list[str]:
    """Shows on GitHub the committed samples of both sides, by their addresses there; nowhere else."""
    place = "/".join(os.environ.get(f"GITHUB_{name}", "") for name in ("SERVER_URL", "REPOSITORY"))
    _, *parents = git("rev-list", "--max-count=1", "--parents", "HEAD").split()
    # Of a pull request GitHub makes a merge, which does not last; its second parent is the branch's own commit.
    own = parents[1] if len(parents) == 2 and blob_of(parents[1]) == blob_of("HEAD") else git("rev-parse", "HEAD")
    sides = (git("rev-parse", f"{base}^{{commit}}"), own)
    addresses = [f"{place}/raw/{commit}/{SAMPLES}" for commit in sides if blob_of(commit)]
    if "GITHUB_REPOSITORY" not in os.environ or len(addresses) < 2:
        return []
    cells = [f'<img alt="samples" width="360" src="{address}">' for address in addresses]
    return [f"| samples of the base | of the head |\n|---|---|\n| {' | '.join(cells)} |"]


def blob_of(commit: str) -> str:
    """What git holds of a commit's samples, their digest among it; empty where it has none."""
    return git("ls-tree", commit, "--", SAMPLES)


def folded(title: str, content: str) -> str:
    """Markdown that GitHub shows when its title is pressed; nothing of nothing."""
    return f"<details><summary>{title}</summary>\n\n{content.strip()}\n\n</details>" if content.strip() else ""


def of_the_change(path: Path) -> Path:
    """Writes the rules that compare with the base, which hold at any budget; the others are of the whole recipe.

    Raises UnansweredError where gate.yaml is missing, or no YAML.
    """
    try:
        found = former.rules(reading.yaml_document(reading.text(Path(RULES), GateError), RULES, GateError))
    except (GateError, FileNotFoundError) as error:
        raise UnansweredError("it can't be judged", f"error: {error}", BAD_USE) from error
    blocks = {data: block for data, block in found.items() if isinstance(block, Mapping)} if found else {}
    kept = {
        data: {name: rule for name, rule in block.items() if "than base" in str(rule)} for data, block in blocks.items()
    }
    path.write_text(json.dumps({data: rules for data, rules in kept.items() if rules}), "utf-8")  # which is YAML, too
    return path


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
