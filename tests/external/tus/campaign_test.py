"""One large upload through cut connections and killed servers. At the end its SHA-256 is that of what
was sent; bytes sent twice and stored twice are printed, and stay under a bound.

MORTISE_PROGRAMS names the folder of the programs, MORTISE_SEED repeats a run. MIB, CUTS and KILLS are
the arguments.
"""

import hashlib
import os
import random
import socket
import struct
import sys
import time

from tus_server import TusServer

PIECE = 1 << 20
DURABLE = 4 << 20  # the server's promise: no more than this is lost of a PATCH when it dies
STALE_MAX = 20     # connections left hanging at once


def piece(seed, index):
    """Bytes that cannot be compressed and are never the same twice."""
    return hashlib.shake_128(f"{seed} {index}".encode()).digest(PIECE)


class Campaign:
    def __init__(self, server, seed, size):
        self.server, self.seed, self.size = server, seed, size
        self.random = random.Random(seed)
        self.sent_twice, self.asked_again, self.hanging = 0, 0, []
        status, headers, body = server.request("POST", "/api/v1/uploads", b"", {
            "Tus-Resumable": "1.0.0", "Upload-Length": str(size),
            "Upload-Metadata": "filename YmlnLmJpbg=="})
        assert status == 201, (status, body)
        self.path = headers["Location"]

    def offset(self):
        status, headers, body = self.server.request("HEAD", self.path, None,
                                                    {"Tus-Resumable": "1.0.0"})
        assert status == 200, (status, body)
        return int(headers["Upload-Offset"])

    def bytes_at(self, offset, end):
        index, skip = divmod(offset, PIECE)
        return piece(self.seed, index)[skip:min(PIECE, skip + end - offset)]

    def send(self, begin, end):
        """A PATCH of all that is left, of which what lies before `end` goes out. (socket, sent)"""
        link = socket.create_connection(("127.0.0.1", self.server.port), timeout=60)
        # A small buffer here, so that what counts as sent has left.
        link.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
        link.sendall((f"PATCH {self.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nTus-Resumable: 1.0.0\r\n"
                      f"Authorization: Bearer {self.server.token}\r\nUpload-Offset: {begin}\r\n"
                      "Content-Type: application/offset+octet-stream\r\n"
                      f"Content-Length: {self.size - begin}\r\n\r\n").encode())
        at = begin
        while at < end:
            data = self.bytes_at(at, end)
            try:
                link.sendall(data)
            except OSError:
                # A request that was cut may begin after the question for the offset, and then holds
                # the upload (423) or moves it on (409): a client asks again. Anything else is a fault.
                answer = link.recv(2000)
                assert answer.split(b" ", 2)[1] in (b"423", b"409"), (at, answer)
                self.asked_again += 1
                return link, at
            at += len(data)
        return link, at

    def cut(self, link):
        """Closed, reset, or simply left: the three ways of a connection to end."""
        way = self.random.choice(("close", "reset", "leave"))
        if way == "reset":
            link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if way == "leave" and len(self.hanging) < STALE_MAX:
            self.hanging.append(link)
        else:
            link.close()

    def run(self, cuts, kills):
        events = [(self.random.randrange(1, self.size), "cut") for _ in range(cuts)]
        events += [(self.random.randrange(1, self.size), "kill") for _ in range(kills)]
        offset = reached = 0  # what is kept; the furthest byte that went out
        for end, what in sorted(events):
            if end <= offset:
                end = min(offset + 1, self.size - 1)
            link, end = self.send(offset, end)
            reached = max(reached, end)
            if what == "kill":
                self.server.kill()
                self.server.start()
                link.close()
            else:
                self.cut(link)
            kept = self.offset()
            assert offset <= kept <= reached, (offset, kept, reached)
            if what == "kill":
                assert end - kept <= DURABLE + (8 << 20), "more was lost than the buffers hold"
            self.sent_twice += max(end - kept, 0)
            offset = kept
        end = 0
        while end < self.size:
            link, end = self.send(offset, self.size)
            offset = self.offset() if end < self.size else offset
        answer = link.recv(4096).decode()
        assert " 204 " in answer.split("\r\n")[0], answer
        assert self.offset() == self.size


def main():
    mib, cuts, kills = (int(word) for word in sys.argv[1:4])
    seed = int(os.environ.get("MORTISE_SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"MORTISE_SEED={seed}", flush=True)
    server = TusServer()
    try:
        size = mib * PIECE - 12345
        began = time.monotonic()
        campaign = Campaign(server, seed, size)
        campaign.run(cuts, kills)
        seconds = time.monotonic() - began
        wanted, found = hashlib.sha256(), hashlib.sha256()
        for at in range(0, size, PIECE):
            wanted.update(campaign.bytes_at(at, size))
            name = campaign.path.rpartition("/")[2]
            end = min(at + PIECE, size) - 1
            _, _, body = server.request("GET", f"/v1/files/file-{name}/content", None,
                                        {"Range": f"bytes={at}-{end}"})
            found.update(body)
        stored = server.stored_bytes()
        print(f"{size} bytes, {cuts} cuts, {kills} kills, {seconds:.1f} s; sent twice "
              f"{campaign.sent_twice} ({100 * campaign.sent_twice / size:.2f} %), asked "
              f"again {campaign.asked_again} times, stored beyond the bytes {stored - size} "
              f"({100 * (stored - size) / size:.2f} %)", flush=True)
        assert found.hexdigest() == wanted.hexdigest(), "the bytes differ"
        # A kill loses what no point has made durable, at most 4 MiB and the sockets' buffers.
        assert campaign.sent_twice <= cuts * (2 << 20) + kills * (DURABLE + (8 << 20))
        assert stored - size <= size // 100 + kills * DURABLE
    finally:
        server.close()


if __name__ == "__main__":
    main()
