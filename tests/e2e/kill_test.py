"""Processes end at random moments, as machines do: the server five times, the worker of a training
five times. What was acknowledged is there afterwards, and the training gives the same numbers bit for
bit as one that nobody disturbed.

MORTISE_PROGRAMS names the folder of the programs; MORTISE_SEED repeats a run. Ends only processes
of its own MORTISE_HOME.
"""

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "sdk/python"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import films  # noqa: E402
from mortise import DatasetHub, MortiseError, MultiModalConfig, Server  # noqa: E402

KILLS = 5
STEPS = 100
WAIT_S = 300
# What a line of metrics must repeat; the other members tell of time.
EXACT = ("step", "epoch", "loss", "grad_norm", "learning_rate", "tokens", "labelled_tokens",
         "examples")


def manifest():
    """Random order, dropout, two micro-batches, a packed batch: all that a resume must restore."""
    config = MultiModalConfig(
        model_name="small", train_dataset="films", name="tuned", per_device_train_batch_size=3,
        gradient_accumulation_steps=2, learning_rate=3e-3, precision="fp32", r=8, lora_dropout=0.1,
        max_length=512, seed=5, holdout_ratio=0.0,
        extra={"train": {"max_steps": STEPS, "save_steps": 8}})
    return config.manifest()


def has_ended(pid):
    """Gone, or only waiting for its parent to ask how it ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


class KillTest(unittest.TestCase):
    """A server, a small model, films, and the numbers of a training that nobody disturbed."""

    @classmethod
    def setUpClass(cls):
        cls.programs = Path(os.environ.get("MORTISE_PROGRAMS", ROOT / "build/bin"))
        cls.seed = int(os.environ.get("MORTISE_SEED", random.SystemRandom().randrange(1 << 32)))
        print(f"MORTISE_SEED={cls.seed}", flush=True)
        cls.random = random.Random(cls.seed)
        cls.work = Path(tempfile.mkdtemp(prefix="mortise_kill_"))
        cls.addClassCleanup(shutil.rmtree, cls.work, ignore_errors=True)
        os.environ["MORTISE_HOME"] = str(cls.work / "home")
        for name in ("MORTISE_URL", "MORTISE_TOKEN"):
            os.environ.pop(name, None)
        cls.start()
        cls.addClassCleanup(cls.cli, "down")
        cls.make_inputs()
        began = time.monotonic()
        job = cls.server.wait(cls.server.post("/api/v1/jobs", manifest())["id"])
        cls.duration_s = time.monotonic() - began
        log = cls.cli("job", "logs", job["id"])
        for word in ("task begins", "phase", "used", "task ends"):
            assert word in log, f"the job's log does not say {word!r}:\n{log}"
        cls.undisturbed = cls.metrics_of(job["id"])
        cls.adapter = cls.adapter_of(job["id"])
        print(f"{STEPS} steps undisturbed: {cls.duration_s:.1f} s", flush=True)

    @classmethod
    def start(cls):
        cls.server = Server(programs=cls.programs)
        cls.hub = DatasetHub(cls.server)

    @classmethod
    def cli(cls, *words):
        return subprocess.run([str(cls.programs / "mortise"), *map(str, words)], check=True,
                              capture_output=True, text=True).stdout

    @classmethod
    def make_inputs(cls):
        corpus = cls.work / "corpus.jsonl"
        with open(corpus, "w", encoding="utf-8") as out:
            for text in films.corpus(seed=3, count=100):
                out.write(json.dumps(text, ensure_ascii=False) + "\n")
        cls.cli("tokenizer", "train", corpus, "--vocab-size", 400, "--out", cls.work / "tokenizer")
        cls.cli("model", "new", "small", "--preset", "llava-tiny", "--seed", 1, "--tokenizer",
                cls.work / "tokenizer")
        rows = films.write_reports(cls.work / "films", 48, seed=2)
        cls.hub.upload("films", rows.parent, task_type="vqa")

    @classmethod
    def metrics_of(cls, job):
        lines = cls.server.get(f"/api/v1/jobs/{job}/metrics")["items"]
        return {line["step"]: {name: line[name] for name in EXACT} for line in lines}

    @classmethod
    def adapter_of(cls, job):
        """The digest of the weights that a job made."""
        artifacts = cls.server.get(f"/api/v1/jobs/{job}")["artifacts"]
        return {item["sha256"] for item in artifacts
                if item["name"].endswith("adapter_model.safetensors")}

    def kill_server(self):
        pid = int((self.work / "home/run/lock").read_text())
        os.kill(pid, signal.SIGKILL)
        while not has_ended(pid):
            time.sleep(0.01)

    def sleep_some(self, most_s):
        moment = self.random.uniform(0, most_s)
        time.sleep(moment)
        return moment

    def assert_same_numbers(self, metrics):
        for step, line in metrics.items():
            self.assertEqual(line, self.undisturbed[step])

    def job(self, job):
        return self.server.get(f"/api/v1/jobs/{job}")

    def wait_until_over(self, job):
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline:
            found = self.job(job)
            if found["state"] in ("done", "failed", "cancelled"):
                return found
            time.sleep(0.05)
        self.fail(f"job {job} is still {found['state']} after {WAIT_S} s: {found['progress']}")


class Uploads(threading.Thread):
    """Sends small data sets one after the other, and keeps what the server said it has."""

    def __init__(self, server, work, first):
        super().__init__()
        self.hub, self.work, self.number = DatasetHub(server), work, first
        self.files, self.versions = {}, {}  # upload id -> {file: bytes}; reference -> rows
        self.ends = False

    def run(self):
        try:
            while not self.ends:
                self.send()
                self.number += 1
        except (MortiseError, OSError):
            pass  # the server is gone

    def send(self):
        text = json.dumps({"query": f"question {self.number}", "response": "answer"}) + "\n"
        path = self.work / "rows.jsonl"
        path.write_text(text, encoding="utf-8")
        server = self.hub.server
        upload = server.post("/api/v1/uploads", {"name": "open", "task_type": "sft"})["id"]
        self.files[upload] = {}
        digest = hashlib.sha256(text.encode("utf-8")).hexdigest()
        server.send_file(path, upload=upload, filename="rows.jsonl", sha256=digest)
        self.files[upload]["rows.jsonl"] = len(text)
        reference = self.hub.upload(f"set-{self.number}", path, task_type="sft")
        self.versions[reference] = f"question {self.number}"


class ServerKilled(KillTest):
    def assert_all_there(self, files, versions, jobs):
        for upload, names in files.items():
            shown = {file["name"]: file["size_bytes"] for file in
                     self.server.get(f"/api/v1/uploads/{upload}/files")["items"]}
            self.assertEqual(shown | names, shown, upload)
        for reference, question in versions.items():
            self.assertIn(question, json.dumps(self.hub.rows(reference)), reference)
        for job in jobs:
            self.assertEqual(self.job(job)["id"], job)
        scrubbed = self.server.post("/api/v1/store/scrub")
        self.assertEqual((scrubbed["findings"], scrubbed["cursor"]), ([], None))

    def test_nothing_acknowledged_is_lost_and_the_job_goes_on_to_the_same_numbers(self):
        job = self.server.post("/api/v1/jobs", manifest())["id"]
        files, versions = {}, {}
        for kill in range(KILLS):
            uploads = Uploads(self.server, self.work, 1000 * kill)
            uploads.start()
            moment = self.sleep_some(self.duration_s / KILLS)
            self.kill_server()
            uploads.ends = True
            uploads.join()
            files |= uploads.files
            versions |= uploads.versions
            self.start()
            print(f"server killed after {moment:.2f} s: {len(files)} uploads, {len(versions)} "
                  f"versions, job {self.job(job)['state']}", flush=True)
            self.assert_all_there(files, versions, [job])
        ended = self.wait_until_over(job)
        self.assertEqual(ended["state"], "done", ended["error"])
        self.assertGreater(len(files), 0)
        metrics = self.metrics_of(job)
        self.assertEqual(sorted(metrics), sorted(self.undisturbed))
        self.assert_same_numbers(metrics)
        self.assertEqual(self.adapter_of(job), self.adapter)


class WorkerKilled(KillTest):
    def worker_of(self, job):
        """The process that works on a job of ours, or None."""
        for folder in Path("/proc").iterdir():
            if not folder.name.isdigit():
                continue
            try:
                words = (folder / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue  # it ended
            if words[0].endswith(b"mortise-worker") and any(
                    str(self.work).encode() in word and job.encode() in word for word in words):
                return int(folder.name)
        return None

    def kill_worker(self, job):
        """True when there was one to kill; waits while the job is still to be started."""
        while self.job(job)["state"] in ("queued", "running"):
            pid = self.worker_of(job)
            if pid is not None:
                os.kill(pid, signal.SIGKILL)
                return True
            time.sleep(0.02)
        return False

    def test_when_the_server_dies_too_the_job_fails_with_a_reason_and_resumes(self):
        job = self.server.post("/api/v1/jobs", manifest())["id"]
        while not self.metrics_of(job):
            time.sleep(0.05)
        self.sleep_some(self.duration_s * 0.3)
        self.kill_server()
        worker = self.worker_of(job)
        if worker is not None:
            os.kill(worker, signal.SIGKILL)
        self.start()
        ended = self.wait_until_over(job)
        seen = self.metrics_of(job)
        self.assert_same_numbers(seen)
        print(f"both killed: job {ended['state']} after step {max(seen)}", flush=True)
        if ended["state"] == "done":  # the machine was quick
            self.assertEqual(self.adapter_of(job), self.adapter)
            return
        self.assertEqual(ended["state"], "failed")
        self.assertIn("The worker ended without saying why", ended["error"]["detail"])
        job = json.loads(self.cli("job", "resume", job, "--json"))["id"]
        ended = self.wait_until_over(job)
        self.assertEqual(ended["state"], "done", ended["error"])
        seen |= self.metrics_of(job)
        self.assert_same_numbers(seen)
        self.assertEqual(sorted(seen), sorted(self.undisturbed))
        self.assertEqual(self.adapter_of(job), self.adapter)

    def test_the_job_fails_with_a_reason_and_resumes_to_the_same_numbers(self):
        job, seen, kills = self.server.post("/api/v1/jobs", manifest())["id"], {}, 0
        while kills < KILLS:
            moment = self.sleep_some(self.duration_s * 0.6)
            was_there = self.kill_worker(job)
            ended = self.wait_until_over(job)
            metrics = self.metrics_of(job)
            self.assert_same_numbers(metrics)
            seen |= metrics
            print(f"worker killed after {moment:.2f} s: job {ended['state']}, steps "
                  f"{min(metrics, default=0)}..{max(metrics, default=0)}", flush=True)
            if ended["state"] == "done":  # it came to its end first: once more from the start
                self.assertEqual(self.adapter_of(job), self.adapter)
                job = self.server.post("/api/v1/jobs", manifest())["id"]
                continue
            self.assertTrue(was_there)
            self.assertEqual(ended["state"], "failed")
            self.assertIn("signal 9", json.dumps(ended["error"]))
            kills += 1
            job = json.loads(self.cli("job", "resume", job, "--json"))["id"]
        ended = self.wait_until_over(job)
        self.assertEqual(ended["state"], "done", ended["error"])
        seen |= self.metrics_of(job)
        self.assert_same_numbers(self.metrics_of(job))
        self.assertEqual(sorted(seen), sorted(self.undisturbed))
        self.assertEqual(self.adapter_of(job), self.adapter)


if __name__ == "__main__":
    unittest.main()
