"""Training jobs on rows of the task type `tokens`, submitted through the command line: loss, gradient
norm and rate of every step, and the weights at the end, are those of PEFT and of the Trainer.
"""

import json
import math
import shutil
import unittest

import tensors
from faces import GOLDENS, FaceTest, read_json, write_lines


class Trajectory(FaceTest):
    """A private server, the golden's model in it, its batches as a data set."""

    def setUp(self):
        super().setUp()
        self.mortise("up", "--json")
        self.addCleanup(self.mortise, "down")

    def import_model(self, name, folder, *options):
        made = json.loads(self.mortise("model", "import", name, folder, *options, "--json"))
        return made["reference"]

    def upload(self, ids, mask, labels, pixels=None, image_token=-1, tokens_per_image=1,
               sounds=None):
        """Batches [D, micro-batch, row, token] as rows in the order of training. sounds: tensors
        whose first axis is the rows."""
        folder = self.folder / "data"
        folder.mkdir()
        rows, image = [], 0
        for some, kept, wanted in zip(ids.rows(), mask.rows(), labels.rows()):
            row = {"input_ids": [x for x, keep in zip(some, kept) if keep],
                   "labels": [x for x, keep in zip(wanted, kept) if keep]}
            count = list(some).count(image_token) // tokens_per_image
            if count:
                name = f"pixels{image}.safetensors"
                step = math.prod(pixels.shape[1:])
                values = pixels.values[image * step:(image + count) * step]
                tensors.write(folder / name, {"pixel_values": tensors.Tensor(
                    pixels.kind, [count, *pixels.shape[1:]], values)})
                row["tensors"] = name
                image += count
            if sounds:
                row["tensors"] = f"sound{len(rows)}.safetensors"
                tensors.write(folder / row["tensors"], {
                    name: tensors.Tensor(sound.kind, [1, *sound.shape[1:]],
                                         sound.part(len(rows)).values)
                    for name, sound in sounds.items()})
            rows.append(row)
        write_lines(folder / "rows.jsonl", rows)
        self.mortise("dataset", "upload", "batches", folder, "--task-type", "tokens", "--json")
        shown = json.loads(self.mortise("dataset", "show", "batches", "--json"))
        self.assertEqual(shown["row_count"], len(rows))

    def train(self, stated, method, batch):
        """The finished job of the golden's own hyper-parameters, and its lines of metrics."""
        manifest = {
            "kind": "train", "name": "trained", "model": "golden", "dataset": "batches",
            "task": "tokens", "method": method, "holdout": {"ratio": 0.0},
            "train": {"max_steps": stated["steps"], "per_device_train_batch_size": batch,
                      "gradient_accumulation_steps": stated["gradient_accumulation_steps"],
                      "learning_rate": stated["lr"], "lr_scheduler_type": stated["schedule"],
                      "warmup_steps": stated["warmup_steps"],
                      "weight_decay": stated["weight_decay"],
                      "max_grad_norm": stated["max_grad_norm"], "shuffle": False,
                      "precision": "fp32", "freeze": []}}
        path = self.folder / "job.json"
        path.write_text(json.dumps(manifest))
        job = json.loads(self.mortise("job", "submit", path, "--wait", "--json"))
        metrics = json.loads(self.mortise("job", "metrics", job["id"], "--json"))["items"]
        return job, metrics

    def assert_follows(self, metrics, golden, prefix, loss, norm):
        wanted = [golden[prefix + name].values for name in ("loss", "grad_norm", "lr")]
        self.assertEqual([line["step"] for line in metrics], list(range(1, len(wanted[0]) + 1)))
        for line, at_loss, at_norm, rate in zip(metrics, *wanted):
            self.assertAlmostEqual(line["loss"], at_loss, delta=loss, msg=line)
            self.assertAlmostEqual(line["grad_norm"], at_norm, delta=norm * at_norm, msg=line)
            self.assertAlmostEqual(line["learning_rate"], rate, delta=1e-12, msg=line)

    def exported(self, form):
        folder = self.folder / "exported"
        self.mortise("model", "export", "trained", "--format", form, "--out", folder)
        return folder


SOUND_INPUTS = ("input_features", "feature_attention_mask")
VARIANTS = ("r8-all7", "r64-qv", "all-linear", "llm-r8", "rslora", "layers-1")


def lora_cases():
    """(model, variant) of every golden of the foundation's variants."""
    found = [(folder.parent.name, folder.name.removeprefix("lora-"))
             for base in ("llama", "qwen2", "llava", "qwen2_audio") for folder in GOLDENS.glob(f"{base}-?/lora-*")]
    return sorted(case for case in found if case[1] in VARIANTS)


