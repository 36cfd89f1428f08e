"""Families are found by folder, named by one line where there is none, and declared without TensorFlow."""

import re
import subprocess
import sys

import pytest

from mnistgan import families
from mnistgan.errors import ParamsError
from mnistgan.families.contract import CommonRecipe
from tests.imports import ROOT


def test_a_folder_put_on_the_path_is_a_family(tmp_path, monkeypatch):
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy/__init__.py").write_text("family = 'the toy'\n")
    (tmp_path / "no_family").mkdir()
    before = families.names()
    monkeypatch.setattr(families, "__path__", [*families.__path__, str(tmp_path)])
    assert families.names() == sorted([*before, "toy"])
    try:
        assert families.find("toy") == "the toy"
    finally:
        sys.modules.pop("mnistgan.families.toy", None)


@pytest.mark.parametrize("name", ["vea", "contract", "", "dcgan.step", ".."])
def test_a_family_that_is_not_there_is_refused_with_those_that_are(name):
    with pytest.raises(ParamsError) as raised:
        families.find(name)
    assert str(raised.value) == f"no family is called {name!r}; takes one of: {', '.join(families.names())}"


@pytest.mark.parametrize("name", families.names())
def test_a_family_says_what_it_takes_and_reports_without_tensorflow(name):
    code = (
        f"import sys; from mnistgan import families; one = families.find({name!r}); "
        "assert one.recipe.model_fields and one.scalars and one.latent_size; "
        "assert not {'tensorflow', 'keras', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, env={"PYTHONPATH": "src"})


@pytest.mark.parametrize("name", families.names())
def test_a_familys_scalars_are_columns_with_a_unit_and_a_title(name):
    family = families.find(name)
    assert issubclass(family.recipe, CommonRecipe)
    assert len({scalar.name for scalar in family.scalars}) == len(family.scalars)
    assert all(scalar.name.isidentifier() and scalar.unit and scalar.title for scalar in family.scalars)


SAYING = {
    "src/mnistgan/params.py",  # until recipes lie in a file a family
    "pipeline/results/former.py",  # records from before there were families are of the one there was
}


KINDS = {"gan"}
"""Families that are called as a whole kind of models is, which others may speak of, in capitals."""


def words_of(name):
    """What only families may say: one's own name, and its scalars'."""
    called = name if name in KINDS else f"(?i:{name})"
    scalars = (scalar.name for scalar in families.find(name).scalars)
    return re.compile("|".join([rf"\b{called}\b", *scalars]))


def said_in(files, words):
    return {path.relative_to(ROOT).as_posix() for path in files if words.search(path.read_text("utf-8"))}


@pytest.mark.parametrize("name", families.names())
def test_nothing_outside_families_says_the_words_of_one(name):
    files = [path for folder in ("src", "pipeline") for path in (ROOT / folder).rglob("*.py")]
    folders = {ROOT / "src/mnistgan/families" / family for family in families.names()}
    folders.add(ROOT / "src/mnistgan/nn")  # what families share speaks as they do
    assert said_in((path for path in files if not folders & set(path.parents)), words_of(name)) <= SAYING


@pytest.mark.parametrize("name", families.names())
def test_no_family_says_the_name_of_another(name):
    others = [other for other in families.names() if other != name]
    words = re.compile("|".join(rf"\b{other}\b" for other in others))
    assert said_in((ROOT / "src/mnistgan/families" / name).rglob("*.py"), words) == set()
