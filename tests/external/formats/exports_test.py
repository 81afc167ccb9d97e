"""What Mortise writes is what others read: a data set of text and images out of a mortised of its
own as Parquet, WebDataset and HDF5, read with pyarrow, the webdataset package and h5py; and what
Mortise reads of other people's Parquet files is what pyarrow reads.

    exports_test.py DEPS
The packages come from PyPI into the folder DEPS/exports-python once; without them the test is
skipped. MORTISE_PROGRAMS names the folder of the programs, MORTISE_FIXTURES that of the files.
"""

import base64
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

WANTED = ("pyarrow==26.0.1", "webdataset==1.0.2", "h5py==3.16.0")
PARQUET = Path(os.environ.get("MORTISE_FIXTURES", "/nonexistent")) / "parquet/data"
PICTURES = 12


def png(grey):
    def chunk(kind, data):
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 4, 8, 0, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress((b"\0" + bytes([grey]) * 4) * 4)) + chunk(b"IEND", b""))


NAMES = [f"images/胸片 {n}.png" for n in range(PICTURES)]
MEDIA = {name: png(n) for n, name in enumerate(NAMES)}
MORE = [{"age": 61, "patient": "李"}, {"score": 0.25, "sure": True}, {"age": -(2 ** 53)},
        {"boxes": [[1, 2], [3, 4]], "seen": {"by": "Dr. \"X\"", "at": None, "on": {"day": 1e300}}}]
# The column of media is a name, or a list of them; a row may lack any other.
ROWS = [{"image_path": name, "question": f"What\tis\n{n}?", "output": f"结节 🙂 {n}"} | MORE[n % 4]
        for n, name in enumerate(NAMES)]
ROWS += [{"images": NAMES[n:n + 3], "question": "All?", "output": f"{n}"} for n in range(0, 9, 4)]


def with_media(row):
    """(the row without its column of media, the bytes of each of its media)"""
    names = row["images"] if "images" in row else [row["image_path"]]
    return ({key: value for key, value in row.items() if key not in ("images", "image_path")},
            [MEDIA[name] for name in names])


class MortiseTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.work = Path(tempfile.mkdtemp(prefix="mortise_exports_"))
        cls.addClassCleanup(shutil.rmtree, cls.work)
        cls.mortise("up")
        cls.addClassCleanup(cls.mortise, "down")

    @classmethod
    def mortise(cls, *words):
        environment = dict(os.environ, MORTISE_HOME=str(cls.work / "home"))
        environment.pop("MORTISE_URL", None)
        done = subprocess.run([Path(os.environ["MORTISE_PROGRAMS"]) / "mortise", *map(str, words)],
                              capture_output=True, text=True, check=False, env=environment,
                              timeout=120)
        assert done.returncode == 0, (words, done.stdout[-2000:], done.stderr[-2000:])
        return done.stdout

    def need_parquet(self):
        if "format_parquet" not in self.mortise("plugin", "list"):
            self.skipTest("this build has no format_parquet")

    def rows_of(self, name):
        return [json.loads(line) for line in
                self.mortise("dataset", "rows", name, "--all").splitlines()]


class Exports(MortiseTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = cls.work / "films"
        (folder / "images").mkdir(parents=True)
        for name, data in MEDIA.items():
            (folder / name).write_bytes(data)
        (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS), "utf-8")
        cls.mortise("dataset", "upload", "films", folder, "--task-type", "vqa")

    def export(self, form, name="films"):
        out = self.work / f"{name}.{form}"
        self.mortise("dataset", "export", name, "--out", out, "--format", form)
        [file] = out.iterdir()
        return file

    def test_parquet_of_members_that_come_late(self):
        """Parquet has one schema: a member of row 400 and one that changes its type are in it."""
        self.need_parquet()
        import pyarrow.parquet  # noqa: PLC0415
        rows = [{"text": f"text {n}"} for n in range(600)]
        rows[10]["mixed"], rows[500]["mixed"], rows[400]["late"] = 1, "one", 7
        file = self.work / "late.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
        self.mortise("dataset", "upload", "late", file, "--task-type", "pretrain")
        table = pyarrow.parquet.read_table(self.export("parquet", "late"))
        self.assertEqual(table.schema.field("late").type, pyarrow.int64())
        self.assertEqual(table.schema.metadata[b"mortise.json_columns"], b"mixed")
        found = [{key: json.loads(value) if key == "mixed" else value
                  for key, value in row.items() if value is not None} for row in table.to_pylist()]
        self.assertEqual(found, rows)

    def test_parquet_by_pyarrow(self):
        self.need_parquet()
        import pyarrow.parquet  # noqa: PLC0415
        table = pyarrow.parquet.read_table(self.export("parquet"))
        in_json = table.schema.metadata[b"mortise.json_columns"].decode().split("\n")
        self.assertEqual(in_json, ["boxes", "seen"])
        medium = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
        self.assertEqual(table.schema.field("image_path").type, medium, "as datasets.Image has it")
        found, media = [], {}
        for row in table.to_pylist():
            row = {key: json.loads(value) if key in in_json else value
                   for key, value in row.items() if value is not None}
            for name in ("image_path", "images"):
                if name in row:
                    held = row[name] if name == "images" else [row[name]]
                    media |= {one["path"]: one["bytes"] for one in held}
                    paths = [one["path"] for one in held]
                    row[name] = paths if name == "images" else paths[0]
            found.append(row)
        self.assertEqual(found, ROWS)
        self.assertEqual(media, MEDIA)

    def test_webdataset_by_its_package(self):
        import webdataset  # noqa: PLC0415
        file = self.export("webdataset")
        samples = list(webdataset.WebDataset(str(file), shardshuffle=False))
        self.assertEqual(len(samples), len(ROWS))
        self.assertEqual(len({sample["__key__"] for sample in samples}), len(ROWS))
        for sample, row in zip(samples, ROWS):
            pictures = [sample[key] for key in sorted(sample) if key.endswith("png")]
            self.assertEqual((json.loads(sample["json"]), pictures), with_media(row))

    def test_hdf5_by_h5py(self):
        import h5py  # noqa: PLC0415
        with h5py.File(self.export("hdf5")) as file:
            self.assertEqual(file.attrs["mortise.rows"], 1)
            rows = [json.loads(text) for text in file["rows"].asstr()]
            self.assertEqual(sorted(file["media"]), ["image_path", "images"])
            for column, group in file["media"].items():
                self.assertEqual((group.attrs["kind"], group.attrs["is_list"]),
                                 (0, column == "images"))
                names, first = list(group["names"].asstr()), group["first"][:]
                data, offsets = group["bytes"][:], group["offsets"][:]
                for k, name in enumerate(names):
                    self.assertEqual(data[offsets[k]:offsets[k + 1]].tobytes(), MEDIA[name])
                for row, begin, end in zip(rows, first, first[1:]):
                    if begin < end:
                        row[column] = names[begin:end] if column == "images" else names[begin]
        self.assertEqual(rows, ROWS)


