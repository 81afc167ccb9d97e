"""What the command line says of a fresh machine, and how it counts tokens: `doctor` with and without a
broken pack, an upload whose rows are measured with a stored model's tokenizer, a scrub that is cut, and
what checks and uploads take alike: folders of classes and of DICOM files, archives, a format by its name.

MORTISE_PROGRAMS names the folder of the programs.
"""

import base64
import http.client
import json
import os
import struct
import subprocess
import sys
import tarfile
import tempfile
import time
import unittest
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "sdk/python"))

from mortise import DatasetHub, Server  # noqa: E402

PROGRAMS = Path(os.environ.get("MORTISE_PROGRAMS", ROOT / "build/bin"))


DICOM = base64.b64decode(json.loads((ROOT / "plugins/builtin/format_dicom/pack.json").read_text(
    encoding="utf-8"))["x-conformance"]["samples"][0]["base64"])


def png(value):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(bytes([0, *[value] * 8]) * 8)) + chunk(b"IEND", b""))


class Commands(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="mortise_commands_")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def mortise(self, *words, code=0):
        done = subprocess.run([str(PROGRAMS / "mortise"), *map(str, words)], capture_output=True,
                              text=True, check=False, cwd=self.folder,
                              env=dict(os.environ, MORTISE_HOME="home"))
        self.assertEqual(done.returncode, code, f"{words}: {done.stdout}{done.stderr}")
        return done

    def test_doctor_names_packs_and_devices(self):
        found = json.loads(self.mortise("doctor", "--json").stdout)
        self.assertEqual(found["home"], str(self.folder / "home"))
        self.assertGreater(found["disk_free_bytes"], 0)
        self.assertIn("mortise.device_cpu", found["devices"])
        self.assertTrue(any(pack.startswith("mortise.format_jsonl ") for pack in found["packs"]))
        self.assertEqual(found["packs_broken"], [])

    def test_doctor_names_a_pack_whose_manifest_cannot_be_read(self):
        pack = self.folder / "home/packs/broken"
        pack.mkdir(parents=True)
        (pack / "pack.json").write_text("{", encoding="utf-8")
        broken = json.loads(self.mortise("doctor", "--json").stdout)["packs_broken"]
        self.assertEqual([one["folder"] for one in broken], [str(pack)])
        self.assertIn("pack.json", broken[0]["error"])

    def test_an_upload_counts_tokens_as_a_stored_model_does(self):
        self.addCleanup(self.mortise, "down")
        texts = ["The lungs are clear.", "No fracture is seen in the left wrist of this patient."]
        rows = self.folder / "rows.jsonl"
        rows.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")
        (self.folder / "corpus.jsonl").write_text("".join(json.dumps(text) + "\n" for text in texts),
                                                  encoding="utf-8")
        self.mortise("tokenizer", "train", "corpus.jsonl", "--vocab-size", 300, "--out", "tokenizer")
        self.mortise("model", "new", "small", "--preset", "llama-tiny", "--tokenizer", "tokenizer")
        ids = [len(json.loads(line)) for line in subprocess.run(
            [str(PROGRAMS / "mortise"), "tokenizer", "encode", "--tokenizer", "tokenizer"], text=True,
            input="".join(json.dumps(text) + "\n" for text in texts), capture_output=True, check=True,
            cwd=self.folder).stdout.splitlines()]
        self.mortise("dataset", "upload", "notes", rows, "--task-type", "pretrain", "--tokenizer", "small",
                     "--max-length", ids[0])
        os.environ["MORTISE_HOME"] = str(self.folder / "home")
        server = Server(programs=PROGRAMS)
        upload = server.get("/api/v1/uploads")["items"][0]["id"]
        lengths = server.get(f"/api/v1/uploads/{upload}/report")["statistics"]["lengths"]
        self.assertEqual((lengths["max"], lengths["too_long_count"]), (ids[1], 1))

    def test_rows_that_are_left_out_are_told_and_the_report_is_kept(self):
        self.addCleanup(self.mortise, "down")
        (self.folder / "rows.jsonl").write_text(
            '{"query":"q","response":"a"}\n{"query":"r","response":7}\n{"query":"s","response":"b"}\n',
            encoding="utf-8")
        words = ("dataset", "upload", "notes", "rows.jsonl", "--task-type", "sft")
        refused = self.mortise(*words, code=1)
        self.assertIn("row 2", refused.stderr)
        done = self.mortise(*words, "--patch", "--max-bad-rows", 1)
        self.assertIn("row_count: 2\nrows_read: 3\nbad_rows_left_out: 1\n", done.stdout)
        self.assertIn("row 2", done.stderr)
        facts = json.loads(self.mortise("dataset", "show", "notes@1", "--json").stdout)["manifest"]["facts"]
        self.assertEqual([pack["id"] for pack in facts["packs"]], ["mortise.format_jsonl"],
                         "not those that were only asked")
        self.assertEqual(facts["schema"]["name"], "rows/sft.json")
        self.assertEqual(len(facts["schema"]["sha256"]), 64)
        self.mortise("dataset", "show", "notes@1", "--report", "report.json")
        report = json.loads((self.folder / "report.json").read_text(encoding="utf-8"))
        self.assertEqual((report["bad_rows_count"], report["findings"][0]["row"]), (1, 2))
        self.mortise("dataset", "show", "notes", "--report", "report.html")
        self.assertIn("</html>", (self.folder / "report.html").read_text(encoding="utf-8"))
        self.mortise("store", "backup", "copy")
        self.assertTrue((self.folder / "copy/mortise.db").is_file())

    def write(self, name, content):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def check(self, *words, code=0):
        return json.loads(self.mortise("dataset", "check", *words, code=code).stdout)

    def report_of_newest_upload(self):
        os.environ["MORTISE_HOME"] = str(self.folder / "home")
        server = Server(programs=PROGRAMS)
        upload = server.get("/api/v1/uploads")["items"][0]["id"]
        return server.get(f"/api/v1/uploads/{upload}/report")

    def test_a_folder_of_classes_and_one_of_dicom_are_rows_as_they_are(self):
        self.addCleanup(self.mortise, "down")
        for at, name in enumerate(("train/cat/1.png", "train/dog/2.png", "val/cat/3.png", "LICENSE")):
            self.write(f"pets/{name}", png(40 * at))
        for name in ("CT.dcm", "scans/IM0001"):
            self.write(f"study/{name}", DICOM)
        pets = self.check("pets", "--task-type", "classification")
        self.assertEqual((pets["rows_count"], pets["media_count"], pets["unused_media"]), (3, 3, []))
        self.assertEqual(pets["statistics"]["labels"]["labels"], {"cat": 2, "dog": 1})
        study = self.check("study", "--task-type", "classification", "--map", "label=Modality")
        self.assertEqual((study["rows_count"], study["media_count"]), (2, 2))
        self.mortise("dataset", "upload", "pets", "pets", "--task-type", "classification")
        self.assertEqual(self.report_of_newest_upload(), pets)
        self.mortise("dataset", "upload", "study", "study", "--task-type", "classification",
                     "--map", "label=Modality", "--format", "mortise.format_dicom")
        self.assertEqual(self.report_of_newest_upload(), study)

        refused = self.mortise("dataset", "check", "study", "--task-type", "classification", code=1)
        self.assertIn('The rows have the columns "Modality", ', refused.stderr)
        refused = self.mortise("dataset", "check", "pets", "--task-type", "classification", "--format",
                               "mortise.format_csv", code=3)
        self.assertIn("no file of rows that mortise.format_csv knows", refused.stderr)

    def test_a_check_looks_at_what_an_upload_would_send(self):
        self.addCleanup(self.mortise, "down")
        rows = '{"image": "img/1.png", "question": "What?", "output": "This."}\n'
        self.write("set/rows.jsonl", rows)
        for name in ("set/img/1.png", "set/img/2.png", "set/LICENSE"):
            self.write(name, png(9))
        alone = self.check("set/rows.jsonl", "--task-type", "vqa")
        self.assertEqual((alone["unused_media"], alone["codes"]), ([], {"license_absent": 1}))
        self.mortise("dataset", "upload", "alone", "set/rows.jsonl", "--task-type", "vqa")
        self.assertEqual(self.report_of_newest_upload(), alone)
        whole = self.check("set", "--task-type", "vqa")
        self.assertEqual((whole["unused_media"], whole["codes"]), (["LICENSE", "img/2.png"], {}))

        self.write("set/rows.jsonl", rows.replace("img/1", "img/3"))
        missing = self.check("set/rows.jsonl", "--task-type", "vqa", code=1)
        self.assertEqual(missing["missing_media"], ["img/3.png"])

    def test_an_archive_is_not_unpacked_by_a_check(self):
        self.write("1.json", '{"text": "One sample of a shard."}')
        with tarfile.open(self.folder / "shard.tar", "w") as tar:
            tar.add(self.folder / "1.json", arcname="1.json")
        refused = self.mortise("dataset", "check", "shard.tar", "--task-type", "pretrain", code=1)
        for words in ("shard.tar", "Unpack it and check the folder, or upload it", "--whole"):
            self.assertIn(words, refused.stderr)
        shard = self.check("shard.tar", "--task-type", "pretrain", "--whole")
        self.assertEqual((shard["accepted"], shard["rows_count"]), (True, 1))

    def test_a_format_is_chosen_by_its_name(self):
        self.addCleanup(self.mortise, "down")
        self.write("a.txt", "A first text of its own.\nA second text, quite unlike it.\n")
        self.write("b.txt", "And here is a third one.\n   \n\"  \"\n")
        whole_lines = ("--format", "mortise.format_csv", "--format-config",
                       '{"header": false, "separator": "\\u0001"}', "--map", "text=col1")
        self.mortise("dataset", "upload", "notes", "a.txt", "--task-type", "pretrain", *whole_lines)
        self.mortise("dataset", "append", "notes", "b.txt", *whole_lines, "--patch", "--max-bad-rows", 2)
        rows = self.mortise("dataset", "rows", "notes").stdout.splitlines()
        self.assertEqual([json.loads(row)["text"] for row in rows],
                         ["A first text of its own.", "A second text, quite unlike it.",
                          "And here is a third one."])

        os.environ["MORTISE_HOME"] = str(self.folder / "home")
        hub = DatasetHub(Server(programs=PROGRAMS))
        config = {"header": False, "separator": "\x01"}
        self.assertEqual(hub.append("notes", self.folder / "a.txt", map={"text": "col1"},
                                    format="mortise.format_csv", format_config=config), "notes@3")
        with self.assertRaises(ValueError):
            hub.upload("other", self.folder / "a.txt", "pretrain", format_config=config)

        refused = self.mortise("dataset", "append", "notes", "b.txt", "--format-config", "{}", code=2)
        self.assertIn("Give --format ID too", refused.stderr)
        refused = self.mortise("dataset", "upload", "notes", "a.txt", "--task-type", "pretrain", "--format",
                               "mortise.format_none", code=1)
        self.assertIn("mortise.format_none", refused.stderr)

    def test_a_broken_line_of_jsonl_is_told_with_its_place(self):
        for text, place in (('{"text": "a"}\nnot json\n', "row 2"), ("[1]\n", "row 1"),
                            ('{\n  "text": "a"\n}\n', "row 1"), ("\ufeff{".encode("utf-16"), "row 1")):
            self.write("rows.jsonl", text)
            refused = self.mortise("dataset", "check", "rows.jsonl", "--task-type", "pretrain", code=1)
            self.assertIn(f"rows.jsonl {place} (byte ", refused.stderr)

    def test_a_length_without_a_tokenizer_is_a_wrong_command(self):
        refused = self.mortise("dataset", "upload", "notes", ".", "--task-type", "sft", "--max-length", 9,
                               code=2)
        self.assertIn("--tokenizer MODEL", refused.stderr)

    def test_a_compaction_passes_over_a_body_that_arrives(self):
        self.addCleanup(self.mortise, "down")
        self.mortise("up")
        place = (self.folder / "home/run/address").read_text().strip().removeprefix("http://")
        token = (self.folder / "home/token").read_text().strip()
        head = {"Tus-Resumable": "1.0.0", "Authorization": f"Bearer {token}"}
        link = http.client.HTTPConnection(place, timeout=30)
        link.request("POST", "/api/v1/uploads", b"", head | {"Upload-Length": "9"})
        path = link.getresponse().headers["Location"].removeprefix(f"http://{place}")
        link.close()
        link = http.client.HTTPConnection(place, timeout=30)
        self.addCleanup(link.close)
        link.putrequest("PATCH", path)
        for name, value in (head | {"Upload-Offset": "0", "Content-Length": "9",
                                    "Content-Type": "application/offset+octet-stream"}).items():
            link.putheader(name, value)
        link.endheaders(b"half ")
        compact = ("store", "compact", "--grace-seconds", 0, "--json")
        deadline = time.monotonic() + 30
        while not (busy := json.loads(self.mortise(*compact).stdout)["domains_busy"]):
            self.assertLess(time.monotonic(), deadline, "the body is taken for nothing")
        self.assertEqual(busy, 1)
        link.send(b"done")
        self.assertEqual(link.getresponse().status, 204)
        self.assertEqual(json.loads(self.mortise(*compact).stdout)["domains_busy"], 0)

    def test_a_scrub_that_was_cut_is_gone_on_with(self):
        self.addCleanup(self.mortise, "down")
        rows = self.folder / "rows.jsonl"
        rows.write_text("".join(json.dumps({"text": f"{i} is one."}) + "\n" for i in range(40000)),
                        encoding="utf-8")
        self.mortise("dataset", "upload", "notes", rows, "--task-type", "pretrain")
        whole = json.loads(self.mortise("store", "scrub", "--json").stdout)
        self.assertEqual((whole["domains"], whole["findings"]), (1, []))
        self.assertGreater(whole["bytes_read"], 200_000, "several pieces at the rate below")
        record = self.folder / "home/scrub.json"
        self.assertFalse(record.exists(), "it was not cut")
        slow = subprocess.Popen([str(PROGRAMS / "mortise"), "store", "scrub", "--bytes-per-second", "40000"],
                                cwd=self.folder, env=dict(os.environ, MORTISE_HOME="home"),
                                stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while not record.exists() and time.monotonic() < deadline:
            self.assertIsNone(slow.poll(), "it ended before it kept its place")
            time.sleep(0.02)
        slow.kill()
        slow.wait()
        begun = json.loads(record.read_text(encoding="utf-8"))["report"]
        self.assertGreater(begun["chunks_ok"], 0)
        self.mortise("down")
        rest = self.mortise("store", "scrub", "--json")
        self.assertIn("Going on where the last run was cut", rest.stderr)
        self.assertEqual(json.loads(rest.stdout), whole, "each record was read once")
        self.assertFalse(record.exists())


if __name__ == "__main__":
    sys.exit(unittest.main())
