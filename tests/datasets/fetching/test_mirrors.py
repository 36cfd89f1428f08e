import datetime
import gzip
import ipaddress
import socket
import ssl
from dataclasses import replace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from served import Site, in_turn, redirect, send, serve

from mnistgan.datasets.fetching import mirrors
from mnistgan.errors import FormatError, SourceError
from mnistgan.progress import silent

CONTENT = bytes(range(256)) * 1000


def test_a_file_comes_as_it_is_stored_and_its_progress_is_reported(site, impatient):
    site.answers["file.gz"] = CONTENT
    seen = []
    content = mirrors.download(f"{site.url}file.gz", len(CONTENT), lambda *report: seen.append(report), impatient)
    assert content == CONTENT
    assert seen[-1] == ("file.gz (kB)", 256, 256)


def test_a_transfer_coding_is_not_undone_so_that_a_gz_file_stays_one(site, impatient):
    packed = gzip.compress(CONTENT)

    def coded(handler):
        handler.send_response(200)
        handler.send_header("Content-Encoding", "gzip")
        handler.send_header("Content-Length", str(len(packed)))
        handler.end_headers()
        handler.wfile.write(packed)

    site.answers["file.gz"] = coded
    assert mirrors.download(f"{site.url}file.gz", len(CONTENT), silent, impatient) == packed


def test_a_5xx_is_tried_again(site, impatient):
    site.answers["file.gz"] = in_turn(lambda handler: send(handler, b"", 503), CONTENT)
    assert mirrors.download(f"{site.url}file.gz", len(CONTENT), silent, impatient) == CONTENT
    assert len(site.asked) == 2


def test_a_connection_that_breaks_midway_is_tried_again(site, impatient):
    site.answers["file.gz"] = in_turn(lambda handler: send(handler, CONTENT[:99], promised=len(CONTENT)), CONTENT)
    assert mirrors.download(f"{site.url}file.gz", len(CONTENT), silent, impatient) == CONTENT
    assert len(site.asked) == 2


def test_a_5xx_that_stays_is_given_up_after_three_tries(site, impatient):
    site.answers["file.gz"] = lambda handler: send(handler, b"", 502)
    with pytest.raises(SourceError, match=r"file\.gz: HTTP 502 Bad Gateway"):
        mirrors.download(f"{site.url}file.gz", 10, silent, impatient)
    assert len(site.asked) == 3


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_refusal_is_not_tried_again(site, impatient, status):
    site.answers["file.gz"] = lambda handler: send(handler, b"", status)
    with pytest.raises(SourceError, match=f"file.gz: HTTP {status}"):
        mirrors.download(f"{site.url}file.gz", 10, silent, impatient)
    assert len(site.asked) == 1


def test_an_html_page_is_recognised_whatever_its_length_and_not_tried_again(site, impatient):
    site.answers["file.gz"] = b"<!DOCTYPE html><html>Sign in to this network" + b" " * 5000
    with pytest.raises(FormatError, match=r"file\.gz: an HTML page instead of a \.gz file"):
        mirrors.download(f"{site.url}file.gz", 100, silent, impatient)
    assert len(site.asked) == 1


@pytest.mark.parametrize("promised", [None, 10**12])
def test_a_file_larger_than_the_limit_is_stopped(site, impatient, promised):
    site.answers["file.gz"] = lambda handler: send(handler, CONTENT, promised=promised)
    with pytest.raises(SourceError, match="larger than the 1,000 bytes"):
        mirrors.download(f"{site.url}file.gz", 1000, silent, impatient)


def test_a_file_of_unannounced_length_is_stopped_at_the_limit(site, impatient):
    def endless(handler):
        handler.send_response(200)
        handler.end_headers()
        try:
            while not site.closing.is_set():
                handler.wfile.write(CONTENT)
        except OSError:
            pass  # the other side hung up, as it should

    site.answers["file.gz"] = endless
    with pytest.raises(SourceError, match="larger than the 100,000 bytes"):
        mirrors.download(f"{site.url}file.gz", 100_000, silent, impatient)


def test_a_file_that_trickles_is_given_up(site, impatient):
    def trickle(handler):
        handler.send_response(200)
        handler.end_headers()
        try:
            while not site.closing.wait(0.01):
                handler.wfile.write(b"x")
        except OSError:
            pass

    site.answers["file.gz"] = trickle
    with pytest.raises(SourceError, match=r"file\.gz: too slow: \d+ bytes within 0\.1 s"):
        mirrors.download(f"{site.url}file.gz", 10**6, silent, replace(impatient, file=0.1))


def test_a_host_that_falls_silent_is_not_asked_again_and_again(site, impatient):
    def stall(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "100")
        handler.end_headers()
        handler.wfile.write(b"x")
        handler.wfile.flush()
        site.closing.wait()

    site.answers["file.gz"] = stall
    with pytest.raises(SourceError, match=r"file\.gz: no answer"):
        mirrors.download(f"{site.url}file.gz", 1000, silent, replace(impatient, silence=0.2))
    assert len(site.asked) == 1


