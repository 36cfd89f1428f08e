import base64
import contextlib
import gzip
import hashlib
import io
import json
import os
import shutil
import tarfile
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mnistgan.datasets.fetching import packages
from mnistgan.datasets.fetching.limits import PATIENCE
from mnistgan.errors import DataError, SourceError


def package(members, top="package"):
    """A package's tarball of members: name -> bytes, or a TarInfo without content."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in members.items():
            if isinstance(content, tarfile.TarInfo):
                tar.addfile(content)
                continue
            info = tarfile.TarInfo(f"{top}/{name}" if top else name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """Puts a program called npm first on the PATH; `pack` runs the given shell lines in npm's working folder."""

    def install(pack, view="exit 0", shell="/bin/sh"):
        program = tmp_path / "bin" / "npm"
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!{shell}\ncase $1 in view) {view};; pack) {pack};; esac\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")

    return install


@pytest.fixture
def packs(tmp_path, stand_in):
    """Makes the stand-in pack a given tarball."""

    def install(tarball):
        path = tmp_path / "prepared.tgz"
        path.write_bytes(tarball)
        stand_in(f"cp '{path}' pkg-1.0.0.tgz")

    return install


def test_the_wanted_files_of_the_folder_data_are_given_and_no_others(packs):
    packs(package({"data/a": b"one", "data/b": b"two", "data/c": b"three", "a": b"elsewhere", "data/deep/b": b"x"}))
    assert packages.from_npm("pkg@1.0.0", ["a", "b"]) == {"a": b"one", "b": b"two"}


def test_a_file_that_the_package_lacks_is_left_out(packs):
    packs(package({"data/a": b"one"}))
    assert packages.from_npm("pkg@1.0.0", ["a", "b"]) == {"a": b"one"}


@pytest.mark.parametrize("name", ["../data/a", "/data/a", "package/../data/a", "package/data/../a", "data/a"])
def test_a_member_outside_the_folder_is_not_taken(packs, name):
    packs(package({name: b"strange"}, top=""))
    assert packages.from_npm("pkg@1.0.0", ["a"]) == {}


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE])
def test_a_member_that_is_no_plain_file_is_not_taken(packs, kind):
    member = tarfile.TarInfo("package/data/a")
    member.type, member.linkname = kind, "/etc/passwd"
    packs(package({"a": member}))
    assert packages.from_npm("pkg@1.0.0", ["a"]) == {}


@pytest.mark.parametrize(
    ("tarball", "message"),
    [
        (b"no gzip at all", "not gzip data"),
        (package({"data/a": b"one"})[:-20], "truncated gzip data"),
        (gzip.compress(b"no tar at all" * 99), "a broken package"),
    ],
    ids=["no gzip", "cut", "no tar"],  # by their bytes, which hold the time, two workers would not agree
)
def test_a_broken_package_is_refused(packs, tarball, message):
    packs(tarball)
    with pytest.raises(DataError, match=message):
        packages.from_npm("pkg@1.0.0", ["a"])


def test_a_package_too_large_is_refused_unread(stand_in):
    stand_in("truncate -s 65M pkg-1.0.0.tgz")
    with pytest.raises(SourceError, match="larger than 67,108,864 bytes"):
        packages.from_npm("pkg@1.0.0", ["a"])


def test_a_client_that_packs_nothing_is_said(stand_in):
    stand_in("exit 0")
    with pytest.raises(SourceError, match=r"npm pack left 0 packages for pkg@1\.0\.0"):
        packages.from_npm("pkg@1.0.0", ["a"])


def test_npm_missing_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SourceError, match="npm is not installed"):
        packages.from_npm("pkg@1.0.0", ["a"])


def test_an_npm_that_cannot_start_is_said(stand_in):
    stand_in("exit 0", shell="/nowhere/sh")
    with pytest.raises(SourceError, match="npm can't be run"):
        packages.from_npm("pkg@1.0.0", ["a"])


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("npm error code E404\nnpm error 404 No match found\nnpm error A complete log", "404 No match found$"),
        ("npm ERR! code ENOTFOUND\nnpm ERR! syscall getaddrinfo\nnpm ERR! network request failed", "network request"),
        ("npm error code EWHAT", "code EWHAT"),
        (
            "npm ERR! code EACCES\nnpm ERR! syscall mkdir\nnpm ERR! path /.npm\nnpm ERR! Your cache folder",
            "/.npm: EACCES; the variable npm_config_cache",
        ),
        ("", "it gave no reason"),
    ],
)
def test_what_npm_says_is_handed_on_without_its_codes_and_advice(stand_in, said, reason):
    stand_in("exit 0", view=f"printf '{said}' >&2; exit 1")
    with pytest.raises(SourceError, match=f"npm view failed: {reason}"):
        packages.from_npm("pkg@1.0.0", ["a"])


def test_an_npm_that_gets_no_answer_is_not_waited_for(stand_in):
    stand_in("exit 0", view="exec sleep 60")
    with pytest.raises(SourceError, match=r"npm view had no answer within 0\.2 s"):
        packages.from_npm("pkg@1.0.0", ["a"], replace(PATIENCE, client=0.2))


