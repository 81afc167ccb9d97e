"""No byte of what is uploaded rests readable on the disk: canaries that cannot be guessed or compressed
go up in rows, in a picture, in a bundle, in a data set that is refused, and are trained on; then every
file below MORTISE_HOME is searched for them, raw, in hex, in base64 and in UTF-16, and so is what
every zstd frame in it inflates to. What the training made is looked at file by file. The search itself
is tried on files that hold each of these forms, and on a store whose cipher does nothing: there it
must find what it must not find in the real one.

MORTISE_PROGRAMS names the folder of the programs. Ends only processes of its own MORTISE_HOME.
"""

import base64
import ctypes
import ctypes.util
import json
import os
import secrets
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "sdk/python"))

from mortise import DatasetHub, MortiseError, Server  # noqa: E402

ZSTD = ctypes.CDLL(ctypes.util.find_library("zstd"))
ZSTD.ZSTD_decompress.restype = ctypes.c_size_t
FRAME = b"\x28\xb5\x2f\xfd"


def forms(canary):
    """The canary's text as it could lie in a file. In base64 it may begin at any of three bytes."""
    raw = canary.encode()
    found = [raw, raw.hex().encode(), raw.hex().upper().encode(), canary.encode("utf-16-le"),
             canary.encode("utf-16-be")]
    for shift in range(3):
        text = base64.b64encode(b"\0" * shift + raw)
        found.append(text[4 if shift else 0:-4])
    return found


def inflated(data):
    """What each zstd frame of the bytes inflates to."""
    at = data.find(FRAME)
    while at >= 0:
        room = ctypes.create_string_buffer(8 << 20)
        piece = data[at:]
        size = ZSTD.ZSTD_findFrameCompressedSize(piece, ctypes.c_size_t(len(piece)))
        if 0 < size <= len(piece):
            got = ZSTD.ZSTD_decompress(room, ctypes.c_size_t(len(room)), piece,
                                       ctypes.c_size_t(size))
            if got <= len(room):
                yield room.raw[:got]
        at = data.find(FRAME, at + 1)


def search(folder, canaries):
    """{(file, canary)} of all files below a folder."""
    wanted = [(canary, form) for canary in canaries for form in forms(canary)]
    found = set()
    for path in Path(folder).rglob("*"):
        if not path.is_file():
            continue
        data = path.read_bytes()
        for text in (data, *inflated(data)):
            found |= {(path.name, canary) for canary, form in wanted if form in text}
    return found


