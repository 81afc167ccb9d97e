// A command of `mortise` as data: what it is called, what it takes, what runs it. The tables of
// commands stand in commands_*.cpp; arguments.cpp reads them, so help, errors and completion are
// the same for all.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace mortise::cli {

enum class Take { kFlag, kOne, kMany };

struct Option {
  std::string_view name;   // "--task-type"; without dashes: a positional, in order
  std::string_view value;  // what stands in help, "DIR"; "N": a whole number; empty for a flag
  std::string_view help;
  Take take = Take::kOne;
  bool is_required = false;
};

// What was typed, after it was checked against the options.
struct Arguments {
  std::map<std::string, std::vector<std::string>, std::less<>> values;
  bool is_json = false;

  bool has(std::string_view name) const { return values.find(name) != values.end(); }
  std::string text(std::string_view name, std::string_view fallback = {}) const;
  const std::vector<std::string>& all(std::string_view name) const;
  // A JSON integer or the fallback; the check of the spelling is done while reading.
  base::Result<int64_t> integer(std::string_view name, int64_t fallback) const;
  // A repeated KEY=VALUE as an object. Errors: INVALID_ARGUMENT naming the word without a "=".
  base::Result<base::Json> pairs(std::string_view name) const;
  // A value that is JSON, or the fallback. Errors: of parse_json, naming the option.
  base::Result<base::Json> json(std::string_view name, base::Json fallback) const;
};

// Returns the exit code of a command that did its work (0 or 1); an error is printed by main.
using Run = base::Result<int> (*)(const Arguments&);

struct Command {
  std::string_view noun, verb;  // verb empty for `mortise status`
  std::string_view help;        // one sentence
  std::vector<Option> options;
  Run run;
};

// All commands, in the order of the help page.
const std::vector<Command>& commands();
void add_server_commands(std::vector<Command>& out);
void add_dataset_commands(std::vector<Command>& out);
void add_upload_commands(std::vector<Command>& out);
void add_store_commands(std::vector<Command>& out);
void add_catalog_commands(std::vector<Command>& out);
void add_model_commands(std::vector<Command>& out);
void add_job_commands(std::vector<Command>& out);
void add_local_commands(std::vector<Command>& out);
void add_plugin_commands(std::vector<Command>& out);
void add_bench_commands(std::vector<Command>& out);

// Parses everything after the program's name. Errors: INVALID_ARGUMENT (exit code 2) naming the
// word that is wrong and what was meant. `found` is the command; nullptr when help was asked for,
// which then stands in `help`.
struct Parsed {
  const Command* found = nullptr;
  Arguments arguments;
  std::string help;
};
base::Result<Parsed> parse_arguments(const std::vector<std::string>& words);

}  // namespace mortise::cli
