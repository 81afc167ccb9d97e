"""`mortise model forward` and `mortise model generate` on the goldens: the program that users run
computes what transformers and PEFT computed, gradients included.
"""

import json
import unittest

import tensors
from faces import FIXTURES, GOLDENS, FaceTest, read_json


class Golden:
    """One folder of the goldens."""

    def __init__(self, name):
        self.folder = GOLDENS / name
        self.tolerance = read_json(self.folder / "case.json")["tolerance"]
        self.tensors = tensors.read(self.folder / "tensors.safetensors")

    def inputs(self):
        return {name[3:]: tensor for name, tensor in self.tensors.items()
                if name.startswith("in.")}

    def below(self, prefix):
        return {name: tensor for name, tensor in self.tensors.items() if name.startswith(prefix)}


class ForwardTest(FaceTest):
    def forward(self, model, inputs, *options):
        """The tensors that `mortise model forward` wrote."""
        tensors.write(self.folder / "in.safetensors", inputs)
        self.mortise("model", "forward", "--model", model, *options, "--input",
                     self.folder / "in.safetensors", "--out", self.folder / "out.safetensors")
        return tensors.read(self.folder / "out.safetensors")

    def assert_close(self, out, name, want, tolerance, mask=None):
        self.assertIn(name, out)
        worst = tensors.worst_ratio(out[name], want, tolerance, mask)
        self.assertLessEqual(worst, 1.0, f"{name} is off by more than {tolerance}")

    def assert_gradients(self, out, golden, least):
        wanted = golden.below("grad.")
        for name, want in wanted.items():
            self.assert_close(out, name, want, golden.tolerance["grad"])
        self.assertEqual({name for name in out if name.startswith("grad.")}, set(wanted))
        self.assertGreaterEqual(len(wanted), least)


class ModelForward(ForwardTest):
    def check_decoder(self, name):
        golden = Golden(name)
        inputs, tolerance = golden.inputs(), golden.tolerance
        mask = inputs["attention_mask"]

        out = self.forward(golden.folder / "model", inputs, "--grad")

        self.assert_close(out, "logits", golden.tensors["out.logits"], tolerance["out.logits"],
                          mask)
        self.assert_close(out, "loss", golden.tensors["out.loss"], tolerance["out.loss"])
        states = golden.below("out.hidden.")
        self.assertGreaterEqual(len(states), 3)
        for key, want in states.items():
            self.assert_close(out, "hidden_states." + key[len("out.hidden."):], want,
                              tolerance["out.hidden"], mask)
        if "out.image_features" in golden.tensors:
            self.assert_close(out, "image_features", golden.tensors["out.image_features"],
                              tolerance["out.vision"])
        self.assert_gradients(out, golden, 20)

    def test_llama_matches_transformers(self):
        self.check_decoder("llama-1")

    def test_llama_with_scaled_rotation_and_two_shards_matches_transformers(self):
        self.check_decoder("llama-2")

    def test_qwen2_matches_transformers(self):
        self.check_decoder("qwen2-1")

    def test_qwen3_matches_transformers(self):
        self.check_decoder("qwen3-1")

    def test_llava_matches_transformers(self):
        self.check_decoder("llava-1")

    def test_float32_on_a_bf16_checkpoint_matches_the_float32_reference(self):
        for name in ("llama-3-bf16", "qwen3-2"):
            golden = Golden(name)
            inputs = golden.inputs()
            out = self.forward(golden.folder / "model", inputs, "--dtype", "float32")
            self.assert_close(out, "logits", golden.tensors["out.logits_fp32"],
                              {"atol": 1e-4, "rtol": 1e-4}, inputs["attention_mask"])
            self.assert_close(out, "loss", golden.tensors["out.loss_fp32"], {"atol": 1e-5})

    def test_a_bf16_checkpoint_computes_in_bf16_within_twice_the_stated_distance(self):
        for name in ("llama-3-bf16", "qwen3-2"):
            golden = Golden(name)
            inputs = golden.inputs()
            stated = read_json(golden.folder / "case.json")["bf16_vs_fp32"]
            out = self.forward(golden.folder / "model", inputs)
            self.assert_close(out, "logits", golden.tensors["out.logits_fp32"],
                              {"atol": 2 * stated["logits_max"]}, inputs["attention_mask"])

    def test_packed_rows_give_what_each_gives_alone(self):
        for name in ("llama-1", "qwen2-1", "qwen3-1"):
            golden = Golden(name)
            inputs = {key: golden.tensors["pack." + key]
                      for key in ("input_ids", "position_ids", "cu_seqlens")}
            out = self.forward(golden.folder / "model", inputs)["logits"]
            bounds = inputs["cu_seqlens"].values
            self.assertEqual(out.shape[0], bounds[-1])
            width = out.shape[1]
            for row, (begin, end) in enumerate(zip(bounds, bounds[1:])):
                alone = golden.tensors[f"pack.{row}.logits"]
                part = tensors.Tensor("F32", alone.shape, out.values[begin * width:end * width])
                self.assertLessEqual(
                    tensors.worst_ratio(part, alone, golden.tolerance["pack"]), 1.0,
                    f"{name} row {row}")

    def test_clip_matches_transformers_in_both_towers(self):
        golden = Golden("clip-1")

        out = self.forward(golden.folder / "model", golden.inputs(), "--grad")

        for name in ("image_embeds", "text_embeds", "logits_per_image", "logits_per_text"):
            self.assert_close(out, name, golden.tensors["out." + name],
                              golden.tolerance["out.logits"])
        self.assert_close(out, "loss", golden.tensors["out.loss"], golden.tolerance["out.loss"])
        for layer in range(3):
            self.assert_close(out, f"vision_hidden_states.{layer}",
                              golden.tensors[f"out.vision.hidden.{layer}"],
                              golden.tolerance["out.hidden"])
        self.assert_gradients(out, golden, 20)

    def test_qwen2_audio_matches_transformers(self):
        self.check_decoder("qwen2_audio-1")

    def test_whispers_encoder_matches_transformers(self):
        golden = Golden("whisper-1")

        out = self.forward(golden.folder / "model",
                           {"input_features": golden.tensors["in.input_features"]})

        tolerance = golden.tolerance["out.hidden"]
        self.assert_close(out, "last_hidden_state", golden.tensors["out.encoder"], tolerance)
        for layer in range(3):
            self.assert_close(out, f"hidden_states.{layer}",
                              golden.tensors[f"out.hidden.{layer}"], tolerance)

    def test_an_input_that_no_model_takes_is_named(self):
        golden = Golden("llama-1")
        tensors.write(self.folder / "in.safetensors",
                      {**golden.inputs(), "input_idz": golden.inputs()["input_ids"]})

        told = self.mortise("model", "forward", "--model", golden.folder / "model", "--input",
                            self.folder / "in.safetensors", "--out", self.folder / "out", code=1)

        self.assertIn("input_idz", told)
        self.assertFalse((self.folder / "out").exists())