class LoraJob(Trajectory):
    def check(self, base, variant):
        folder = GOLDENS / base / f"lora-{variant}"
        info = read_json(folder / "case.json")
        golden = tensors.read(folder / "tensors.safetensors")
        prefix, source = "traj.", golden
        if "traj.input_ids" not in golden:
            prefix, source = "in.", tensors.read(GOLDENS / base / "tensors.safetensors")
        self.import_model("golden", GOLDENS / base / "model")
        self.import_model("start", folder / "adapter", "--base", "golden")
        ids = source[prefix + "input_ids"]
        self.upload(ids, source[prefix + "attention_mask"], source[prefix + "labels"],
                    source.get(prefix + "pixel_values"), *image_of(GOLDENS / base / "model"),
                    sounds={name: source[prefix + name] for name in SOUND_INPUTS
                            if prefix + name in source})

        job, metrics = self.train(info["trajectory"],
                                  {"type": "lora", "init_adapter": "start"}, ids.shape[-2])

        tolerance = info["tolerance"]
        self.assert_follows(metrics, golden, "traj.", tolerance["traj.loss"]["atol"],
                            tolerance["traj.grad_norm"]["rtol"])
        self.assertEqual(job["record"]["operations"]["fallback"], 0)
        self.assertEqual(job["progress"]["step"], info["trajectory"]["steps"])
        log = self.mortise("job", "logs", job["id"])
        for said in ("task begins", "phase", "used", "task ends"):
            self.assertIn(said, log)
        if (folder / "adapter_final").exists():
            want = tensors.read(folder / "adapter_final/adapter_model.safetensors")
            got = tensors.read(self.exported("peft") / "adapter_model.safetensors")
            self.assertEqual(set(got), set(want))
            for name, tensor in want.items():
                self.assertLessEqual(
                    tensors.worst_ratio(got[name], tensor, tolerance["adapter_final"]), 1.0, name)

    def test_an_adapter_that_is_not_stored_is_refused_at_once(self):
        self.import_model("golden", GOLDENS / "llama-1/model")
        path = self.folder / "job.json"
        path.write_text(json.dumps({"kind": "train", "model": "golden", "dataset": "none",
                                    "method": {"init_adapter": "nobody"}}))
        self.assertIn("nobody", self.mortise("job", "submit", path, code=3))


def add_case(base, variant):
    name = f"test_{base}_{variant}_follows_peft_step_by_step".replace("-", "_")
    setattr(LoraJob, name, lambda self: self.check(base, variant))


for lora_case in lora_cases():
    add_case(*lora_case)


class HostileModel(Trajectory):
    """What cannot be used is refused by name before anything of it is sent."""

    def refused(self, config, weights, code=1):
        folder = self.folder / "hostile"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        (folder / "config.json").write_text(config)
        if weights is not None:
            (folder / "model.safetensors").write_bytes(weights)
        problem = json.loads(self.mortise("model", "import", "hostile", folder, "--json", code=code))
        self.assertNotIn("exit_code", json.dumps(problem))
        self.assertEqual(json.loads(self.mortise("model", "list", "--json"))["items"], [])
        return problem

    def test_broken_headers_and_configurations_are_refused_and_nothing_is_stored(self):
        config = (GOLDENS / "llama-1/model/config.json").read_text()
        vectors = sorted((GOLDENS.parent / "safetensors/upstream-vectors").glob("*.safetensors"))
        self.assertGreaterEqual(len(vectors), 5)
        sound = ("deserialization.safetensors", "whitespace_padded_header.safetensors")
        for path in vectors:  # the sound ones have none of the model's tensors
            with self.subTest(path.name):
                problem = self.refused(config, path.read_bytes())
                if path.name in sound:
                    self.assertIn("model.embed_tokens.weight", problem["detail"])
                else:
                    self.assertTrue(problem["file"].endswith("/model.safetensors"), problem)
        good = next((GOLDENS / "llama-1/model").glob("*.safetensors")).read_bytes()
        self.assertIn("config.json", self.refused('{"x":', good)["file"])
        unknown = self.refused(config.replace('"llama"', '"zzz"'), good, code=7)
        self.assertEqual(unknown["field"], "model_type")


class FullJob(Trajectory):
    def test_full_tuning_follows_the_trainer_step_by_step(self):
        stated = read_json(GOLDENS / "qwen2-1/case.json")["full_finetune"]
        golden = tensors.read(GOLDENS / "qwen2-1/tensors.safetensors")
        self.import_model("golden", GOLDENS / "qwen2-1/model")
        ids = golden["full.input_ids"]
        self.upload(ids, golden["full.attention_mask"], golden["full.labels"])

        _, metrics = self.train(stated, {"type": "full"}, ids.shape[-2])

        tolerance = stated["tolerance"]
        self.assert_follows(metrics, golden, "full.", tolerance["loss"]["atol"],
                            tolerance["grad_norm"]["rtol"])
        want = tensors.read(GOLDENS / "qwen2-1/full_final.safetensors")
        got = tensors.read(self.exported("hf") / "model.safetensors")
        self.assertEqual(set(got), set(want))
        offs = [abs(a - b) for name in want
                for a, b in zip(got[name].values, want[name].values)]
        # As stated there: a few entries may take the other side of Adam's sign.
        near = sum(off <= tolerance["final_weights"]["atol"] for off in offs)
        self.assertGreaterEqual(near, 0.999 * len(offs))
        self.assertLessEqual(max(offs), 2 * stated["lr"])


def image_of(model):
    """The id of the image token and how many stand for an image; (-1, 1) for a text model."""
    config = read_json(model / "config.json")
    if "vision_config" not in config:
        return -1, 1
    vision = config["vision_config"]
    return config["image_token_index" if "image_token_index" in config else "image_token_id"], \
        (vision["image_size"] // vision["patch_size"]) ** 2


if __name__ == "__main__":
    unittest.main()
