"""The main job from end to end, on data that it draws itself: upload -> check -> version -> train ->
LoRA -> BLEU-4 and ROUGE-L -> export -> serve -> ask. `make demo` runs it; with --check it is the
end-to-end test and fails when the gain is not real.

A base model learns to name what a film shows, in terse words. LoRA then teaches it to answer in whole
English and Chinese sentences, on other films. The score on films never seen is shown for the base, for
the tuned model, and for the tuned model with the images permuted across rows: it must fall to the
blind prior, which is what the right answer to another film scores.
"""

import argparse
import base64
import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "sdk/python"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import films  # noqa: E402
from mortise import (DatasetHub, MortiseError, MultiModalConfig, MultiModalTrainer,  # noqa: E402
                     Server)

METRICS = [{"id": "mortise.metric_bleu", "config": {"tokenize": "zh"}},
           {"id": "mortise.metric_rouge", "config": {"rouge_types": ["rougeL"],
                                                     "tokenizer": "characters"}}]
SCORING = {"evaluate": {"base": True, "permute_images": True},
           "generation": {"max_new_tokens": 60, "batch_size": 16}}
SHOWN = ["bleu", "rougeL_f"]
ASKED = 8  # films
EXACT_LEAST = 0.4  # of the answers, word for word; about one in forty can be guessed without looking
BLIND_MARGIN = 6  # BLEU-4 of some 100 held-out rows; about two of its standard errors
LORA = {"r": 16, "lora_alpha": 32}


class Steps:
    """Says what is done and how long it took."""

    def __init__(self):
        self.began = time.monotonic()

    @contextlib.contextmanager
    def step(self, text):
        print(f"{text} ...", end=" ", flush=True)
        began = time.monotonic()
        yield
        print(f"{time.monotonic() - began:.1f} s", flush=True)


def bar(total_text):
    """A progress bar on a terminal for the lines of metrics."""
    def show(line):
        if sys.stderr.isatty():
            sys.stderr.write(f"\r  step {line['step']} {total_text} loss {line['loss']:.4f} "
                             f"data wait {line['data_wait_seconds']:.2f} s\033[K")
            sys.stderr.flush()
    return show


def cli(programs, *words, **options):
    done = subprocess.run([str(programs / "mortise"), *map(str, words)], text=True,
                          capture_output=True, check=False, **options)
    if done.returncode != 0:
        raise SystemExit(f"mortise {' '.join(map(str, words))}\n{done.stderr}")
    return done.stdout


def make_model(programs, work):
    """A tokenizer on the demo's own sentences, and a small vision-language model around it."""
    corpus = work / "corpus.jsonl"
    with open(corpus, "w", encoding="utf-8") as out:
        for text in films.corpus(seed=3, count=400):
            out.write(json.dumps(text, ensure_ascii=False) + "\n")
    cli(programs, "tokenizer", "train", corpus, "--vocab-size", 512, "--out", work / "tokenizer")
    cli(programs, "model", "new", "film-random", "--preset", "llava-tiny", "--seed", 1,
        "--tokenizer", work / "tokenizer", "--json")


def train(server, name, model, dataset, method, epochs, rate, batch, freeze, seed, **options):
    config = MultiModalConfig(
        name=name, model_name=model, train_dataset=dataset, task="vqa", method=method,
        max_epochs=epochs, per_device_train_batch_size=batch, learning_rate=rate, seed=seed,
        freeze=freeze, precision="fp32", max_length=1024, warmup_ratio=0.05,
        **(LORA if method == "lora" else {}), **options)
    result = MultiModalTrainer(config, server).train(on_step=bar(name))
    if sys.stderr.isatty():
        sys.stderr.write("\r\033[K")
    return result


