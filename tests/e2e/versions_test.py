"""The life of a data set through the programs: uploaded, appended to, edited, a row deleted; what differs,
what saw a row, what comes out again. Data of its own; MORTISE_PROGRAMS names the folder of the programs.
"""

import json
import os
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


def png(grey):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 4, 8, 0, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress((b"\0" + bytes([grey]) * 4) * 4)) + chunk(b"IEND", b""))


class Versions(unittest.TestCase):
    def setUp(self):
        self.work = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.work)
        self.programs = Path(os.environ["MORTISE_PROGRAMS"])
        os.environ["MORTISE_HOME"] = str(self.work / "home")
        os.environ.pop("MORTISE_URL", None)
        self.hub = DatasetHub(Server(programs=self.programs))
        self.addCleanup(self.mortise, "down")
        self.first = self.folder("first", [(f"images/{n}.png", n) for n in range(3)])
        self.hub.upload("films", self.first, task_type="vqa",
                        labels={"year": 2024, "language": "zh"}, description="胸部X光片")

    def folder(self, name, pictures):
        folder = self.work / name
        (folder / "images").mkdir(parents=True)
        rows = []
        for picture, grey in pictures:
            (folder / picture).write_bytes(png(grey))
            rows.append({"image": picture, "query": f"What is {picture}?", "response": f"{grey}"})
        (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        return folder

    def mortise(self, *words):
        done = subprocess.run([self.programs / "mortise", *map(str, words)], capture_output=True,
                              text=True, check=False)
        return done.returncode, done.stdout

    def test_changes_make_versions_and_are_told(self):
        hub = self.hub
        self.assertEqual(hub.append("films", self.folder("more", [("images/9.png", 9)])), "films@2")
        ids = hub.row_ids("films@2")
        self.assertEqual(hub.row_ids("films@1"), ids[:3], "a row keeps its id")
        reference = hub.edit("films", [
            {"id": ids[1], "patch": [{"op": "replace", "path": "/output", "value": "x"}]}])
        self.assertEqual(reference, "films@3")
        reference, seen = hub.delete_rows("films", [ids[0]])
        self.assertEqual(reference, "films@4")
        self.assertEqual([held["reference"] for held in seen[0]["versions"]],
                         ["films@3", "films@2", "films@1"])

        told = list(hub.diff("films@1", "films@4"))
        self.assertEqual([one["kind"] for one in told],
                         ["row_removed", "row_changed", "row_added", "medium_removed",
                          "medium_added", "summary"])
        self.assertEqual(told[1]["fields"], [{"field": "/output", "from": "1", "to": "x"}])
        self.assertEqual(told[3]["name"], "images/0.png")
        self.assertEqual([one["reference"] for one in hub.lineage("films@4")["parents"]],
                         ["films@3", "films@2", "films@1"])
        self.assertEqual(len(hub.rows("films")), 3)
        self.assertEqual(hub.rows("films@1")[0]["output"], "0", "an old version is as it was")

    def test_a_bad_edit_changes_nothing(self):
        ids = self.hub.row_ids("films")
        with self.assertRaises(MortiseError):
            self.hub.edit("films", [{"id": ids[0], "row": {"image_path": "images/0.png"}}])
        with self.assertRaises(MortiseError):
            self.hub.delete_rows("films", ["row:" + "0" * 32])
        with self.assertRaises(MortiseError):  # another picture under a name that rows use
            self.hub.append("films", self.folder("taken", [("images/0.png", 77)]))
        self.assertEqual(len(self.hub.versions("films")), 1)

    def test_a_change_of_what_is_not_the_newest_is_refused_unless_it_is_named(self):
        ids = self.hub.row_ids("films")
        self.hub.delete_rows("films", [ids[0]])
        reference, _ = self.hub.delete_rows("films@1", [ids[1]])
        self.assertEqual(reference, "films@3", "a branch that was asked for")

    def test_what_went_in_comes_out_byte_for_byte(self):
        code, _ = self.mortise("dataset", "export", "films@1", "--out", self.work / "out")
        self.assertEqual(code, 0)
        sent = {str(p.relative_to(self.first)): p.read_bytes()
                for p in self.first.rglob("*") if p.is_file()}
        got = {str(p.relative_to(self.work / "out")): p.read_bytes()
               for p in (self.work / "out").rglob("*") if p.is_file()}
        self.assertEqual(got, sent)
        for form, name in (("parquet", "data.parquet"), ("webdataset", "data.tar"),
                           ("hdf5", "data.h5")):
            folder = self.work / form
            code, _ = self.mortise("dataset", "export", "films", "--out", folder, "--format", form)
            self.assertEqual(code, 0, form)
            self.assertEqual([p.name for p in folder.iterdir()], [name])
            code, report = self.mortise("dataset", "check", folder, "--task-type", "vqa", "--json")
            self.assertEqual((code, json.loads(report)["rows_count"],
                              json.loads(report)["media_count"]), (0, 3, 3), form)
        self.assertEqual(self.mortise("dataset", "export", "films", "--out", self.work / "x",
                                      "--format", "docx")[0], 1)

    def test_a_search_of_all_rows_is_a_job_whose_words_stay_sealed(self):
        rows = self.hub.rows("films")
        wanted = rows[1]["output"]
        where = f"output={wanted}"
        matching = [(number, row) for number, row in enumerate(rows, 1) if row["output"] == wanted]

        found, has_more = self.hub.search_rows("films", where=[where])
        self.assertEqual([(one["row_number"], one["row"]) for one in found], matching)
        self.assertEqual([one["id"] for one in found],
                         [self.hub.row_ids("films")[number - 1] for number, _ in matching])
        self.assertFalse(has_more)
        found, has_more = self.hub.search_rows("films", where=["nothing!=here"], limit=2)
        self.assertEqual(([one["row"] for one in found], has_more), (rows[:2], True))
        self.assertEqual(self.hub.search_rows("films", grep="is in no row"), ([], False))
        code, text = self.mortise("dataset", "rows", "films", "--where", where, "--all")
        self.assertEqual([json.loads(line) for line in text.splitlines()],
                         [row for _, row in matching])
        code, text = self.mortise("dataset", "rows", "films", "--where", where, "--all", "--ids")
        self.assertEqual([json.loads(line)["row"] for line in text.splitlines()],
                         [row for _, row in matching])
        done = subprocess.run([self.programs / "mortise", "dataset", "rows", "films", "--where",
                               "nothing!=here", "--all", "--limit", "1"], capture_output=True,
                              text=True, check=True)
        self.assertEqual(json.loads(done.stdout), rows[0])
        self.assertIn("more than 1 rows match; --limit N shows more", done.stderr)
        self.assertEqual(self.mortise("dataset", "rows", "films", "--where", "n>cat", "--all")[0],
                         1)
        self.assertEqual(self.mortise("dataset", "withdraw", "films@1")[0], 0)
        with self.assertRaises(MortiseError):
            self.hub.search_rows("films@1", grep="a")

    def test_states_tags_words_and_certificates(self):
        self.hub.append("films", self.folder("more", [("images/9.png", 9)]))
        self.hub.tag("films@1", "stable")
        self.assertEqual(self.hub.show("films@stable")["reference"], "films@1")
        self.assertEqual(self.mortise("dataset", "withdraw", "films@2")[0], 0)
        self.assertEqual(self.hub.show("films")["newest_version"], 1)
        self.assertEqual(self.mortise("dataset", "restore", "films@2")[0], 0)
        names = [one["name"] for one in self.hub.list("光片", labels=["year>=2020", "language=zh"])]
        self.assertEqual(names, ["films"])
        self.assertEqual(self.hub.list("光片", labels=["year<2020"]), [])
        self.assertEqual(self.hub.facets("光片")["labels"], [
            {"name": "language", "kind": "text", "count": 1,
             "values": [{"value": "zh", "count": 1}], "has_more": False},
            {"name": "year", "kind": "number", "count": 1, "min": 2024, "max": 2024}])
        code, text = self.mortise("dataset", "search", "光片", "--facets")
        self.assertIn("\nfound: 1\ntask_type: vqa 1\nlanguage: zh 1\n", text)
        code, text = self.mortise("dataset", "search", "光片", "--facets", "--json")
        self.assertEqual((code, json.loads(text)["facets"]["count"]), (0, 1))
        sides = [self.hub.rows("films", split=side, ratio=0.5) for side in ("train", "held_out")]
        self.assertEqual(len(sides[0]) + len(sides[1]), 4)
        for side, name in zip(sides, ("train", "held_out")):  # none changed sides with the append
            for row in self.hub.rows("films@1", split=name, ratio=0.5):
                self.assertIn(row, side)
        code, text = self.mortise("store", "shred", "films", "--json")
        self.assertEqual(code, 0)
        certificate = json.loads(text)
        self.assertEqual(self.hub.show("films")["shredded"], [certificate])
        self.assertEqual(len(certificate["versions"]), 2)


if __name__ == "__main__":
    unittest.main()
