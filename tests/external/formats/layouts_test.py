"""Every row layout of the multimodal fixtures through `mortise dataset check`: it is read, mapped and
accepted, or refused for the reason that stands here. A file that stands in no list is a failure.
"""

import json
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

FIXTURES = Path(os.environ.get("MORTISE_FIXTURES", "/nonexistent")) / "multimodal"
FOLDERS = ("llamafactory", "ms-swift", "torchtune", "coco-mini", "audioset", "vqa-med-2019",
           "hf-datasets-media", "xray", "imagefolder-audiofolder", "dicom", "../csv", "../parquet",
           "../containers")
MEDIA = {".png", ".jpg", ".mp3", ".mp4", ".wav", ".flac", ".avi", ".opus", ".pcm", ".mov", ".pdf",
         ".gz"}

MESSAGES = "OpenAI and ms-swift messages, LLaMA-Factory v1, TRL, Axolotl"
QUERY = "ms-swift query and response"

# file: (task, rows, layout)
ACCEPTED = {
    "llamafactory/alpaca_zh_demo.json": ("sft", 1000, "Alpaca"),
    "llamafactory/dpo_zh_demo.json": ("preference", 300, "LLaMA-Factory ShareGPT preference"),
    "llamafactory/glaive_toolcall_zh_demo.json": ("sft", 300, "ShareGPT"),
    "llamafactory/identity.json": ("sft", 91, "Alpaca"),
    "llamafactory/v1_dpo_demo.jsonl": ("preference", 10, "LLaMA-Factory v1 preference"),
    "llamafactory/mllm_demo.json": ("sft", 6, MESSAGES),
    "ms-swift/alpaca.csv": ("sft", 3, "Alpaca"),
    "ms-swift/alpaca.jsonl": ("sft", 3, "Alpaca"),
    "ms-swift/alpaca2.csv": ("sft", 3, "Alpaca"),
    "ms-swift/chatml.jsonl": ("sft", 3, MESSAGES),
    "ms-swift/conversations.jsonl": ("sft", 3, "ShareGPT"),
    "ms-swift/sharegpt.jsonl": ("sft", 3, "ms-swift conversation of pairs"),
    "ms-swift/swift_multi.json": ("sft", 3, QUERY),
    "ms-swift/swift_multi.jsonl": ("sft", 3, QUERY),
    "ms-swift/swift_pre.csv": ("pretrain", 3, "ms-swift response alone"),
    "ms-swift/swift_pre.jsonl": ("pretrain", 3, "ms-swift response alone"),
    "ms-swift/swift_single.csv": ("sft", 3, QUERY),
    "ms-swift/swift_single.jsonl": ("sft", 3, QUERY),
    "torchtune/alpaca_tiny.json": ("sft", 100, "Alpaca"),
    "torchtune/chat_tiny.json": ("sft", 1, "ShareGPT"),
    "torchtune/hh_rlhf_tiny.json": ("preference", 1, "TRL preference, the prompt inside"),
    "torchtune/instruct_tiny.json": ("sft", 2, "Alpaca with response"),
    "torchtune/stack_exchange_paired_tiny.json": ("preference", 25, "StackExchange pairs"),
    "coco-mini/test_coco.json": ("grounding", 4, None),
}

# file: (task, layout); the rows are read and mapped, whether their sound or film is good is not
# asked here.
MAPPED = {
    "llamafactory/mllm_audio_demo.json": ("sft", MESSAGES),
    "llamafactory/mllm_video_audio_demo.json": ("sft", MESSAGES),
    "llamafactory/mllm_video_demo.json": ("sft", MESSAGES),
}

CSV, PARQUET, SHARDS = "../csv/csv-spectrum", "../parquet/data", "../containers/webdataset"
# file of no layout: (task, rows, options); a column is named with --map.
NAMED = {
    f"{PARQUET}/alltypes_plain.parquet": ("pretrain", 8, ("--map", "text=string_col")),
    f"{PARQUET}/alltypes_plain.snappy.parquet": ("pretrain", 2, ("--map", "text=string_col")),
    "imagefolder-audiofolder/audios/metadata.csv": ("asr", 2, ()),
    "imagefolder-audiofolder/images/metadata.csv": ("caption", 2, ()),
    "dicom/CT_small.dcm": ("classification", 1, ("--map", "label=Modality")),
    "dicom/MR_small.dcm": ("classification", 1, ("--map", "label=Modality")),
}
for _stem, _rows, _column in (
        ("comma_in_quotes", 1, "address"), ("empty", 2, "a"), ("empty_crlf", 2, "a"),
        ("escaped_quotes", 2, "b"), ("json", 1, "val"), ("location_coordinates", 1, "Cities"),
        ("newlines", 3, "b"), ("newlines_crlf", 3, "b"), ("quotes_and_newlines", 2, "b"),
        ("simple", 1, "b"), ("simple_crlf", 1, "b"), ("utf8", 2, "b")):
    for _name in (f"csvs/{_stem}.csv", f"json/{_stem}.json"):
        NAMED[f"{CSV}/{_name}"] = ("pretrain", _rows, ("--map", f"text={_column}"))
