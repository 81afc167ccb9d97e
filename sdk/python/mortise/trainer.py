"""Training: a configuration becomes a job manifest; the result is scored, exported, served."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any, Callable, Mapping, Sequence

from .errors import MortiseError
from .server import Server, quote


@dataclasses.dataclass
class MultiModalConfig:
    """What to train on what. Names are those of transformers and PEFT; see the job manifest.

    train_dataset: "name" or "name@n"; the newest version when there is no number. extra: sections of
    the manifest as they are, merged over the rest.
    """

    model_name: str
    train_dataset: str
    task: str = "vqa"
    name: str | None = None
    max_epochs: float = 3
    per_device_train_batch_size: int = 8
    gradient_accumulation_steps: int = 1
    learning_rate: float = 1e-4
    lr_scheduler_type: str = "cosine"
    warmup_ratio: float = 0.03
    weight_decay: float = 0.0
    max_grad_norm: float = 1.0
    max_length: int = 2048
    seed: int = 42
    precision: str = "bf16"
    method: str = "lora"
    r: int = 64
    lora_alpha: float = 16
    lora_dropout: float = 0.0
    target_modules: str | Sequence[str] = "all-linear"
    freeze: Sequence[str] = ("vision",)
    holdout_ratio: float = 0.1
    metrics: Sequence[Mapping[str, Any]] = ()
    extra: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def manifest(self) -> dict[str, Any]:
        """The job manifest (schemas/job.json)."""
        method: dict[str, Any] = {"type": self.method}
        if self.method == "lora":
            targets = self.target_modules
            method |= {"r": self.r, "lora_alpha": self.lora_alpha,
                       "lora_dropout": self.lora_dropout,
                       "target_modules": targets if isinstance(targets, str) else list(targets)}
        made: dict[str, Any] = {
            "kind": "train", "model": self.model_name, "dataset": self.train_dataset,
            "task": self.task, "method": method,
            "train": {"num_train_epochs": self.max_epochs,
                      "per_device_train_batch_size": self.per_device_train_batch_size,
                      "gradient_accumulation_steps": self.gradient_accumulation_steps,
                      "learning_rate": self.learning_rate,
                      "lr_scheduler_type": self.lr_scheduler_type,
                      "warmup_ratio": self.warmup_ratio, "weight_decay": self.weight_decay,
                      "max_grad_norm": self.max_grad_norm, "max_length": self.max_length,
                      "seed": self.seed, "precision": self.precision, "freeze": list(self.freeze)},
            "holdout": {"ratio": self.holdout_ratio},
            "plugins": {"metrics": [dict(metric) for metric in self.metrics]},
        }
        if self.name:
            made["name"] = self.name
        for key, value in self.extra.items():
            if isinstance(value, Mapping) and isinstance(made.get(key), dict):
                made[key] = {**made[key], **value}
            else:
                made[key] = value
        return made


class TrainingResult:
    """A finished training job: its run record, its model, its curve."""

    def __init__(self, server: Server, job: Mapping[str, Any]) -> None:
        self._server = server
        self.job = dict(job)

    @property
    def model(self) -> str:
        """The reference of what was trained, "name@n"."""
        return str(self.job["record"]["models"][0])

    @property
    def adapter(self) -> str:
        return self.model

    @property
    def base(self) -> str:
        return str(self.job["manifest"]["model"])

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """One entry an optimiser step: step, loss, grad_norm, learning_rate, ..."""
        return list(self._server.items(f"/api/v1/jobs/{self.job['id']}/metrics"))

    @property
    def scores(self) -> list[dict[str, Any]]:
        return list(self.job["record"].get("scores") or [])

    def evaluate(self, dataset: str | None = None, metrics: Sequence[Mapping[str, Any]] = (),
                 **options: Any) -> list[dict[str, Any]]:
        """Scores on held-out rows; options go into the manifest's "evaluate" and "generation"."""
        is_adapter = self.job["manifest"]["method"]["type"] == "lora"
        manifest = {"kind": "evaluate", "model": self.base if is_adapter else self.model,
                    **({"adapter": self.model} if is_adapter else {}),
                    "dataset": dataset or self.job["manifest"]["dataset"],
                    "holdout": self.job["manifest"]["holdout"],
                    "plugins": {"metrics": [dict(metric) for metric in metrics]
                                or self.job["manifest"]["plugins"]["metrics"]},
                    **options}
        job = self._server.post("/api/v1/jobs", manifest)
        return list(self._server.wait(job["id"])["record"]["scores"])

    def export(self, format: str, path: str | os.PathLike[str]) -> Path:
        """Writes the adapter ("peft") or the merged checkpoint ("hf") into a folder."""
        is_adapter = self.job["manifest"]["method"]["type"] == "lora"
        reference = self.model
        if format != ("peft" if is_adapter else "hf"):
            manifest = {"kind": "export", "export": [format],
                        "model": self.base if is_adapter else self.model}
            if is_adapter:
                manifest["adapter"] = self.model
            job = self._server.wait(self._server.post("/api/v1/jobs", manifest)["id"])
            reference = job["record"]["models"][0]
        folder = Path(path)
        folder.mkdir(parents=True, exist_ok=True)
        model = self._server.get(f"/api/v1/models/{quote(reference)}")
        for file in model["files"]:
            target = (folder / file["name"]).resolve()
            if folder.resolve() not in target.parents:
                raise MortiseError({"detail": f"The server names {file['name']}, which leaves the "
                                              "folder.", "code": "DATA_LOSS"})
            target.parent.mkdir(parents=True, exist_ok=True)
            self._server.download(
                f"/api/v1/models/{quote(reference)}/files/{quote(file['name'])}", target)
        return folder

    def deploy(self, name: str, poll_s: float = 0.1) -> dict[str, Any]:
        """Serves the model under a name; returns the endpoint once it takes requests."""
        import time

        request = {"name": name, "model": self.base}
        if self.job["manifest"]["method"]["type"] == "lora":
            request["adapter"] = self.model
        else:
            request["model"] = self.model
        endpoint = self._server.post("/api/v1/endpoints", request)
        while endpoint["state"] == "starting":
            time.sleep(poll_s)
            endpoint = self._server.get(f"/api/v1/endpoints/{quote(name)}")
        if endpoint["state"] != "ready":
            raise MortiseError(endpoint.get("error") or {"detail": f"{name} did not start."})
        return dict(endpoint)


class MultiModalTrainer:
    """Submits the job of a configuration and waits for it."""

    def __init__(self, config: MultiModalConfig, server: Server | None = None) -> None:
        self.config = config
        self.server = server or Server()

    def train(self, on_step: Callable[[Mapping[str, Any]], None] | None = None) -> TrainingResult:
        """Runs to the end. on_step gets each line of metrics as it is written."""
        job = self.server.post("/api/v1/jobs", self.config.manifest())
        if on_step is not None:
            for kind, data in self.server.events(f"/api/v1/jobs/{job['id']}/events"):
                if kind == "metrics":
                    on_step(data)
        return TrainingResult(self.server, self.server.wait(job["id"]))
