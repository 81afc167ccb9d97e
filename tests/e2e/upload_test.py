"""`mortise dataset upload` through a proxy that cuts connections, a server that is killed and a command
that is killed: 3,000 small files and two large ones come out of the data set as they went in. Then an
archive, and archives that are refused.

MORTISE_PROGRAMS names the folder of the programs; MORTISE_SEED repeats a run.
"""

import hashlib
import json
import os
import random
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import unittest
import zipfile
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tests/external/tus"))
sys.path.insert(0, str(ROOT / "sdk/python"))

from mortise import MortiseError, Server  # noqa: E402
from tus_server import PROGRAMS, TusServer  # noqa: E402

SMALL, LARGE_SIDE = 3000, 3700
CUTS, KILLS = 20, 2


def png(side, pixels, level):
    def chunk(kind, data):
        return (struct.pack(">I", len(data)) + kind + data
                + struct.pack(">I", zlib.crc32(kind + data)))
    rows = b"".join(b"\0" + pixels[at:at + 3 * side] for at in range(0, len(pixels), 3 * side))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows, level)) + chunk(b"IEND", b""))


def write_folder(folder, small, large, rng):
    """Rows and their pictures, no two the same."""
    (folder / "img").mkdir(parents=True)
    with open(folder / "rows.jsonl", "w", encoding="utf-8") as rows:
        for index in range(small + large):
            side = 4 if index < small else LARGE_SIDE
            name = f"img/{index:05d}.png"
            (folder / name).write_bytes(png(side, rng.randbytes(3 * side * side), 0))
            rows.write(json.dumps({"image": name, "question": "What?", "output": str(index)}) + "\n")


def digests(folder):
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
            for file in folder.rglob("*.png")}


class Proxy:
    """Passes bytes on to the server; a deed is done once so many have gone up."""

    def __init__(self, port):
        self.port_behind, self.up, self.deeds, self.links = port, 0, [], set()
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near = self.listener.accept()[0]
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self.port_behind))
            except OSError:
                near.close()
                continue
            with self.lock:
                self.links.add((near, far))
            threading.Thread(target=self.carry, args=(near, far, True), daemon=True).start()
            threading.Thread(target=self.carry, args=(far, near, False), daemon=True).start()

    def carry(self, source, target, is_up):
        try:
            while data := source.recv(1 << 16):
                target.sendall(data)
                if is_up:
                    self.count(len(data))
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        source.close()

    def count(self, size):
        with self.lock:
            self.up += size
            due = [deed for at, deed in self.deeds if at <= self.up]
            self.deeds = [pair for pair in self.deeds if pair[0] > self.up]
        for deed in due:
            deed()

    def cut(self):
        """Every connection is reset."""
        with self.lock:
            links, self.links = self.links, set()
        for pair in links:
            for end in pair:
                try:
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass


class UploadTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        seed = int(os.environ.get("MORTISE_SEED", random.SystemRandom().randrange(1 << 32)))
        print(f"MORTISE_SEED={seed}", flush=True)
        cls.random = random.Random(seed)
        work = tempfile.TemporaryDirectory(prefix="mortise_upload_")
        cls.addClassCleanup(work.cleanup)
        cls.work = Path(work.name)
        cls.server = TusServer()
        cls.addClassCleanup(cls.server.close)
        cls.proxy = Proxy(cls.server.port)
        cls.addClassCleanup(cls.proxy.listener.close)
        cls.home = cls.work / "home"
        cls.uploads = cls.home / "uploads"

    def start(self, *words):
        """The command, in a home and a locale of its own."""
        return subprocess.Popen(
            [str(PROGRAMS / "mortise"), *map(str, words)], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
            env={"MORTISE_HOME": str(self.home), "MORTISE_URL": self.proxy.url, "LANG": "C",
                 "MORTISE_TOKEN": self.server.token})

    def cli(self, *words):
        process = self.start(*words)
        out, err = process.communicate(timeout=300)
        return process.returncode, out, err

    def exported(self, name):
        out = self.work / f"out-{name}"
        code, _, err = self.cli("dataset", "export", name, "--out", out)
        self.assertEqual(code, 0, err)
        return digests(out)

    def test_1_cuts_and_kills(self):
        folder = self.work / "films"
        write_folder(folder, SMALL, 2, self.random)
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())

        def kill_server():
            self.server.kill()
            self.server.start()

        command = ("dataset", "upload", "films", folder, "--task-type", "vqa")
        process = self.start(*command)
        self.proxy.deeds = [(self.random.randrange(size), self.proxy.cut) for _ in range(CUTS)]
        self.proxy.deeds += [(self.random.randrange(size), kill_server) for _ in range(KILLS)]
        self.proxy.deeds.append((size * 7 // 10, process.kill))
        _, err = process.communicate(timeout=300)
        self.assertEqual(process.returncode, -9, err)
        record, = self.uploads.glob("*.json")
        self.assertEqual(record.stat().st_mode & 0o777, 0o600)
        self.assertNotIn(self.server.token, record.read_text())
        code, _, err = self.cli(*command)
        self.assertEqual(code, 0, err)
        self.assertRegex(err, r"The upload is going on at [1-9]\d? %\.")
        print(f"{size} bytes, {self.proxy.up} went up; {err.splitlines()[0]}", flush=True)
        self.assertEqual(self.exported("films"), digests(folder))
        self.assertEqual(list(self.uploads.iterdir()), [], "nothing is left of the upload here")

    def test_2_an_archive_is_its_folder(self):
        folder = self.work / "few"
        write_folder(folder, 40, 0, self.random)
        with zipfile.ZipFile(self.work / "few.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for file in folder.rglob("*"):
                archive.write(file, Path("few") / file.relative_to(folder))
        code, out, err = self.cli("dataset", "upload", "few", self.work / "few.zip", "--task-type",
                                  "vqa")
        self.assertEqual(code, 0, err)
        self.assertEqual(self.exported("few"), digests(folder))

    def test_3_refused_with_archive_and_entry(self):
        for name, entry, data, says in (("out", "../x", b"1", "may leave the folder"),
                                        ("bomb", "zeros", bytes(64 << 20), "200 times")):
            path = self.work / f"{name}.zip"
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr(entry, data)
            code, _, err = self.cli("dataset", "upload", "bad", path, "--task-type", "vqa")
            self.assertNotEqual(code, 0)
            for word in (str(path), entry, says):
                self.assertIn(word, err)
        self.assertEqual(list(self.uploads.iterdir()), [])

    def test_4_what_is_no_file(self):
        (self.work / "links").mkdir()
        (self.work / "links/rows.jsonl").symlink_to("/etc/passwd")
        for path, says in ((self.work / "links", "symbolic link"), (self.work / "none", "none")):
            code, _, err = self.cli("dataset", "upload", "bad", path, "--task-type", "vqa")
            self.assertNotEqual(code, 0)
            self.assertIn(says, err)

    def test_5_the_python_sdk_goes_on_too(self):
        file = self.work / "big.bin"
        file.write_bytes(self.random.randbytes(24 << 20))
        self.proxy.deeds = [(self.proxy.up + self.random.randrange(24 << 20), self.proxy.cut)
                            for _ in range(4)]
        server = Server(self.proxy.url, self.server.token)
        path = server.send_file(file, filename="big.bin")
        self.assertEqual(self.proxy.deeds, [], "all cuts were made")
        self.assertEqual(self.server.content(path), file.read_bytes())
        with self.assertRaises(MortiseError) as refused:
            server.send_file(file, upload="none", filename="x")
        self.assertEqual(refused.exception.status, 404)


if __name__ == "__main__":
    unittest.main()
