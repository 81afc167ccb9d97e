"""`mortise tokenizer`, `template`, `metric` and `media` on the fixtures: ids, texts, scores and pixels
are those of the references, through the program that users run.
"""

import collections
import json
import math
import unittest

import tensors
from faces import FIXTURES, GOLDENS, FaceTest, read_json, write_lines


class TokenizerEncode(FaceTest):
    def check_vectors(self, tokenizer, name, *options):
        vectors = FIXTURES / "tokenizers/vectors/llama.cpp" / f"ggml-vocab-{name}.gguf"
        text = vectors.with_name(vectors.name + ".inp").read_bytes().decode("utf-8")
        texts = text.split("\n__ggml_vocab_test__\n")[:-1]
        lines = vectors.with_name(vectors.name + ".out").read_text(encoding="utf-8").split("\n")
        self.assertGreaterEqual(len(texts), 40)

        got = self.lines("tokenizer", "encode", "--tokenizer", FIXTURES / "tokenizers" / tokenizer,
                         *options, given=texts)

        self.assertEqual(len(got), len(texts))
        for given, ids, line in zip(texts, got, lines):
            self.assertEqual(ids, [int(word) for word in line.split()], repr(given))
        back = self.lines("tokenizer", "decode", "--tokenizer",
                          FIXTURES / "tokenizers" / tokenizer, *options, given=got)
        self.assertEqual([given.strip() for given in back], [given.strip() for given in texts])

    def test_qwen2_gives_the_ids_of_llama_cpp_and_the_texts_come_back(self):
        self.check_vectors("qwen2", "qwen2")

    def test_gpt2_gives_the_ids_of_llama_cpp_and_the_texts_come_back(self):
        self.check_vectors("gpt2", "gpt-2", "--pattern", "gpt2")

    def test_phi3_gives_the_ids_of_llama_cpp_and_the_texts_come_back(self):
        self.check_vectors("phi-3-mini", "phi-3")

    def test_a_line_that_is_no_text_is_refused(self):
        told = self.mortise("tokenizer", "encode", "--tokenizer", FIXTURES / "tokenizers/qwen2",
                            given='{"text": "x"}\n', code=1)
        self.assertIn("JSON string", told)


class TemplateRender(FaceTest):
    def template_file(self, row):
        text = (FIXTURES / row["template"]).read_bytes().decode("utf-8")
        if row["key"]:
            text = json.loads(text)[row["key"]]
        if row["transform"] == "flatten":
            text = text.replace("\r", "").replace("    ", "").replace("\n", "")
        path = self.folder / "template.jinja"
        path.write_bytes(text.encode("utf-8"))
        return path

    @staticmethod
    def request(row):
        kwargs = dict(row["kwargs"])
        made = {"messages": row["messages"], "add_generation_prompt": row["add_generation_prompt"],
                "continue_final_message": kwargs.pop("continue_final_message", False),
                "variables": {**row["special_tokens"], **kwargs}}
        if row["tools"] is not None:
            made["tools"] = row["tools"]
        if row["now"]:
            made["now"] = row["now"]
        return made

    def test_every_case_gives_the_text_of_transformers_or_an_error(self):
        text = (GOLDENS / "chat-templates/cases.jsonl").read_text(encoding="utf-8")
        groups = collections.defaultdict(list)
        for row in map(json.loads, text.splitlines()):
            groups[row["template"], row["key"], row["transform"]].append(row)
        self.assertGreaterEqual(len(groups), 20)
        for (name, _, _), rows in groups.items():
            with self.subTest(name):
                got = self.lines("template", "render", "--template", self.template_file(rows[0]),
                                 given=map(self.request, rows))
                self.assertEqual(len(got), len(rows))
                for row, answer in zip(rows, got):
                    if "expected_error" in row:
                        self.assertIn("error", answer, row["id"])
                    else:
                        self.assertEqual(answer.get("text"), row["expected"],
                                         f"{row['id']} {answer}")


