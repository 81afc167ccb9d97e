"""What the command line says of a fresh machine, and how it counts tokens: `doctor` with and without a
broken pack, an upload whose rows are measured with a stored model's tokenizer, a scrub that is cut.

MORTISE_PROGRAMS names the folder of the programs.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "sdk/python"))

from mortise import Server  # noqa: E402

PROGRAMS = Path(os.environ.get("MORTISE_PROGRAMS", ROOT / "build/bin"))


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

    def test_a_length_without_a_tokenizer_is_a_wrong_command(self):
        refused = self.mortise("dataset", "upload", "notes", ".", "--task-type", "sft", "--max-length", 9,
                               code=2)
        self.assertIn("--tokenizer MODEL", refused.stderr)

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
            time.sleep(0.05)
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
