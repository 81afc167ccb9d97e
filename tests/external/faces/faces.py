"""What the tests of this folder share: the fixtures, a folder that goes away, the program `mortise`
as a user types it. MORTISE_FIXTURES names the fixtures; MORTISE_PROGRAMS the folder of the programs.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.dont_write_bytecode = True

FIXTURES = Path(os.environ.get("MORTISE_FIXTURES", "/nonexistent"))
GOLDENS = FIXTURES / "goldens"


class FaceTest(unittest.TestCase):
    """A test with a folder and a MORTISE_HOME of its own; skipped without fixtures."""

    maxDiff = 2000

    def setUp(self):
        if "MORTISE_FIXTURES" not in os.environ:
            self.skipTest("MORTISE_FIXTURES is not set, so the reference data are absent")
        self.programs = Path(os.environ["MORTISE_PROGRAMS"])
        self.folder = Path(tempfile.mkdtemp(prefix="mortise_faces_"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.environment = {key: value for key, value in os.environ.items()
                            if key not in ("MORTISE_URL", "MORTISE_TOKEN")}
        self.environment["MORTISE_HOME"] = str(self.folder / "home")

    def mortise(self, *words, given="", code=0):
        """Runs `mortise words...`; returns what it printed. Fails unless it exits with code."""
        done = subprocess.run([str(self.programs / "mortise"), *map(str, words)], input=given,
                              text=True, capture_output=True, check=False, env=self.environment,
                              timeout=240)
        self.assertEqual(done.returncode, code, f"mortise {' '.join(map(str, words))}\n"
                                                f"{done.stdout[-2000:]}{done.stderr[-2000:]}")
        return done.stdout if code == 0 else done.stderr

    def lines(self, *words, given):
        """JSON values in, a line each; JSON values out."""
        text = "".join(json.dumps(value, ensure_ascii=False) + "\n" for value in given)
        return [json.loads(line) for line in self.mortise(*words, given=text).splitlines()]


def read_json(path):
    return json.loads(path.read_text(encoding="utf-8"))


def write_lines(path, values):
    with open(path, "w", encoding="utf-8") as out:
        for value in values:
            out.write(json.dumps(value, ensure_ascii=False) + "\n")