class MetricScore(FaceTest):
    def captions(self):
        """1000 captions, each with its references, as two files."""
        wanted = read_json(FIXTURES / "metrics/coco-fakecap/gts.json")
        given = read_json(FIXTURES / "metrics/coco-fakecap/res.json")
        self.assertEqual(len(given), 1000)
        paths = self.folder / "predictions.jsonl", self.folder / "references.jsonl"
        write_lines(paths[0], ({"text": texts[0]} for texts in given.values()))
        write_lines(paths[1], ({"texts": wanted[name]} for name in given))
        return paths

    def score(self, metric, config, predictions, references):
        answer = json.loads(self.mortise(
            "metric", "score", "--metric", metric, "--config", json.dumps(config),
            "--predictions", predictions, "--references", references, "--json"))
        return {row["name"]: row["value"] for row in answer["rows"]}

    def test_bleu_of_captions_is_that_of_coco_caption(self):
        expected = read_json(FIXTURES / "metrics/coco-fakecap/expected.json")
        rows = self.score("mortise.metric_bleu", {"tokenize": "none", "smooth_method": "none"},
                          *self.captions())
        for order in range(1, 5):
            self.assertAlmostEqual(rows[f"bleu{order}"] / 100, expected[f"Bleu_{order}"],
                                   delta=1e-6)

    def test_rouge_of_captions_is_that_of_coco_caption(self):
        expected = read_json(FIXTURES / "metrics/coco-fakecap/expected.json")
        rows = self.score("mortise.metric_rouge",
                          {"rouge_types": ["rougeL"], "tokenizer": "none", "beta": 1.2,
                           "references": "best_each"}, *self.captions())
        self.assertAlmostEqual(rows["rougeL_f"], expected["ROUGE_L"], delta=1e-6)

    def test_corpus_bleu_of_both_languages_is_that_of_sacrebleu(self):
        for language in ("en", "zh"):
            pairs = read_json(GOLDENS / f"metrics/pairs.{language}.json")
            goldens = read_json(GOLDENS / f"metrics/sacrebleu.{language}.json")["corpus_bleu"]
            golden = next(item for item in goldens if item["tokenize"] == ("zh" if language == "zh"
                                                                           else "13a"))
            predictions, references = self.folder / "p.jsonl", self.folder / "r.jsonl"
            write_lines(predictions, ({"text": pair["hyp"]} for pair in pairs))
            write_lines(references, ({"texts": pair["refs"][:golden["refs"]]} for pair in pairs))
            config = {key: golden[key] for key in ("tokenize", "smooth_method", "smooth_value",
                                                   "lowercase", "effective_order")
                      if golden.get(key) is not None}
            rows = self.score("mortise.metric_bleu", config, predictions, references)
            self.assertAlmostEqual(rows["bleu"], golden["score"], delta=1e-9)

    def test_files_of_different_length_are_refused_with_both_counts(self):
        predictions, references = self.captions()
        write_lines(predictions, [{"text": "one"}])
        told = self.mortise("metric", "score", "--metric", "mortise.metric_bleu", "--predictions",
                            predictions, "--references", references, code=1)
        self.assertIn("1 predictions and 1000 references", told)