def blind_prior(programs, work, films_count=400):
    """What another film's right answer in the same language scores: all that can be had without looking."""
    rng = random.Random(5)
    names = {"text": work / "blind.jsonl", "texts": work / "true.jsonl"}
    with contextlib.ExitStack() as files:
        out = {key: files.enter_context(open(path, "w", encoding="utf-8"))
               for key, path in names.items()}
        for index in range(films_count):
            said, true = (films.sentence(films.any_finding(rng), ("en", "zh")[index % 2])
                          for _ in range(2))
            out["text"].write(json.dumps({"text": said}) + "\n")
            out["texts"].write(json.dumps({"texts": [true]}) + "\n")
    prior = {}
    for metric in METRICS:
        rows = json.loads(cli(programs, "metric", "score", "--metric", metric["id"], "--config",
                              json.dumps(metric["config"]), "--predictions", names["text"],
                              "--references", names["texts"]))["rows"]
        prior.update({row["name"]: row["value"] for row in rows if row["name"] in SHOWN})
    return prior


def score_table(scores, prior):
    table = {of: {} for of in ("base", "tuned", "permuted")}
    for score in scores:
        if score["name"] in SHOWN:
            table[score["of"]][score["name"]] = score["value"]
    print(f"\n  {'on films never seen':28s}{'BLEU-4':>10s}{'ROUGE-L':>10s}")
    table["blind"] = prior
    words = {"base": "base", "tuned": "tuned with LoRA", "permuted": "tuned, images permuted",
             "blind": "another film's answer"}
    for of, row in table.items():
        print(f"  {words[of]:28s}{row['bleu']:10.2f}{row['rougeL_f']:10.4f}")
    print()
    return table


def ask(server, endpoint, film, question):
    """One question about one film through the OpenAI API, streamed."""
    picture = "data:image/png;base64," + base64.b64encode(film).decode("ascii")
    request = {"model": endpoint, "stream": True, "temperature": 0, "messages": [
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": picture}},
                                     {"type": "text", "text": question}]}]}
    return "".join(choice["delta"].get("content") or ""
                   for _, part in server.events("/v1/chat/completions", request) if part
                   for choice in part["choices"])


def ask_about_films(server, endpoint):
    """Films that nobody has seen, each asked about in both languages."""
    rng = random.Random(11)
    answers = []
    for _ in range(ASKED):
        finding = films.any_finding(rng)
        film = films.draw(finding, rng)
        for language in ("en", "zh"):
            question, expected = films.report(finding, language)
            answers.append({"question": question, "true": expected,
                            "said": ask(server, endpoint, film, question).strip()})
    return answers


def is_exact(asked):
    return asked["said"] == asked["true"]


def refused_rows_are_named(hub, work):
    """A broken upload: what the user is told."""
    rows = work / "broken.jsonl"
    rows.write_text('{"image": "images/none.png", "query": "What?", "response": "This."}\n',
                    encoding="utf-8")
    try:
        hub.upload("broken", rows, task_type="vqa")
    except MortiseError as failure:
        finding = failure.problem["report"]["findings"][0]
        return f"row {finding['row']} field {finding['field']}: {finding['message']}"
    raise SystemExit("The broken data set was accepted.")


def tokens_at_most(server, name):
    """The longest row of an upload, as its check counted it."""
    uploads = server.get("/api/v1/uploads", limit=50)["items"]
    mine = next(upload["id"] for upload in uploads if upload["name"] == name)
    lengths = server.get(f"/api/v1/uploads/{mine}/report")["statistics"]["lengths"]
    if not 0 < lengths["max"] <= 512 or lengths["too_long_count"]:
        raise SystemExit(f"Lengths of {name}: {lengths}")
    return lengths["max"]


