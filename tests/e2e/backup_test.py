"""A backup holds everything: a model is imported and tuned, another training is under way, the home is
backed up and goes away. At another path all is there: files by their SHA-256, a merge that reads base and
adapter, and the training goes on from its checkpoint.

MORTISE_PROGRAMS names the folder of the programs. Ends only processes of its own MORTISE_HOME.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "sdk/python"))

from mortise import DatasetHub, Server  # noqa: E402

PROGRAMS = Path(os.environ.get("MORTISE_PROGRAMS", ROOT / "build/bin"))
WAIT_S = 60


class Backup(unittest.TestCase):
    def setUp(self):
        self.work = Path(tempfile.mkdtemp(prefix="mortise_backup_"))
        self.addCleanup(shutil.rmtree, self.work, ignore_errors=True)
        os.environ.pop("MORTISE_URL", None)

    def start(self, name):
        self.home = self.work / name
        os.environ["MORTISE_HOME"] = str(self.home)
        self.server = Server(programs=PROGRAMS)
        self.addCleanup(subprocess.run, [PROGRAMS / "mortise", "down"], capture_output=True,
                        check=False, env=dict(os.environ))

    def mortise(self, *words, code=0):
        done = subprocess.run([PROGRAMS / "mortise", *map(str, words)], capture_output=True, text=True,
                              check=False)
        self.assertEqual(done.returncode, code, f"{words}: {done.stdout}{done.stderr}")
        return done.stdout

    def until(self, what, holds):
        deadline = time.monotonic() + WAIT_S
        while not holds():
            self.assertLess(time.monotonic(), deadline, what)
            time.sleep(0.05)

    def make_inputs(self):
        corpus = self.work / "corpus.jsonl"
        corpus.write_text("".join(json.dumps(f"the words {n} of nobody, what is it") + "\n"
                                  for n in range(300)))
        self.mortise("tokenizer", "train", corpus, "--vocab-size", 300, "--out", self.work / "tokenizer")
        self.mortise("model", "new", "made", "--preset", "llama-tiny", "--seed", 1, "--tokenizer",
                     self.work / "tokenizer", "--out", self.work / "made")
        self.mortise("model", "import", "base", self.work / "made")
        rows = self.work / "rows.jsonl"
        rows.write_text("".join(json.dumps({"messages": [
            {"role": "user", "content": f"What is {n}?"}, {"role": "assistant", "content": "nobody"}]})
            + "\n" for n in range(8)))
        self.assertEqual(DatasetHub(self.server).upload("notes", rows, task_type="chat"), "notes@1")

    def train(self, name, steps, save_steps):
        return self.server.post("/api/v1/jobs", {
            "kind": "train", "name": name, "model": "base", "dataset": "notes",
            "method": {"type": "lora", "r": 2},
            "train": {"max_steps": steps, "save_steps": save_steps}})["id"]

    def steps_of(self, job):
        return [line["step"] for line in self.server.get(f"/api/v1/jobs/{job}/metrics")["items"]]

    def digests(self):
        """The recorded SHA-256 of every file of every model, each held against the file."""
        found = {}
        for model in self.server.get("/api/v1/models")["items"]:
            for file in model["files"]:
                place = f"/api/v1/models/{model['reference']}/files/{file['name']}"
                self.server.download(place, self.work / "file")
                digest = hashlib.sha256((self.work / "file").read_bytes()).hexdigest()
                self.assertEqual(digest, file["sha256"], place)
                found[place] = digest
        return found

    def test_a_home_comes_back_at_another_path(self):
        self.start("home")
        self.make_inputs()
        done = self.server.wait(self.train("tuned", 2, 1))
        self.assertEqual(done["state"], "done", done["error"])
        backup, digests = self.work / "backup", self.digests()
        self.assertGreater(len(digests), 5)
        first = json.loads(self.mortise("store", "backup", backup, "--json"))
        self.assertEqual((first["models"], first["files_kept"]), (2, 0))
        again = json.loads(self.mortise("store", "backup", backup, "--json"))
        self.assertEqual((again["files_copied"], again["segments_copied"]), (0, 0))
        long = self.train("long", 100000, 20)
        self.until("a checkpoint", lambda: list(
            self.home.glob(f"jobs/{long}/1/checkpoints/checkpoint-*/run.json")))
        self.mortise("store", "backup", self.home / "inside", code=1)
        self.mortise("store", "backup", backup)
        (saved,) = backup.glob(f"jobs/{long}/1/checkpoints/*")
        self.server.post(f"/api/v1/jobs/{long}/cancel")
        self.until("the end", lambda: self.server.get(f"/api/v1/jobs/{long}")["state"] == "cancelled")
        self.mortise("down")
        shutil.copy(self.home / "keys/root.key", self.work / "root.key")
        shutil.rmtree(self.home)

        os.environ["MORTISE_HOME"] = str(self.work / "deep/other")
        report = json.loads(self.mortise("store", "restore", backup, "--root-key",
                                         self.work / "root.key", "--json"))
        self.assertEqual((report["findings"], report["models"], report["versions"]), ([], 2, 1))
        self.start("deep/other")
        self.assertEqual(self.digests(), digests)
        self.assertEqual(self.server.get("/api/v1/jobs/tuned")["state"], "done")
        self.until("a step", lambda: self.steps_of(long))
        job = self.server.get(f"/api/v1/jobs/{long}")
        self.assertEqual((job["state"], job["attempt"]), ("running", 2))
        self.assertEqual(self.steps_of(long)[0], int(saved.name.rpartition("-")[2]) + 1)
        self.server.post(f"/api/v1/jobs/{long}/cancel")
        self.mortise("model", "export", "tuned", "--format", "hf", "--out", self.work / "merged")
        self.assertGreater((self.work / "merged/model.safetensors").stat().st_size, 1000)
        self.assertEqual(json.loads(self.mortise("store", "verify", "--json"))["findings"], [])


if __name__ == "__main__":
    sys.exit(unittest.main())