del NAMED[f"{CSV}/json/location_coordinates.json"]  # refused below

NO_HEADER = ("--format", "mortise.format_csv", "--format-config", '{"header": false}')

# file: (task, options, what the error says, why)
REFUSED = {
    "llamafactory/dataset_info.json": ("sft", (), '"messages" is missing', "a registry, no rows"),
    "llamafactory/wiki_demo.txt": ("pretrain", (), "No format takes", "plain text has no rows"),
    "llamafactory/v1_multimodal_demo.jsonl": (
        "sft", (), "which is not in the upload", "names its media from another folder"),
    "ms-swift/dataset_info.json": ("sft", (), '"messages" is missing', "a registry, no rows"),
    "ms-swift/multi_modal_1.jsonl": ("sft", (), "addresses are never fetched", "addresses are not fetched"),
    "ms-swift/multi_modal_2.jsonl": ("sft", (), "addresses are never fetched", "addresses are not fetched"),
    "ms-swift/multi_modal_3.jsonl": ("sft", (), "addresses are never fetched", "addresses are not fetched"),
    "torchtune/vqa_tiny.json": (
        "vqa", (), "which is not in the upload", "names its picture from another folder"),
    "audioset/eval_segments.csv": ("classification", (), '"text" is missing',
                                   "the clips are not there: a segment alone has nothing to hear"),
    "audioset/class_labels_indices.csv": ("classification", (), '"label" is missing',
                                          "names of labels, no rows"),
    f"{CSV}/json/location_coordinates.json": (
        "pretrain", (), "holds no list of objects", "one object, no list of rows"),
    f"{PARQUET}/list_columns.parquet": (
        "pretrain", ("--map", "text=utf8_list"), "This is of type array", "a column of lists, no text"),
    f"{PARQUET}/nested_maps.snappy.parquet": (
        "pretrain", ("--map", "text=a"), "This is of type object", "a column of maps, no text"),
    f"{SHARDS}/imagenet-extra.json": (
        "classification", (), "holds no list of objects", "numbers of shards, no rows"),
    f"{SHARDS}/imagenet-shards.json": (
        "classification", (), '"label" is missing', "sizes of shards, no rows"),
    f"{SHARDS}/compressed.tar": (
        "classification", ("--whole",), "compressed.tar row 1", "members of an unknown extension"),
    f"{SHARDS}/mpdata.tar": (
        "classification", ("--whole",), "mpdata.tar row 1", "members of an unknown extension"),
    f"{SHARDS}/sample.tgz": ("classification", (), "Unpack it", "an archive is not unpacked by a check"),
    "vqa-med-2019/VQAMed2019_Test_Questions.txt": (
        "vqa", (*NO_HEADER, "--map", "image_path=col1", "--map", "question=col2"),
        '"output" is missing', "questions without answers"),
    "vqa-med-2019/VQAMed2019_Test_Questions_w_Ref_Answers.txt": (
        "vqa", (*NO_HEADER, "--map", "image_path=col1", "--map", "question=col3",
                "--map", "output=col4"),
        "which is not in the upload", "the pictures are not there"),
}

# Folders as a whole: what `dataset check FOLDER` says.
REFUSED_FOLDERS = {
    "hf-datasets-media": "no file of rows",
    "xray": "no file of rows",
    "vqa-med-2019": "files that could be the rows",
    "ms-swift": "files that could be the rows",
    "dicom": '"question" is missing',  # its rows have pictures and tags
}


def is_row_file(path):
    return path.suffix not in MEDIA and not path.name.startswith(
        (".", "LICENSE", "README", "readme", "SOURCES"))