VARIANTS = ("r8-all7", "r64-qv", "all-linear", "llm-r8", "rslora", "layers-1")


class AdapterForward(ForwardTest):
    def check_adapter(self, base, variant):
        parent, golden = Golden(base), Golden(f"{base}/lora-{variant}")
        inputs = golden.inputs() or parent.inputs()

        out = self.forward(parent.folder / "model", inputs, "--adapter",
                           golden.folder / "adapter", "--grad")

        if "out.logits" in golden.tensors:  # one variant states loss and gradients alone
            self.assert_close(out, "logits", golden.tensors["out.logits"],
                              golden.tolerance["logits"], inputs["attention_mask"])
        self.assert_close(out, "loss", golden.tensors["out.loss"], golden.tolerance["loss"])
        self.assert_gradients(out, golden, 4)

    def test_every_variant_matches_peft(self):
        for folder in sorted(GOLDENS.glob("l*-?/lora-*")) + sorted(GOLDENS.glob("qwen2-?/lora-*")):
            case = folder.parent.name, folder.name.removeprefix("lora-")
            if case[1] not in VARIANTS:
                continue
            with self.subTest(case):
                self.check_adapter(*case)

    def test_the_adapter_of_qwen2_audio_matches_peft(self):
        self.check_adapter("qwen2_audio-1", "llm-r8")

    def test_an_adapter_of_another_model_is_refused(self):
        golden = Golden("llama-1")
        tensors.write(self.folder / "in.safetensors", golden.inputs())

        told = self.mortise("model", "forward", "--model", golden.folder / "model", "--adapter",
                            GOLDENS / "llava-1/lora-llm-r8/adapter", "--input",
                            self.folder / "in.safetensors", "--out", self.folder / "out", code=1)

        self.assertIn("target_modules matches no module of the model", told)
        self.assertFalse((self.folder / "out").exists())


class ModelGenerate(FaceTest):
    def test_greedy_ids_and_the_five_likeliest_are_those_of_transformers(self):
        for name in ("llama-1", "llama-2", "qwen2-1", "qwen3-1", "mistral-1"):
            golden = Golden(name)
            want = list(golden.tensors["gen.ids"].values)
            answer = json.loads(self.mortise(
                "model", "generate", "--model", golden.folder / "model", "--ids",
                json.dumps(list(golden.tensors["gen.prompt_ids"].values)), "--max-new-tokens",
                len(want), "--logprobs", 5))
            self.assertEqual(answer["ids"], want, name)
            best = [token for step in answer["logprobs"] for token in step["top_logprobs"]]
            self.assertEqual([token["id"] for token in best],
                             list(golden.tensors["gen.top5_ids"].values), name)
            for token, logprob in zip(best, golden.tensors["gen.top5_logprobs"].values):
                self.assertAlmostEqual(token["logprob"], logprob, delta=1e-3, msg=name)

    def test_greedy_ids_of_stories_are_exact(self):
        model = FIXTURES / "weights/stories260K-hf"
        expected = read_json(model / "expected_greedy.json")
        prompt, ids = expected["prompt_ids"], expected["greedy_ids"]
        count = len(ids) - len(prompt)

        answer = json.loads(self.mortise(
            "model", "generate", "--model", model, "--ids", json.dumps(prompt),
            "--max-new-tokens", count, "--temperature", 0, "--logprobs", 1))

        self.assertGreaterEqual(count, 199)
        self.assertEqual(prompt + answer["ids"], ids)
        for index, (step, want) in enumerate(zip(answer["logprobs"],
                                                 expected["greedy_logprobs"])):
            self.assertAlmostEqual(step["logprob"], want, delta=1e-3, msg=f"token {index}")


if __name__ == "__main__":
    unittest.main()
