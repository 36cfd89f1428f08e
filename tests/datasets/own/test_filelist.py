import hashlib
import subprocess

import pytest

from mnistgan.datasets.own import filelist
from mnistgan.datasets.own.folder import listed
from mnistgan.errors import DataError

DIGESTS = {"b/1.png": hashlib.sha256(b"one").hexdigest(), "a/2 é.png": hashlib.sha256(b"two").hexdigest()}


def write(path, content=None):
    content = filelist.text(DIGESTS) if content is None else content
    path.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def test_a_list_reads_back_as_it_was_written_in_one_order(tmp_path):
    assert filelist.read(tmp_path / "files.sha256", write(tmp_path / "files.sha256")) == DIGESTS
    assert filelist.text(dict(reversed(DIGESTS.items()))) == filelist.text(DIGESTS)


def test_sha256sum_reads_the_list(tmp_path):
    for name, content in (("b/1.png", b"one"), ("a/2 é.png", b"two")):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(content)
    write(tmp_path / "files.sha256")
    subprocess.run(["sha256sum", "--check", "--strict", "files.sha256"], cwd=tmp_path, check=True, capture_output=True)


@pytest.mark.parametrize("line", [b"no digest  a.png\n", b"ab" * 32 + b" a.png\n", b"ab" * 32 + b"  a\r\n"])
def test_a_line_of_another_form_is_refused(tmp_path, line):
    sha256 = write(tmp_path / "files.sha256", filelist.text(DIGESTS) + line)
    with pytest.raises(DataError, match=r"files.sha256, line 3: takes a sha256, two spaces and a path"):
        filelist.read(tmp_path / "files.sha256", sha256)


def test_another_list_than_the_named_one_is_refused(tmp_path):
    with pytest.raises(DataError, match="no such file; it is committed beside"):
        filelist.read(tmp_path / "files.sha256", "0" * 64)
    write(tmp_path / "files.sha256")
    with pytest.raises(DataError, match=r"not the list that .*dataset.yaml names"):
        filelist.read(tmp_path / "files.sha256", "0" * 64)


@pytest.mark.parametrize(
    ("there", "said"),
    [
        (["a/1.png", "a/2.png"], None),
        (["a/1.png"], r"a/2.png: is missing, which files.sha256 lists$"),
        (["a/1.png", "a/2.png", "a/3.png"], r"a/3.png: is not in files.sha256$"),
        (["a/3.png", "a/4.png"], r"a/1.png: is missing, which files.sha256 lists; 3 more files differ"),
    ],
)
def test_the_first_file_that_is_missing_or_new_is_named(tmp_path, there, said):
    (tmp_path / "a").mkdir()
    for path in there:
        (tmp_path / path).touch()
    due = {"a/1.png": "x", "a/2.png": "y"}
    if said is None:
        filelist.demand_same_files(listed(tmp_path), due, "files.sha256")
        return
    with pytest.raises(DataError, match=said):
        filelist.demand_same_files(listed(tmp_path), due, "files.sha256")