class Layouts(unittest.TestCase):
    maxDiff = 2000

    def setUp(self):
        if "MORTISE_FIXTURES" not in os.environ:
            self.skipTest("MORTISE_FIXTURES is not set, so the files are absent")
        home = tempfile.TemporaryDirectory(prefix="mortise_layouts_")
        self.addCleanup(home.cleanup)
        self.environment = {**os.environ, "MORTISE_HOME": home.name}

    def check(self, path, task, *options):
        words = [Path(os.environ["MORTISE_PROGRAMS"]) / "mortise", "dataset", "check",
                 FIXTURES / path, "--task-type", task, *options]
        return subprocess.run([str(word) for word in words], capture_output=True, text=True,
                              check=False, env=self.environment, timeout=120)

    def test_every_file_of_rows_is_in_a_list(self):
        found = {os.path.relpath(path, FIXTURES) for folder in FOLDERS
                 for path in (FIXTURES / folder).rglob("*") if path.is_file() and is_row_file(path)}

        self.assertEqual(found, {*ACCEPTED, *MAPPED, *NAMED, *REFUSED})

    def test_known_layouts_are_accepted(self):
        for path, (task, rows, layout) in ACCEPTED.items():
            with self.subTest(path):
                done = self.check(path, task)
                self.assertEqual(done.returncode, 0, done.stderr[-1000:])
                report = json.loads(done.stdout)
                self.assertEqual((report["rows_count"], report["bad_rows_count"]), (rows, 0))
                self.assertEqual((report["layout"] or {}).get("name"), layout)

    def test_rows_of_no_layout_are_accepted_when_their_column_is_named(self):
        for path, (task, rows, options) in NAMED.items():
            with self.subTest(path):
                done = self.check(path, task, *options)
                self.assertEqual(done.returncode, 0, done.stderr[-1000:])
                report = json.loads(done.stdout)
                self.assertEqual((report["rows_count"], report["bad_rows_count"]), (rows, 0))

    def test_a_folder_of_dicom_is_read_as_it_is(self):
        done = self.check("dicom", "classification", "--map", "label=Modality")
        self.assertEqual(done.returncode, 0, done.stderr[-1000:])
        report = json.loads(done.stdout)
        self.assertEqual((report["rows_count"], report["statistics"]["labels"]["labels"]),
                         (2, {"CT": 1, "MR": 1}))

    def test_class_folders_of_the_pictures_are_read_as_they_are(self):
        with tempfile.TemporaryDirectory() as folder:
            for at, split in ((1, "train"), (2, "test")):
                for label, source in (("green", "1.jpg"), ("toy", "2.jpg")):
                    place = Path(folder) / split / label
                    place.mkdir(parents=True)
                    picture = FIXTURES / "imagefolder-audiofolder/images" / source
                    (place / f"{at}.jpg").write_bytes(picture.read_bytes())
            for options in ((), ("--format", "mortise.format_mediafolder")):
                done = self.check(folder, "classification", *options)
                self.assertEqual(done.returncode, 0, done.stderr[-1000:])
                report = json.loads(done.stdout)
                self.assertEqual(report["statistics"]["labels"]["labels"], {"green": 2, "toy": 2})

    def test_layouts_of_sound_and_film_are_mapped(self):
        for path, (task, layout) in MAPPED.items():
            with self.subTest(path):
                report = json.loads(self.check(path, task).stdout)
                self.assertEqual(report["layout"]["name"], layout)
                self.assertEqual([code for code in report["codes"] if code.startswith("schema")], [])

    def test_the_others_are_refused_for_their_reason(self):
        for path, (task, options, words, _why) in REFUSED.items():
            with self.subTest(path):
                done = self.check(path, task, *options)
                self.assertNotEqual(done.returncode, 0)
                self.assertIn(words, done.stdout + done.stderr)

    def test_folders_without_one_clear_file_of_rows_are_refused(self):
        for folder, words in REFUSED_FOLDERS.items():
            with self.subTest(folder):
                done = self.check(folder, "vqa")
                self.assertNotEqual(done.returncode, 0)
                self.assertIn(words, done.stderr)

    def test_a_companion_is_no_candidate_and_files_of_one_set_are_read_in_order(self):
        done = self.check("audioset", "classification")
        self.assertEqual(json.loads(done.stdout)["rows_file"], "eval_segments.csv")
        done = self.check("ms-swift", "sft", "--rows", "swift_s*.jsonl", "--rows",
                          "swift_multi.jsonl")
        report = json.loads(done.stdout)
        self.assertEqual((done.returncode, report["rows_count"]), (0, 6), done.stderr[-1000:])
        self.assertEqual(report["rows_file"], "swift_single.jsonl, swift_multi.jsonl")


if __name__ == "__main__":
    unittest.main()