def png_with(text):
    """A grey picture whose tEXt chunk holds the text."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    header = struct.pack(">IIBBBBB", 4, 4, 8, 0, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"tEXt", b"Note\0" + text.encode())
            + chunk(b"IDAT", zlib.compress(b"\0\1\2\3\4" * 4)) + chunk(b"IEND", b""))


def make_base(programs, work):
    """A small model of the name "base" around a tokenizer that saw nothing of the canaries."""
    corpus = work / "corpus.jsonl"
    corpus.write_text("".join(json.dumps(f"the words {n} of nobody, what is it") + "\n"
                              for n in range(300)))
    for words in (("tokenizer", "train", corpus, "--vocab-size", 300, "--out", work / "tokenizer"),
                  ("model", "new", "base", "--preset", "llama-tiny", "--seed", 1, "--tokenizer",
                   work / "tokenizer")):
        subprocess.run([programs / "mortise", *map(str, words)], check=True, capture_output=True)


class Canaries(unittest.TestCase):
    def setUp(self):
        self.work = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.work)

    def test_the_search_finds_each_form(self):
        ZSTD.ZSTD_compress.restype = ctypes.c_size_t
        canary = secrets.token_urlsafe(32)
        for number, form in enumerate(forms(canary)):
            (self.work / str(number)).write_bytes(b"before " + form + b" after")
        text = (canary * 50).encode()
        room = ctypes.create_string_buffer(1 << 16)
        size = ZSTD.ZSTD_compress(room, ctypes.c_size_t(len(room)), text,
                                  ctypes.c_size_t(len(text)), 3)
        (self.work / "zstd").write_bytes(b"head" + room.raw[:size])

        found = {name for name, _ in search(self.work, [canary])}

        self.assertEqual(found, {"zstd", *map(str, range(len(forms(canary))))})

    def test_the_search_finds_what_a_store_without_a_cipher_holds(self):
        programs = Path(os.environ["MORTISE_PROGRAMS"])
        canaries = [secrets.token_urlsafe(48) for _ in range(3)]
        for program, wanted in (("null_ingest", set(canaries)), ("store_canaries", set())):
            home = self.work / program
            subprocess.run([programs / program, home, *canaries], check=True)
            self.assertTrue(list(home.rglob("*.seg")))
            self.assertEqual({canary for _, canary in search(home, canaries)}, wanted, program)

    def test_nothing_of_an_upload_is_found_on_the_disk(self):
        programs = Path(os.environ["MORTISE_PROGRAMS"])
        home, data = self.work / "home", self.work / "data"
        os.environ["MORTISE_HOME"] = str(home)
        os.environ.pop("MORTISE_URL", None)
        (data / "images").mkdir(parents=True)
        row, picture, bad, plain = (secrets.token_urlsafe(48) for _ in range(4))
        (data / "images/a.png").write_bytes(png_with(picture))
        for number in range(20):  # enough for the client to send a bundle
            (data / f"images/{number}.png").write_bytes(png_with(picture + str(number)))
        lines = [{"image": f"images/{n}.png", "query": f"What is {row}{n}?", "response": row}
                 for n in range(20)]
        (data / "rows.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        server = Server(programs=programs)
        self.addCleanup(subprocess.run, [programs / "mortise", "down"], capture_output=True,
                        check=False)
        hub = DatasetHub(server)
        self.assertEqual(hub.upload("films", data, task_type="vqa"), "films@1")
        (self.work / "bad.jsonl").write_text(
            json.dumps({"image": f"{bad}.png", "query": bad, "response": bad}) + "\n" + bad + "\n")
        with self.assertRaises(MortiseError):
            hub.upload("bad", self.work / "bad.jsonl", task_type="vqa")
        (self.work / "chat.jsonl").write_text(json.dumps({"messages": [
            {"role": "user", "content": plain}, {"role": "assistant", "content": plain}]}) + "\n")
        hub.upload("chat", self.work / "chat.jsonl", task_type="chat")
        self.assertEqual(hub.rows("films")[3]["output"], row)
        sought = secrets.token_urlsafe(48)
        found, _ = hub.search_rows("films", grep=row)
        self.assertEqual(len(found), 20)
        self.assertEqual(hub.search_rows("films", grep=sought, where=[f"output={sought}"])[0], [])

        self.assertEqual(search(home, [row, picture, bad, plain, sought]), set())

    def test_nothing_of_what_is_learned_is_found_on_the_disk(self):
        """Weights quote no row, so each file that a job made is looked at and not only searched."""
        programs = Path(os.environ["MORTISE_PROGRAMS"])
        home = self.work / "home"
        os.environ["MORTISE_HOME"] = str(home)
        os.environ.pop("MORTISE_URL", None)
        server = Server(programs=programs)
        self.addCleanup(subprocess.run, [programs / "mortise", "down"], capture_output=True,
                        check=False)
        make_base(programs, self.work)
        canary = secrets.token_urlsafe(24)
        rows = self.work / "rows.jsonl"
        rows.write_text("".join(json.dumps({"messages": [
            {"role": "user", "content": f"What is {n} of {canary}?"},
            {"role": "assistant", "content": canary}]}) + "\n" for n in range(8)))
        self.assertEqual(DatasetHub(server).upload("notes", rows, task_type="chat"), "notes@1")
        job = server.wait(server.post("/api/v1/jobs", {
            "kind": "train", "name": "tuned", "model": "base", "dataset": "notes", "export": ["hf"],
            "method": {"type": "lora", "r": 2}, "evaluate": {"split": "all"},
            "train": {"max_steps": 2, "save_steps": 1},
            "generation": {"max_new_tokens": 2},
            "plugins": {"metrics": [{"id": "mortise.metric_bleu"}]}})["id"])
        self.assertEqual(job["state"], "done", job["error"])

        self.assertEqual(search(home, [canary]), set())
        made = [path for path in home.glob("jobs/*/*/*/**/*") if path.is_file()
                and path.parts[len(home.parts) + 3] in ("checkpoints", "artifacts", "adapter")]
        self.assertGreater(len(made), 8)
        self.assertEqual([path for path in made if path.read_bytes()[:8] != b"mrtfil01"], [])
        readable = {path.parent for path in home.glob("models/*/*")
                    if path.read_bytes()[:8] != b"mrtfil01"}
        self.assertEqual(len(readable), 1)  # the base
        self.assertEqual(len(list(home.glob("models/*"))), 3)
        for path in set(home.rglob("*")) - {base / "model.safetensors" for base in readable}:
            if path.is_file():
                self.assertNotIn(b'"data_offsets"', path.read_bytes(), path)
        adapter = self.work / "adapter.safetensors"
        server.download("/api/v1/models/tuned@1/files/adapter_model.safetensors", adapter)
        self.assertIn(b'"data_offsets"', adapter.read_bytes())


if __name__ == "__main__":
    unittest.main()
