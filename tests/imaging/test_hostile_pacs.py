"""A PACS that means harm: whatever it answers, and however slowly, the call ends with an error of ours."""

from __future__ import annotations

import gzip
import itertools
import socketserver
import threading
from collections.abc import Callable, Iterable, Iterator

import brotli
import httpx
import pytest

from cds.errors import BadAnswer, Unreachable, UpstreamError
from cds.imaging.dicomweb import DICOMweb
from cds.transport import Transport

from .test_dicomweb import PART, RELATED

Opened = Callable[[Iterable[bytes]], DICOMweb]

TYPED = b"HTTP/1.1 200 OK\r\nContent-Type: " + RELATED.encode() + b"\r\n"
CHUNKED = TYPED + b"Transfer-Encoding: chunked\r\n\r\n"
LIMIT = 1_000_000
UNFOLDED = bytes(100 * LIMIT)


@pytest.fixture
def pacs() -> Iterator[Opened]:
    """Opens a PACS that answers everything with these pieces, one each hundredth of a second."""
    with httpx.Client(transport=Transport()) as http:
        servers: list[Server] = []

        def opened(pieces: Iterable[bytes]) -> DICOMweb:
            servers.append(Server(pieces))
            root = f"http://127.0.0.1:{servers[-1].server_address[1]}/dicom-web"
            return DICOMweb(http, root, None, max_bytes=LIMIT, timeout=0.3)

        yield opened
        for server in servers:
            server.close()


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, pieces: Iterable[bytes]) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.pieces = pieces
        self.closed = threading.Event()
        threading.Thread(target=self.serve_forever, args=(0.01,)).start()

    def close(self) -> None:
        self.closed.set()
        self.shutdown()
        self.server_close()


class Answer(socketserver.StreamRequestHandler):
    server: Server

    def handle(self) -> None:
        while self.rfile.readline().strip():
            pass
        try:
            for piece in self.server.pieces:
                self.wfile.write(piece)
                if self.server.closed.wait(0.01):
                    return
        except OSError:
            """Nobody listens any more."""


def then_forever(begin: bytes, piece: bytes) -> Iterable[bytes]:
    return itertools.chain([begin], itertools.repeat(piece))


ENDLESS = {
    "a status line": (b"HTTP/1.1 200 ", b"O"),
    "a header": (b"HTTP/1.1 200 OK\r\nX: ", b"x"),
    "headers": (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
    "answers that are none yet": (b"", b"HTTP/1.1 102 Processing\r\n\r\n"),
    "bytes that drip": (TYPED + b"\r\n", b"x"),
    "chunks of one byte": (CHUNKED, b"1\r\nx\r\n"),
    "what a chunk says of itself": (CHUNKED + b"1;", b"x"),
    "trailers": (CHUNKED + b"0\r\n", b"X: y\r\n"),
    "a file name in gzip": (TYPED + b"Content-Encoding: gzip\r\n\r\n\x1f\x8b\x08\x08\0\0\0\0\0\x03", b"name"),
}


@pytest.mark.parametrize(("begin", "piece"), ENDLESS.values(), ids=ENDLESS)
def test_what_never_ends_is_given_up_in_time(pacs: Opened, begin: bytes, piece: bytes) -> None:
    with pytest.raises(Unreachable, match="in time"):
        pacs(then_forever(begin, piece)).instance("1.2", "1.3", "1.4")


BOMBS = {
    "gzip": gzip.compress(UNFOLDED),
    "gzip, gzip": gzip.compress(gzip.compress(UNFOLDED)),
    "gzip, gzip, gzip": gzip.compress(gzip.compress(gzip.compress(UNFOLDED))),
    "br": brotli.compress(UNFOLDED, quality=1),
    "deflate": b"",
    "zstd": b"",
}


@pytest.mark.parametrize(("encoding", "bomb"), BOMBS.items(), ids=BOMBS)
def test_what_unfolds_is_measured_or_not_unfolded(pacs: Opened, encoding: str, bomb: bytes) -> None:
    head = TYPED + f"Content-Encoding: {encoding}\r\nContent-Length: {len(bomb)}\r\n\r\n".encode()
    with pytest.raises(BadAnswer, match=r"larger than|not asked for"):
        pacs([head + bomb]).instance("1.2", "1.3", "1.4")


LIES = {
    "nothing at all": b"",
    "no HTTP": b"\0\xff DICM\r\n\r\n",
    "another protocol": b"SSH-2.0-OpenSSH_9.6\r\n",
    "a header of a megabyte": b"HTTP/1.1 200 OK\r\nX: " + bytes(LIMIT) + b"\r\n\r\n" + PART,
    "more to come than comes": TYPED + b"Content-Length: 9999\r\n\r\n" + PART,
    "more than anyone would send": TYPED + b"Content-Length: 999999999999999\r\n\r\n" + PART,
    "less to come than comes": TYPED + b"Content-Length: 20\r\n\r\n" + PART,
    "two lengths": TYPED + b"Content-Length: 5\r\nContent-Length: 9\r\n\r\n" + PART,
    "a length that is none": TYPED + b"Content-Length: -1\r\n\r\n" + PART,
    "a chunk beyond all memory": CHUNKED + b"fffffffffffffffffffff\r\n" + PART,
    "a chunk that breaks off": CHUNKED + b"5\r\nDI",
    "multipart within multipart": TYPED
    + b"\r\n--b\r\nContent-Type: multipart/related; boundary=c\r\n\r\n--c\r\n\r\nDICOM\r\n--c--\r\n--b--\r\n",
    "another type": b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>",
    "no type": b"HTTP/1.1 200 OK\r\n\r\n" + PART,
    "another boundary": TYPED.replace(b"boundary=b", b"boundary=c") + b"\r\n" + PART,
    "another place": b"HTTP/1.1 307 See\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n",
    "a switch to what we did not ask for": b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
}


@pytest.mark.parametrize("answer", LIES.values(), ids=LIES)
def test_what_lies_is_a_bad_answer(pacs: Opened, answer: bytes) -> None:
    with pytest.raises(UpstreamError):
        pacs([answer]).instance("1.2", "1.3", "1.4")


def test_what_comes_slowly_and_ends_is_read(pacs: Opened) -> None:
    assert pacs([TYPED + b"\r\n", PART[:20], PART[20:]]).instance("1.2", "1.3", "1.4") == b"DICOM"