def test_a_host_that_never_answers_is_given_up_even_where_no_timeout_of_the_socket_fires(site, impatient):
    site.answers["file.gz"] = lambda _handler: site.closing.wait()
    with pytest.raises(SourceError, match=r"file\.gz: no answer within 0\.3 s"):
        mirrors.download(f"{site.url}file.gz", 1000, silent, replace(impatient, answer=0.3))
    assert len(site.asked) == 1


def test_a_refused_connection_is_named(impatient):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(SourceError, match=r"file\.gz: no connection, or it broke \(.*refused"):
            mirrors.download(f"http://127.0.0.1:{unused.getsockname()[1]}/file.gz", 10, silent, impatient)


def test_a_redirect_is_followed(site, impatient):
    site.answers["old/file.gz"] = redirect("/new/file.gz")
    site.answers["new/file.gz"] = CONTENT
    assert mirrors.download(f"{site.url}old/file.gz", len(CONTENT), silent, impatient) == CONTENT


@pytest.mark.parametrize("target", ["http://mirror.invalid/file.gz", "ftp://127.0.0.1/file.gz", "file:///etc/passwd"])
def test_a_redirect_to_another_scheme_is_refused(site, impatient, target):
    site.answers["file.gz"] = redirect(target)
    with pytest.raises(SourceError, match=r"file\.gz: "):
        mirrors.download(f"{site.url}file.gz", 10, silent, impatient)
    assert len(site.asked) == 1


@pytest.mark.parametrize("target", ["http://a..b/file.gz", "https://[::bad/", "https://" + "a" * 300 + "/", "//", ""])
def test_a_redirect_to_what_is_no_address_is_refused(site, impatient, target):
    site.answers["file.gz"] = redirect(target)
    with pytest.raises(SourceError, match=r"file\.gz: "):
        mirrors.download(f"{site.url}file.gz", 10, silent, impatient)


@pytest.mark.parametrize("length", ["many", "-1", "9" * 30, "1, 2"])
def test_a_length_that_is_none_is_refused(site, impatient, length):
    def answer(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", length)
        handler.end_headers()
        handler.wfile.write(b"x")

    site.answers["file.gz"] = answer
    with pytest.raises(SourceError, match=r"file\.gz: "):
        mirrors.download(f"{site.url}file.gz", 10, silent, impatient)


def test_redirects_without_end_are_refused(site, impatient):
    site.answers["file.gz"] = redirect("/file.gz")
    with pytest.raises(SourceError, match="maximum allowed redirects"):
        mirrors.download(f"{site.url}file.gz", 10, silent, impatient)


def test_plain_http_beyond_the_loopback_is_refused_before_anybody_is_asked(impatient):
    with pytest.raises(SourceError, match=r"leads to http://mirror\.invalid/file\.gz; only https:// is taken"):
        mirrors.download("http://mirror.invalid/file.gz", 10, silent, impatient)


@pytest.mark.parametrize("host", ["[::bad", "a..b", "a" * 300, "xn--0"])
def test_an_address_that_is_none_is_refused(impatient, host):
    with pytest.raises(SourceError, match=r"file\.gz: "):
        mirrors.download(f"https://{host}/file.gz", 10, silent, impatient)


@pytest.fixture
def certificate(tmp_path, monkeypatch):
    """A certificate for 127.0.0.1, trusted for this test; the path of its PEM with the key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "loopback")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = tmp_path / "loopback.pem"
    path.write_bytes(private + signed.public_bytes(serialization.Encoding.PEM))
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return path


@pytest.fixture
def secure_site(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    yield from serve(Site("https"), context)


def test_a_file_comes_over_https(secure_site, impatient):
    secure_site.answers["file.gz"] = CONTENT
    assert mirrors.download(f"{secure_site.url}file.gz", len(CONTENT), silent, impatient) == CONTENT


def test_a_redirect_from_https_to_plain_http_is_refused_even_to_the_loopback(secure_site, site, impatient):
    site.answers["file.gz"] = CONTENT
    secure_site.answers["file.gz"] = redirect(f"{site.url}file.gz")
    with pytest.raises(SourceError, match=r"leads to http://127\.0\.0\.1:.*only https:// is taken"):
        mirrors.download(f"{secure_site.url}file.gz", len(CONTENT), silent, impatient)
    assert site.asked == []


def test_a_host_whose_certificate_is_not_trusted_is_refused(secure_site, impatient, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(SourceError, match="CERTIFICATE_VERIFY_FAILED"):
        mirrors.download(f"{secure_site.url}file.gz", 10, silent, impatient)