def run(options):
    programs, work = Path(options.build) / "bin", Path(options.work)
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    os.environ["MORTISE_HOME"] = str(work / "home")
    os.environ.pop("MORTISE_URL", None)
    steps = Steps()
    with steps.step("start the private server"):
        server = Server(programs=programs)
        hub = DatasetHub(server)
        found = json.loads(cli(programs, "doctor", "--json"))
        if not found["ready"]["ready"] or not found["devices"] or found["packs_broken"]:
            raise SystemExit(f"mortise doctor: {found}")
    with steps.step(f"draw {options.base_films} + {options.report_films} films"):
        base_rows = films.write_base(work / "base", options.base_films, seed=1)
        report_rows = films.write_reports(work / "reports", options.report_films, seed=2)
    with steps.step("train a tokenizer, make a small vision-language model"):
        make_model(programs, work)
    with steps.step("upload, check and version both data sets"):
        base_data = hub.upload("film-labels", base_rows.parent, task_type="vqa",
                               modalities=["image", "text"], labels={"domain": "demo"})
        report_data = hub.upload("film-reports", report_rows, task_type="vqa",
                                 modalities=["image", "text"], labels={"domain": "demo"},
                                 tokenizer="film-random", max_length=512)
        longest = tokens_at_most(server, "film-reports")
    print(f"  the longest report has {longest} tokens")
    print(f"  {base_data}, {report_data}; a broken one is refused: "
          f"{refused_rows_are_named(hub, work)}")
    with steps.step("train the base, all weights"):
        base = train(server, "film-base", "film-random", base_data, "full", options.base_epochs,
                     2e-3, 32, [], 1, holdout_ratio=0.05)
    print(f"  {base.model}: loss {base.metrics[0]['loss']:.3f} -> {base.metrics[-1]['loss']:.3f}")
    with steps.step("adapt it with LoRA; score base, tuned, and tuned with the images permuted"):
        tuned = train(server, "film-reporter", base.model, report_data, "lora",
                      options.report_epochs, 3e-3, 16, ["vision"], 2, holdout_ratio=0.2,
                      metrics=METRICS, extra=SCORING)
    print(f"  {tuned.adapter}: loss {tuned.metrics[0]['loss']:.3f} -> "
          f"{tuned.metrics[-1]['loss']:.3f}")
    table = score_table(tuned.scores, blind_prior(programs, work))
    with steps.step("export the adapter and the merged model"):
        tuned.export("peft", work / "adapter")
        tuned.export("hf", work / "merged")
    with steps.step("serve it"):
        tuned.deploy("films")
    with steps.step(f"ask it about {ASKED} films in two languages"):
        answers = ask_about_films(server, "films")
    for asked in answers[:2]:
        print(f"  asked: {asked['question']}\n  said:  {asked['said']}\n  true:  {asked['true']}")
    print(f"  {sum(map(is_exact, answers))} of {len(answers)} answers are exact")
    print(f"\n{time.monotonic() - steps.began:.0f} s in all. The server is at {server.url}")
    return table, answers


def check(table, answers, work):
    """The gain must be real, large, and come from seeing."""
    base, tuned, permuted, blind = (table[of]["bleu"] for of in ("base", "tuned", "permuted", "blind"))
    problems = []
    if tuned < base + 30:
        problems.append(f"BLEU-4 rose only from {base:.1f} to {tuned:.1f}")
    if permuted > blind + BLIND_MARGIN or permuted > tuned - 15:
        problems.append(f"with permuted images BLEU-4 is still {permuted:.1f} of {tuned:.1f}; "
                        f"{blind:.1f} can be had without looking")
    exact = sum(map(is_exact, answers))
    if exact < EXACT_LEAST * len(answers):
        problems.append(f"only {exact} of {len(answers)} served answers are exact")
    for name in ("adapter/adapter_model.safetensors", "merged/model.safetensors"):
        if not (work / name).exists():
            problems.append(f"{name} was not exported")
    if problems:
        raise SystemExit("demo: " + "; ".join(problems))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", default=ROOT / "build")
    parser.add_argument("--work", default=ROOT / "build/demo")
    parser.add_argument("--check", action="store_true", help="fail when the gain is not real")
    parser.add_argument("--base-films", type=int, default=1400)
    parser.add_argument("--base-epochs", type=float, default=9)
    parser.add_argument("--report-films", type=int, default=500)
    parser.add_argument("--report-epochs", type=float, default=12)
    options = parser.parse_args()
    try:
        table, answers = run(options)
        if options.check:
            check(table, answers, Path(options.work))
    finally:
        if options.check:
            subprocess.run([str(Path(options.build) / "bin/mortise"), "down"], check=False,
                           capture_output=True)


if __name__ == "__main__":
    main()