@pytest.mark.parametrize("text", ["pkg", "pkg@latest", "../pkg@1.0.0", "-g@1.0.0", "user/repo@1.0.0", "pkg@1.0.0 x"])
def test_only_a_name_and_a_version_reach_npm(text):
    with pytest.raises(SourceError, match="is no npm package; takes NAME@VERSION"):
        packages.from_npm(text, ["a"])


@pytest.mark.skipif(shutil.which("npm") is None, reason="needs the npm client")
def test_the_real_client_fetches_from_the_registry_that_the_user_set(site, tmp_path, monkeypatch):
    tarball = package({"package.json": b'{"name": "tiny-idx", "version": "1.0.0"}', "data/a": b"one"})
    version = {
        "name": "tiny-idx",
        "version": "1.0.0",
        "dist": {
            "tarball": f"{site.url}tiny-idx/-/tiny-idx-1.0.0.tgz",
            "integrity": f"sha512-{base64.b64encode(hashlib.sha512(tarball).digest()).decode()}",
        },
    }
    document = {"name": "tiny-idx", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}
    site.answers["tiny-idx"] = json.dumps(document).encode()
    site.answers["tiny-idx/-/tiny-idx-1.0.0.tgz"] = tarball
    monkeypatch.setenv("npm_config_registry", site.url)
    monkeypatch.setenv("npm_config_cache", str(tmp_path))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    patient = replace(PATIENCE, client=300.0)  # of a busy machine
    assert packages.from_npm("tiny-idx@1.0.0", ["a"], patient) == {"a": b"one"}


def packed(content):
    return gzip.compress(content, 1)


def header(name, size, kind=b"0"):
    """A member's header, its checksum right; ``size`` is the field of 12 bytes as it stands."""
    block = name.ljust(100, b"\0") + b"0000644\0" * 3 + size + b"00000000000\0" + b" " * 8 + kind
    block = block.ljust(257, b"\0") + b"ustar\x0000" + bytes(247)
    return block[:148] + f"{sum(block):06o}\0 ".encode() + block[156:]


def test_a_member_of_a_size_below_0_does_not_lead_round_and_round(packs):
    backwards = b"\xff" * 10 + (-1024 & 0xFFFF).to_bytes(2, "big")
    packs(packed(header(b"package/a", b"00000000000\0") * 3 + header(b"package/data/b", backwards)))
    with pytest.raises(SourceError, match=r"pkg@1\.0\.0: a broken package"):
        packages.from_npm("pkg@1.0.0", ["a"])


def test_long_names_nested_without_end_are_refused(packs):
    packs(packed(header(b"x", b"00000000000\0", kind=b"L") * 5000))
    with pytest.raises(SourceError, match=r"pkg@1\.0\.0: a broken package"):
        packages.from_npm("pkg@1.0.0", ["a"])


def test_a_package_that_unpacks_to_too_much_is_stopped(packs, monkeypatch):
    monkeypatch.setattr(packages, "_UNPACKED_LIMIT", 1024**2)
    packs(packed(bytes(2 * 1024**2)))
    with pytest.raises(DataError, match="unpacks to more than the 1,048,576 bytes"):
        packages.from_npm("pkg@1.0.0", ["a"])


def test_a_member_that_says_it_is_larger_than_the_package_is_refused(packs):
    packs(packed(header(b"package/data/a", b"77777777777\0") + b"one".ljust(512, b"\0")))
    with pytest.raises(SourceError, match=r"pkg@1\.0\.0: a broken package"):
        packages.from_npm("pkg@1.0.0", ["a"])


def test_nothing_of_a_package_is_unpacked_to_disk(packs, tmp_path):
    link = tarfile.TarInfo("package/data/link")
    link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path / "outside")
    through = tarfile.TarInfo("package/data/link/a")
    up = tarfile.TarInfo("../../outside")
    absolute = tarfile.TarInfo(str(tmp_path / "outside"))
    before = sorted(tmp_path.rglob("*"))
    packs(package({"link": link, "through": through, "up": up, "absolute": absolute, "data/a": b"one"}))
    assert packages.from_npm("pkg@1.0.0", ["a", "outside", "link"]) == {"a": b"one"}
    assert sorted(set(tmp_path.rglob("*")) - set(before)) == sorted(
        [tmp_path / "bin", tmp_path / "bin" / "npm", tmp_path / "prepared.tgz"]
    )


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(st.lists(st.tuples(st.integers(0, 2047), st.binary(max_size=12)), max_size=4))
def test_any_package_gives_files_or_a_source_error(changes):
    content = bytearray(header(b"package/data/a", b"00000000003\0") + b"one".ljust(512, b"\0") + bytes(1024))
    for place, changed in changes:
        content[place : place + len(changed)] = changed
    # The checksum is put right, or hardly anything would get past it.
    content[148:156] = f"{sum(content[:148]) + 8 * 32 + sum(content[156:512]):06o}\0 ".encode()
    with contextlib.suppress(DataError):
        packages.members(bytes(content), "pkg@1.0.0", lambda path: path.name == "a")
