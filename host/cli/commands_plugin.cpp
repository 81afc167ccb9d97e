// `mortise plugin ...`: all of it in the worker, since packs are its business.
#include <cstdio>

#include "cli/command.h"
#include "cli/local_task.h"

namespace mortise::cli {

using base::Json;
using base::Result;

namespace {

Result<int> run(const char* kind, Json arguments) {
  MORTISE_ASSIGN(const job::TaskResult result,
                 run_local({.kind = kind, .arguments = std::move(arguments)}));
  if (!result.summary.empty()) std::fprintf(stderr, "%s\n", result.summary.c_str());
  return result.ok ? 0 : 1;
}

Result<int> plugin_new(const Arguments& arguments) {
  const std::string id = arguments.text("id");
  const std::string folder = arguments.text("--out", id.substr(id.rfind('.') + 1));
  return run(
      "plugin.new",
      Json::object({{"kind", arguments.text("kind")}, {"id", id}, {"out", absolute_path(folder)}}));
}

Result<int> plugin_list(const Arguments& arguments) {
  return run("plugin.list", Json::object({{"json", arguments.is_json}}));
}

Result<int> plugin_show(const Arguments& arguments) {
  return run("plugin.show", Json::object({{"id", arguments.text("id")}}));
}

Result<int> plugin_why(const Arguments& arguments) {
  return run("plugin.why", Json::object({{"id", arguments.text("id")}}));
}

Result<int> plugin_pack(const Arguments& arguments) {
  return run("plugin.pack", Json::object({{"root", absolute_path(arguments.text("pack"))},
                                          {"out", absolute_path(arguments.text("--out"))}}));
}

Result<int> plugin_sign(const Arguments& arguments) {
  return run("plugin.sign", Json::object({{"root", absolute_path(arguments.text("pack"))},
                                          {"key", absolute_path(arguments.text("--key"))},
                                          {"make_key", arguments.has("--make-key")}}));
}

Result<int> plugin_check(const Arguments& arguments) {
  MORTISE_ASSIGN(const int64_t seed, arguments.integer("--seed", 42));
  const char* form = arguments.has("--junit") ? "junit" : arguments.is_json ? "json" : "text";
  return run("plugin.check", Json::object({{"root", absolute_path(arguments.text("pack"))},
                                           {"form", form},
                                           {"filter", arguments.text("--filter")},
                                           {"in_process", arguments.has("--in-process")},
                                           {"seed", seed}}));
}

Result<int> plugin_install(const Arguments& arguments) {
  return run("plugin.install", Json::object({{"source", absolute_path(arguments.text("pack"))}}));
}

Result<int> plugin_remove(const Arguments& arguments) {
  return run("plugin.remove", Json::object({{"sha256", arguments.text("sha256")}}));
}

Result<int> plugin_lock(const Arguments& arguments) {
  return run("plugin.lock", Json::object({{"id", arguments.text("id")}}));
}

const Option kId = {"id", "ID", "a plugin's id", Take::kOne, true};
const Option kPack = {"pack", "PACK", "a pack's folder", Take::kOne, true};

}  // namespace

void add_plugin_commands(std::vector<Command>& out) {
  out.push_back({"plugin",
                 "list",
                 "Every pack that is found, and what is wrong with its manifest.",
                 {},
                 plugin_list});
  out.push_back(
      {"plugin", "show", "The manifest of the pack that gives a plugin.", {kId}, plugin_show});
  out.push_back({"plugin",
                 "why",
                 "Each place tried and each rule that accepted or refused.",
                 {kId},
                 plugin_why});
  out.push_back({"plugin",
                 "new",
                 "A folder that builds against the installed SDK.",
                 {{"kind", "KIND", "metric, tokenizer, format, loss or device", Take::kOne, true},
                  kId,
                  {"--out", "DIR", "the new folder (the id's last part)"}},
                 plugin_new});
  out.push_back({"plugin",
                 "pack",
                 "Write a pack as one file.",
                 {kPack, {"--out", "FILE", "the archive", Take::kOne, true}},
                 plugin_pack});
  out.push_back({"plugin",
                 "sign",
                 "Sign a pack; prints the public key.",
                 {kPack,
                  {"--key", "FILE", "the key pair", Take::kOne, true},
                  {"--make-key", "", "make the key pair first", Take::kFlag}},
                 plugin_sign});
  out.push_back({"plugin",
                 "check",
                 "Run the conformance kit over a pack.",
                 {kPack,
                  {"--junit", "", "the report as JUnit XML", Take::kFlag},
                  {"--filter", "TEXT", "only checks whose name contains it"},
                  {"--in-process", "", "no child processes (for a debugger)", Take::kFlag},
                  {"--seed", "N", "of the random inputs (42)"}},
                 plugin_check});
  out.push_back({"plugin",
                 "install",
                 "Verify and copy a pack into the store.",
                 {{"pack", "PACK", "a folder or an archive", Take::kOne, true}},
                 plugin_install});
  out.push_back({"plugin",
                 "remove",
                 "Take an installed pack away.",
                 {{"sha256", "SHA256", "as `plugin list` shows it", Take::kOne, true}},
                 plugin_remove});
  out.push_back({"plugin", "lock", "Pin the version that is found now.", {kId}, plugin_lock});
}

}  // namespace mortise::cli
