"""What the store sealed is restored by a program that was written from docs/formats alone: objects
and files of every kind that make_store made, and whole versions out of the home of a mortised.

    read_store_test.py MAKE_STORE PACKAGES
PACKAGES is a folder into which cryptography and zstandard are installed when they are not there.
MORTISE_PROGRAMS names the folder of the programs.
"""

import importlib
import json
import os
import random
import shutil
import sqlite3
import struct
import subprocess
import sys
import tempfile
import unittest
import zlib
from pathlib import Path

HERE = Path(__file__).parent
WANTED = ("cryptography", "zstandard")
ROWS = 1500  # of about 500 bytes: several groups


def png(side, seed):
    """A picture of noise, stored and not deflated: 3 * side * side bytes and a few."""
    def chunk(kind, data):
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check
    noise = random.Random(seed)
    rows = b"".join(b"\0" + noise.randbytes(3 * side) for _ in range(side))
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head)
            + chunk(b"IDAT", zlib.compress(rows, 0)) + chunk(b"IEND", b""))


def files_under(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*")
            if path.is_file()}


class ReadStore(unittest.TestCase):
    make_store, packages = "", ""

    def setUp(self):
        self.work = Path(tempfile.mkdtemp(prefix="mortise_read_store_"))
        self.addCleanup(shutil.rmtree, self.work)

    def flip(self, path, offset):
        """Changes one byte of a file; the same call again changes it back."""
        data = bytearray(path.read_bytes())
        data[offset] ^= 1
        path.chmod(0o600)
        path.write_bytes(data)


class Objects(ReadStore):
    def test_every_kind_of_object_and_of_file(self):
        reader = importlib.import_module("read_store")
        subprocess.run([self.make_store, self.work], check=True)
        home = self.work / "home"

        def opened():
            return reader.Domain(home / "keys", home / "segments", "films")

        def file_of(path):
            data = path.read_bytes()
            self.assertEqual(data[:72], b"mrtfil01" + b"films".ljust(64, b"\0"))
            return reader.open_message(opened().derive("file"), data[72:], "mortise/1|file|films")

        references = sorted(self.work.glob("*.ref"))
        self.assertEqual(len(references), 5)
        for path in references:
            wanted = path.with_suffix(".bytes").read_bytes()
            _, chunk, size, kind = path.read_text().split(":")
            found = opened().object(bytes.fromhex(chunk), int(size), kind == "r")
            self.assertTrue(found == wanted, path.stem)
            self.assertTrue(file_of(home / "jobs" / path.stem) == wanted, path.stem)
        cut = home / "jobs/media"
        cut.write_bytes(cut.read_bytes()[:128 + 3 * 16400])
        with self.assertRaisesRegex(AssertionError, "the last frame is missing"):
            file_of(cut)
        segment = next(home.glob("segments/films/*.seg"))
        self.flip(segment, -70)
        with self.assertRaisesRegex(AssertionError, "damaged entries"):
            opened()


class Versions(ReadStore):
    def setUp(self):
        super().setUp()
        self.home = self.work / "home"
        self.first = self.folder("first", [(0, 8), (1, 8), (2, 1500)], ROWS)
        self.more = self.folder("more", [(3, 9)], 3)
        self.mortise("dataset", "upload", "films", self.first, "--task-type", "vqa")
        self.mortise("dataset", "append", "films", self.more)
        self.mortise("down")

    def folder(self, name, pictures, row_count):
        """Rows as they are stored, keys sorted and no blanks, so that they compare as bytes."""
        folder = self.work / name
        (folder / "images").mkdir(parents=True)
        names = []
        for number, side in pictures:
            names.append(f"images/胸片 {number}.png")
            (folder / names[-1]).write_bytes(png(side, number))
        rows = [{"image_path": names[i % len(names)], "output": f"{name} {i} 未见异常。" * 20,
                 "question": f"What does {i} show?"} for i in range(row_count)]
        lines = [json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows]
        (folder / "rows.jsonl").write_text("".join(line + "\n" for line in lines), "utf-8")
        return folder

    def mortise(self, *words):
        program = Path(os.environ["MORTISE_PROGRAMS"]) / "mortise"
        environment = dict(os.environ, MORTISE_HOME=str(self.home))
        environment.pop("MORTISE_URL", None)
        done = subprocess.run([program, *map(str, words)], env=environment, capture_output=True,
                              text=True, check=False, timeout=120)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def read(self, version):
        """(files restored, what was said): the program itself, as a user runs it."""
        out = self.work / "out"
        shutil.rmtree(out, ignore_errors=True)
        done = subprocess.run([sys.executable, HERE / "read_store.py", self.home, version, out],
                              env=dict(os.environ, PYTHONPATH=self.packages), text=True,
                              capture_output=True, check=False, timeout=120)
        self.assertEqual(done.returncode == 0, done.stderr == "", done.stderr)
        return (files_under(out) if done.returncode == 0 else None), done.stderr

    def test_versions_come_back_byte_for_byte(self):
        first, more = files_under(self.first), files_under(self.more)
        rows, media = {}, {}
        for version, sent in (("films@1", first), ("films@2", more)):
            rows[version] = b"".join(rows.values()) + sent["rows.jsonl"]
            media |= {f"media/{name}": data for name, data in sent.items() if name != "rows.jsonl"}
            wanted = {"rows.jsonl": rows[version], **media,
                      **{f"originals/{name}": data for name, data in sent.items()}}
            found, said = self.read(version)
            self.assertIsNotNone(found, said)
            self.assertEqual(sorted(found), sorted(wanted))
            for name, data in wanted.items():
                self.assertTrue(found[name] == data, f"{version}: {name} differs")
        self.assertGreater(len(rows["films@1"]), 2 * 262144, "several groups of rows")

    def test_nothing_is_read_with_another_root_key(self):
        self.flip(self.home / "keys/root.key", 0)
        self.assertEqual(self.read("films@1"), (None, "read_store: InvalidTag: \n"))

    def test_a_changed_byte_is_told(self):
        segments = self.home.glob("store/segments/*/*.seg")
        size, segment = max((path.stat().st_size, path) for path in segments)
        for offset, word in ((size // 2, "InvalidTag"),  # in the large picture
                             (100, "damaged header"), (-70, "damaged entries")):
            self.flip(segment, offset)
            found, said = self.read("films@1")
            self.assertIsNone(found, word)
            self.assertIn(word, said)
            self.flip(segment, offset)
        self.assertIsNotNone(self.read("films@1")[0])

    def test_a_version_that_is_not_there_and_a_changed_manifest_are_told(self):
        self.assertIn("no such version, or another manifest", self.read("films@3")[1])
        with sqlite3.connect(self.home / "database/mortise.db") as database:
            database.execute("UPDATE versions SET manifest = replace(manifest, 'vqa', 'sft')")
        database.close()
        self.assertIn("no such version, or another manifest", self.read("films@1")[1])


def can_read(packages):
    return subprocess.run([sys.executable, "-c", "import " + ", ".join(WANTED)], check=False,
                          env=dict(os.environ, PYTHONPATH=packages),
                          capture_output=True).returncode == 0


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    ReadStore.packages, ReadStore.make_store = sys.argv.pop(), sys.argv.pop()
    if not can_read(ReadStore.packages):
        subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--target",
                        ReadStore.packages, *WANTED], check=False)
    if not can_read(ReadStore.packages):
        print("SKIPPED: the Python packages cryptography and zstandard cannot be installed here")
        sys.exit(0)
    sys.path[:0] = [ReadStore.packages]
    unittest.main()