class OthersFiles(MortiseTest):
    """Of columns that no task wants; a text column beside them makes them rows of one."""

    def setUp(self):
        if not PARQUET.is_dir():
            self.skipTest("MORTISE_FIXTURES is not set, so the files are absent")
        self.need_parquet()

    @staticmethod
    def plain(column):
        """A column as rows have it: moments as text, bytes as base64, a float in its own digits, a
        map with texts as keys an object."""
        import pyarrow as pa  # noqa: PLC0415
        if pa.types.is_timestamp(column.type):
            return column.cast(pa.string()).to_pylist()
        if pa.types.is_float32(column.type):
            return [float(text) for text in column.cast(pa.string()).to_pylist()]
        if pa.types.is_binary(column.type):
            return [base64.b64encode(value).decode() for value in column.to_pylist()]
        values = json.loads(json.dumps(column.to_pylist()))  # pairs of a map as lists
        is_object = pa.types.is_map(column.type) and pa.types.is_string(column.type.key_type)
        return [dict(value) for value in values] if is_object else values

    def expected(self, table):
        columns = {name: self.plain(table[name]) for name in table.column_names}
        return [dict(zip(columns, values)) for values in zip(*columns.values())]

    def test_as_they_are(self):
        import pyarrow.parquet  # noqa: PLC0415
        for name, count in (("alltypes_plain", 8), ("alltypes_plain.snappy", 2)):
            with self.subTest(name):
                file = PARQUET / f"{name}.parquet"
                self.mortise("dataset", "upload", name.replace(".", "-"), file, "--task-type",
                             "pretrain", "--map", "text=string_col")
                wanted = self.expected(pyarrow.parquet.read_table(file))
                for row in wanted:
                    row["text"] = row.pop("string_col")
                self.assertEqual(len(wanted), count)
                self.assertEqual(self.rows_of(name.replace(".", "-")), wanted)

    def test_lists_and_maps_beside_a_text(self):
        import pyarrow as pa  # noqa: PLC0415
        import pyarrow.parquet  # noqa: PLC0415
        for name, count in (("list_columns", 3), ("nested_maps.snappy", 6)):
            with self.subTest(name):
                table = pa.parquet.read_table(PARQUET / f"{name}.parquet")
                texts = pa.array([f"row {n}" for n in range(table.num_rows)])
                table = table.append_column("text", texts)
                file = self.work / f"{name}.parquet"
                pa.parquet.write_table(table, file)
                self.mortise("dataset", "upload", name.replace(".", "-"), file, "--task-type",
                             "pretrain")
                wanted = self.expected(table)
                self.assertEqual(len(wanted), count)
                self.assertEqual(self.rows_of(name.replace(".", "-")), wanted)


def can_read(folder):
    names = ", ".join(wanted.partition("==")[0] for wanted in WANTED)
    return subprocess.run([sys.executable, "-c", f"import {names}"], check=False,
                          env=dict(os.environ, PYTHONPATH=str(folder)),
                          capture_output=True).returncode == 0


if __name__ == "__main__":
    packages = Path(sys.argv.pop(1)).resolve() / "exports-python"
    if not can_read(packages):
        subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--target", str(packages),
                        *WANTED], check=False, timeout=300)
    if not can_read(packages):
        print("SKIPPED: pyarrow, webdataset and h5py cannot be fetched")
        sys.exit(0)
    sys.path.insert(0, str(packages))
    unittest.main(warnings="ignore")  # the webdataset package leaves its file to be closed
