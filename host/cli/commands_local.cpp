// Verbs that name local paths: dataset check, tokenizer, template, metric, media, model forward and
// generate. Each is a table entry and the arguments it hands to the worker.
#include <charconv>
#include <cstdio>

#include "base/file_ops.h"
#include "cli/archive.h"
#include "cli/command.h"
#include "cli/local_task.h"
#include "job/manifest.h"

namespace mortise::cli {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

namespace {

// Runs the task; exit code 1 when the thing asked about is wanting.
Result<int> run(LocalTask task) {
  MORTISE_ASSIGN(const job::TaskResult result, run_local(task));
  if (!result.ok && !result.summary.empty()) std::fprintf(stderr, "%s\n", result.summary.c_str());
  return result.ok ? 0 : 1;
}

Json path_of(const Arguments& arguments, std::string_view name) {
  return arguments.has(name) ? Json(absolute_path(arguments.text(name))) : Json();
}

Json paths_of(const Arguments& arguments, std::string_view name) {
  Json out = Json::array();
  for (const std::string& path : arguments.all(name)) out.push_back(absolute_path(path));
  return out;
}

Result<double> number(const Arguments& arguments, std::string_view name, double fallback) {
  if (!arguments.has(name)) return fallback;
  const std::string word = arguments.text(name);
  double value = 0;
  const auto read = std::from_chars(word.data(), word.data() + word.size(), value);
  if (read.ec == std::errc() && read.ptr == word.data() + word.size()) return value;
  return Error(Code::kInvalidArgument, std::string(name) + " takes a number, not \"" + word + "\".")
      .with("exit_code", "2");
}

Result<int> dataset_check(const Arguments& arguments) {
  if (auto known = job::check_task_type(arguments.text("--task-type")); !known.ok()) {
    return std::move(known.error().at_field("--task-type").with("exit_code", "2"));
  }
  const std::string path = arguments.text("path");
  const bool is_folder = base::posix_file_ops().list(path).ok();
  if (is_archive_name(path) && !is_folder && !arguments.has("--whole")) {
    return Error(Code::kInvalidArgument, "An archive is not unpacked by a check.",
                 "Unpack it and check the folder, or upload it: upload checks it before a version "
                 "is made. With --whole it is read as one shard, as upload --whole sends it.")
        .at_file(path);
  }
  MORTISE_ASSIGN(Json map, arguments.pairs("--map"));
  MORTISE_ASSIGN(const int64_t bad, arguments.integer("--max-bad-rows", 0));
  MORTISE_ASSIGN(const int64_t length, arguments.integer("--max-length", 0));
  if (length > 0 && !arguments.has("--tokenizer")) {
    return Error(Code::kInvalidArgument, "--max-length counts tokens and needs a tokenizer.",
                 "Give --tokenizer DIR_OR_FILE.")
        .with("exit_code", "2");
  }
  if (arguments.has("--out") && !arguments.has("--patch")) {
    return Error(Code::kInvalidArgument, "--out is where --patch writes its mended copy.",
                 "Add --patch, or leave --out away.")
        .with("exit_code", "2");
  }
  MORTISE_ASSIGN(Json config, arguments.json("--format-config", Json::object()));
  Json rows = Json::array();
  for (const std::string& name : arguments.all("--rows")) rows.push_back(name);
  Json given = Json::object({{"path", absolute_path(path)},
                             {"rows", std::move(rows)},
                             {"format", Json::object({{"id", arguments.text("--format")},
                                                      {"config", std::move(config)}})},
                             {"media", path_of(arguments, "--media")},
                             {"task_type", arguments.text("--task-type")},
                             {"map", std::move(map)},
                             {"max_bad_rows", bad},
                             {"patch", arguments.has("--patch")},
                             {"tokenizer", path_of(arguments, "--tokenizer")},
                             {"max_length", length},
                             {"report", path_of(arguments, "--report")},
                             {"out", path_of(arguments, "--out")}});
  return run({.kind = "dataset.check", .arguments = std::move(given)});
}

Result<int> tokenizer(const Arguments& arguments, const char* kind, bool reads_input) {
  Json given = Json::object({{"tokenizer", absolute_path(arguments.text("--tokenizer"))},
                             {"pattern", arguments.text("--pattern")},
                             {"special", arguments.has("--special")},
                             {"skip_special", arguments.has("--skip-special")}});
  return run({.kind = kind, .arguments = std::move(given), .reads_input = reads_input});
}
Result<int> tokenizer_encode(const Arguments& arguments) {
  return tokenizer(arguments, "tokenizer.encode", true);
}
Result<int> tokenizer_decode(const Arguments& arguments) {
  return tokenizer(arguments, "tokenizer.decode", true);
}
Result<int> tokenizer_show(const Arguments& arguments) {
  return tokenizer(arguments, "tokenizer.show", false);
}

Result<int> tokenizer_train(const Arguments& arguments) {
  MORTISE_ASSIGN(const int64_t vocab, arguments.integer("--vocab-size", 8192));
  Json special = Json::array();
  for (const std::string& token : arguments.all("--special-token")) special.push_back(token);
  Json given = Json::object({{"files", paths_of(arguments, "file")},
                             {"vocab_size", vocab},
                             {"pattern", arguments.text("--pattern", "qwen2")},
                             {"special_tokens", std::move(special)},
                             {"out", absolute_path(arguments.text("--out"))}});
  return run({.kind = "tokenizer.train", .arguments = std::move(given)});
}

Result<int> template_render(const Arguments& arguments) {
  Json given = Json::object({{"template", absolute_path(arguments.text("--template"))}});
  return run({.kind = "template.render", .arguments = std::move(given), .reads_input = true});
}

Result<int> metric_score(const Arguments& arguments) {
  MORTISE_ASSIGN(Json config, arguments.json("--config", Json::object()));
  Json given = Json::object({{"metric", arguments.text("--metric")},
                             {"config", std::move(config)},
                             {"predictions", absolute_path(arguments.text("--predictions"))},
                             {"references", absolute_path(arguments.text("--references"))},
                             {"per_row", path_of(arguments, "--per-row")}});
  return run({.kind = "metric.score", .arguments = std::move(given)});
}

Result<int> media_preprocess(const Arguments& arguments) {
  if (arguments.has("--video")) {
    return Error(Code::kUnimplemented, "Video is not preprocessed by this build.",
                 "Give --image FILE or --audio FILE.");
  }
  if (arguments.has("--audio") && arguments.has("--image")) {
    return Error(Code::kInvalidArgument, "A processor takes images or sound.",
                 "Give --image or --audio.")
        .with("exit_code", "2");
  }
  Json given = Json::object({{"model", absolute_path(arguments.text("--model"))},
                             {"images", paths_of(arguments, "--image")},
                             {"audios", paths_of(arguments, "--audio")},
                             {"out", absolute_path(arguments.text("--out"))}});
  return run({.kind = "media.preprocess", .arguments = std::move(given)});
}

Result<int> model_forward(const Arguments& arguments) {
  Json given = Json::object({{"model", absolute_path(arguments.text("--model"))},
                             {"adapter", path_of(arguments, "--adapter")},
                             {"dtype", arguments.text("--dtype")},
                             {"grad", arguments.has("--grad")},
                             {"input", absolute_path(arguments.text("--input"))},
                             {"out", absolute_path(arguments.text("--out"))}});
  return run({.kind = "model.forward", .arguments = std::move(given)});
}

Result<int> model_generate(const Arguments& arguments) {
  MORTISE_ASSIGN(Json ids, arguments.json("--ids", Json()));
  MORTISE_ASSIGN(const int64_t count, arguments.integer("--max-new-tokens", 64));
  MORTISE_ASSIGN(const int64_t logprobs, arguments.integer("--logprobs", 0));
  MORTISE_ASSIGN(const int64_t seed, arguments.integer("--seed", 42));
  MORTISE_ASSIGN(const double temperature, number(arguments, "--temperature", 0));
  if (arguments.has("--prompt") == arguments.has("--ids")) {
    return Error(Code::kInvalidArgument, "`mortise model generate` takes --prompt or --ids.",
                 "Give one of the two.")
        .with("exit_code", "2");
  }
  Json given = Json::object({{"model", absolute_path(arguments.text("--model"))},
                             {"adapters", paths_of(arguments, "--adapter")},
                             {"prompt", arguments.text("--prompt")},
                             {"ids", std::move(ids)},
                             {"images", paths_of(arguments, "--image")},
                             {"audios", paths_of(arguments, "--audio")},
                             {"videos", paths_of(arguments, "--video")},
                             {"max_new_tokens", count},
                             {"temperature", temperature},
                             {"seed", seed},
                             {"logprobs", logprobs}});
  return run({.kind = "model.generate", .arguments = std::move(given)});
}

const Option kModel = {"--model", "DIR", "a folder in Hugging Face layout", Take::kOne, true};
const Option kTokenizer = {"--tokenizer", "DIR_OR_FILE", "tokenizer.json, or the folder it is in",
                           Take::kOne, true};
const Option kPattern = {"--pattern", "NAME", "pre-tokeniser: gpt2, qwen2, llama3, ..."};

void add_text_commands(std::vector<Command>& out) {
  out.push_back({"tokenizer",
                 "train",
                 "Train a byte-level BPE on text files.",
                 {{"file", "FILE", "text, or JSONL with one JSON string a line", Take::kMany, true},
                  {"--vocab-size", "N", "tokens, special ones included (8192)"},
                  {"--special-token", "TEXT", "a token of its own", Take::kMany},
                  kPattern,
                  {"--out", "DIR", "where tokenizer.json goes", Take::kOne, true}},
                 tokenizer_train});
  out.push_back(
      {"tokenizer",
       "encode",
       "JSON strings on standard input to arrays of ids.",
       {kTokenizer, kPattern, {"--special", "", "add and read special tokens", Take::kFlag}},
       tokenizer_encode});
  out.push_back(
      {"tokenizer",
       "decode",
       "Arrays of ids on standard input to JSON strings.",
       {kTokenizer, kPattern, {"--skip-special", "", "leave special tokens out", Take::kFlag}},
       tokenizer_decode});
  out.push_back({"tokenizer",
                 "show",
                 "Vocabulary size, special ids, fingerprint.",
                 {kTokenizer, kPattern},
                 tokenizer_show});
  out.push_back({"template",
                 "render",
                 "Chat rows on standard input to text and train spans.",
                 {{"--template", "FILE", "a Jinja chat template", Take::kOne, true}},
                 template_render});
  out.push_back({"metric",
                 "score",
                 "Score predictions against references.",
                 {{"--metric", "ID", "mortise.metric_bleu, ...", Take::kOne, true},
                  {"--config", "JSON", "the metric's configuration"},
                  {"--predictions", "FILE", "JSONL, {\"text\"} a line", Take::kOne, true},
                  {"--references", "FILE", "JSONL, {\"texts\": [...]} a line", Take::kOne, true},
                  {"--per-row", "FILE", "write each row's score"}},
                 metric_score});
}

void add_tensor_commands(std::vector<Command>& out) {
  out.push_back({"media",
                 "preprocess",
                 "The tensors that the model's own processor would give.",
                 {kModel,
                  {"--image", "FILE", "PNG or JPEG", Take::kMany},
                  {"--audio", "FILE", "WAV, FLAC, MP3 or Ogg", Take::kMany},
                  {"--video", "DIR", "not in this build"},
                  {"--out", "FILE", "a .safetensors file", Take::kOne, true}},
                 media_preprocess});
  out.push_back({"model",
                 "forward",
                 "Run a model on tensors named as transformers names them.",
                 {kModel,
                  {"--adapter", "DIR", "a PEFT adapter"},
                  {"--dtype", "TYPE", "float32 or bfloat16"},
                  {"--grad", "", "also write the gradients", Take::kFlag},
                  {"--input", "FILE", "a .safetensors file", Take::kOne, true},
                  {"--out", "FILE", "a .safetensors file", Take::kOne, true}},
                 model_forward});
  out.push_back({"model",
                 "generate",
                 "Continue a prompt; {\"ids\",\"text\",\"logprobs\"}.",
                 {kModel,
                  {"--adapter", "DIR", "a PEFT adapter", Take::kMany},
                  {"--prompt", "TEXT", "what to continue"},
                  {"--ids", "JSON", "the prompt as an array of ids"},
                  {"--image", "FILE", "PNG, JPEG or WebP, one for each <image>", Take::kMany},
                  {"--audio", "FILE", "WAV, FLAC, MP3 or Ogg, one for each <audio>", Take::kMany},
                  {"--video", "FILE", "a film, a folder of frames or a tar, one for each <video>",
                   Take::kMany},
                  {"--max-new-tokens", "N", "(64)"},
                  {"--temperature", "X", "0 is greedy (0)"},
                  {"--seed", "N", "of the sampling (42)"},
                  {"--logprobs", "K", "also the K likeliest tokens of each step"}},
                 model_generate});
  out.push_back({"dataset",
                 "check",
                 "Check a data set here; nothing is stored.",
                 {{"path", "PATH", "a file of rows, or a folder with one", Take::kOne, true},
                  {"--task-type", "T", "vqa, caption, sft, chat, ...", Take::kOne, true},
                  {"--rows", "FILE", "where rows are; 'train-*.jsonl' for several", Take::kMany},
                  {"--format", "ID", "the format of the rows, else the surest"},
                  {"--format-config", "JSON", "its configuration, such as {\"header\": false}"},
                  {"--media", "DIR", "where the rows' files are"},
                  {"--map", "TARGET=SOURCE", "name a column", Take::kMany},
                  {"--max-bad-rows", "N", "accept so many with --patch (0)"},
                  {"--patch", "", "apply mechanical patches, leave bad rows out", Take::kFlag},
                  {"--whole", "", "read an archive as it is, such as a shard", Take::kFlag},
                  {"--out", "DIR", "with --patch: the mended rows and the report go here"},
                  {"--report", "FILE.html", "the report as a page that needs no server"},
                  {"--tokenizer", "DIR_OR_FILE", "also count the tokens of each row"},
                  {"--max-length", "N", "name the rows that have more tokens"}},
                 dataset_check});
}

}  // namespace

void add_local_commands(std::vector<Command>& out) {
  add_text_commands(out);
  add_tensor_commands(out);
}

}  // namespace mortise::cli