class MediaPreprocess(FaceTest):
    KINDS = {"clip": "CLIPImageProcessor", "siglip": "SiglipImageProcessor",
             "qwen2_vl": "Qwen2VLImageProcessor"}

    def check(self, processor, least):
        folder = GOLDENS / "image-preprocessing"
        stored = tensors.read(folder / "tensors.safetensors")
        rows = [row for row in read_json(folder / "case.json")["rows"]
                if row["processor"] == processor and row["pixel_values"]]
        self.assertGreaterEqual(len(rows), least)
        for row in rows:
            with self.subTest(row["pixel_values"]):
                (self.folder / "preprocessor_config.json").write_text(json.dumps(
                    {"image_processor_type": self.KINDS[processor], **(row["options"] or {})}))
                out = self.folder / "out.safetensors"
                self.mortise("media", "preprocess", "--model", self.folder, "--image",
                             folder / row["image"], "--out", out)
                self.compare(tensors.read(out), row, stored[row["pixel_values"]])

    def compare(self, out, row, want):
        got = out["pixel_values"]
        if "grid_thw" in row:
            self.assertEqual(list(out["image_grid_thw"].values), row["grid_thw"])
        elif len(want.shape) == 3:  # [C, H, W]; of the larger ones each 7th row is stored
            self.assertEqual(got.shape[0], 1)
            got = got.part(0)
            if got.shape != want.shape:
                kept = [line for channel in range(got.shape[0])
                        for line in got.part(channel).rows()[::7]]
                got = tensors.Tensor(got.kind, want.shape,
                                     [value for line in kept for value in line])
        self.assertEqual(math.prod(got.shape), len(want.values))
        got.shape = want.shape
        self.assertLessEqual(tensors.worst_ratio(got, want, {"atol": 1e-5}), 1.0)

    def test_clip_pixels_are_those_of_its_processor(self):
        self.check("clip", 6)

    def test_siglip_pixels_are_those_of_its_processor(self):
        self.check("siglip", 6)

    def test_qwen2_vl_patches_and_grids_are_those_of_its_processor(self):
        self.check("qwen2_vl", 5)

    def test_images_that_come_out_in_two_sizes_are_refused(self):
        (self.folder / "preprocessor_config.json").write_text(json.dumps(
            {"image_processor_type": "CLIPImageProcessor", "do_center_crop": False,
             "size": {"shortest_edge": 42}}))
        folder = GOLDENS / "image-preprocessing"
        told = self.mortise("media", "preprocess", "--model", self.folder, "--image",
                            folder / "tiny_9x5.png", "--image", folder / "gray_50x120.png",
                            "--out", self.folder / "out.safetensors", code=1)
        self.assertIn("two sizes", told)

    def test_a_broken_image_is_named(self):
        (self.folder / "preprocessor_config.json").write_text('{"size": {"shortest_edge": 42}}')
        image = self.folder / "broken.png"
        image.write_bytes((GOLDENS / "image-preprocessing/tiny_9x5.png").read_bytes()[:60])
        told = self.mortise("media", "preprocess", "--model", self.folder, "--image", image,
                            "--out", self.folder / "out.safetensors", code=1)
        self.assertIn("broken.png", told)

    def log_mel(self, processor):
        (self.folder / "preprocessor_config.json").write_text(json.dumps(
            {"feature_extractor_type": "WhisperFeatureExtractor", **processor}))
        out = self.folder / "out.safetensors"
        self.mortise("media", "preprocess", "--model", self.folder, "--audio",
                     GOLDENS / "audio-logmel/chirp.wav", "--out", out)
        return tensors.read(out)

    def test_log_mel_features_and_masks_are_those_of_whispers_extractor(self):
        stored = tensors.read(GOLDENS / "audio-logmel/tensors.safetensors")
        for bins, frames in ((80, 400), (128, 200)):
            padded = self.log_mel({"feature_size": bins, "processor_class": "Qwen2AudioProcessor"})
            self.assertEqual(padded["input_features"].shape, [1, bins, 3000])
            lines = [line[:frames] for line in padded["input_features"].rows()]
            got = tensors.Tensor("F32", [bins, frames], [x for line in lines for x in line])
            want = stored[f"mel{bins}.padded_30s_first_{frames}"]
            self.assertLessEqual(tensors.worst_ratio(got, want, {"atol": 1e-4}), 1.0)
            self.assertEqual(list(padded["feature_attention_mask"].values),
                             list(stored[f"mel{bins}.attention_mask_30s"].values))
            bare = self.log_mel({"feature_size": bins, "padding": "longest"})
            got, want = bare["input_features"].part(0), stored[f"mel{bins}.longest"]
            self.assertLessEqual(tensors.worst_ratio(got, want, {"atol": 1e-4}), 1.0)
            self.assertEqual(list(bare["attention_mask"].values),
                             list(stored[f"mel{bins}.longest_mask"].values))

    def test_sound_over_the_limit_empty_or_broken_is_named(self):
        (self.folder / "preprocessor_config.json").write_text('{"chunk_length": 1}')
        chirp = (GOLDENS / "audio-logmel/chirp.wav").read_bytes()
        empty = b"RIFF" + (36).to_bytes(4, "little") + chirp[8:40] + bytes(4)
        cases = (("long.wav", chirp, 7, "1.30 seconds; at most 1 are read"),
                 ("cut.wav", chirp[:900], 1, "damaged"),
                 ("text.wav", b"no sound", 1, "no sound that is read here"),
                 ("empty.wav", empty, 1, "The sound has no samples"))
        for name, content, code, why in cases:
            (self.folder / name).write_bytes(content)
            told = self.mortise("media", "preprocess", "--model", self.folder, "--audio",
                                self.folder / name, "--out", self.folder / "out", code=code)
            self.assertIn(why, told)
            self.assertIn(name, told)
            self.assertFalse((self.folder / "out").exists())


if __name__ == "__main__":
    unittest.main()
