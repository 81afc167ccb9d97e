// Reads the command line against the tables of command.h. Hand-written: the tables need one loop,
// and a wrong word is answered with the nearest right one.
#include <algorithm>
#include <charconv>

#include "cli/command.h"

namespace mortise::cli {

using base::Code;
using base::Error;
using base::Result;

namespace {

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

// Empty when nothing is within three letters, or when no letter would be left of the word.
std::string nearest(std::string_view word, const std::vector<std::string>& known) {
  std::string best;
  size_t distance = 4;
  for (const std::string& candidate : known) {
    const size_t found = edit_distance(word, candidate);
    if (found < distance && found < word.size()) {
      distance = found;
      best = candidate;
    }
  }
  return best;
}

Error usage(std::string message, std::string hint) {
  Error error(Code::kInvalidArgument, std::move(message), std::move(hint));
  error.with("exit_code", "2");
  return error;
}

Result<int64_t> whole_number(std::string_view name, const std::string& word) {
  int64_t value = 0;
  const auto read = std::from_chars(word.data(), word.data() + word.size(), value);
  if (read.ec == std::errc() && read.ptr == word.data() + word.size()) return value;
  return usage(std::string(name) + " takes a whole number, not \"" + word + "\".", "");
}

std::string title(const Command& command) {
  std::string out = "mortise " + std::string(command.noun);
  if (!command.verb.empty()) out += " " + std::string(command.verb);
  return out;
}

std::string help_of(const Command& command) {
  std::string out = title(command);
  for (const Option& option : command.options) {
    if (option.name.starts_with("-")) continue;
    out += option.is_required ? " " : " [";
    out += option.value;
    if (option.take == Take::kMany) out += "...";
    if (!option.is_required) out += "]";
  }
  out += " [options]\n  " + std::string(command.help) + "\n\n";
  for (const Option& option : command.options) {
    std::string left =
        "  " + std::string(option.name.starts_with("-") ? option.name : option.value);
    if (option.name.starts_with("-") && !option.value.empty())
      left += " " + std::string(option.value);
    left.resize(std::max<size_t>(left.size() + 2, 30), ' ');
    out += left + std::string(option.help) + "\n";
  }
  return out + "  --json                      one JSON document on standard output\n";
}

std::string help_of_all(std::string_view noun) {
  std::string out = "usage: mortise NOUN VERB [options]      (--help after any of them)\n\n";
  for (const Command& command : commands()) {
    if (!noun.empty() && command.noun != noun) continue;
    std::string left = "  " + title(command);
    left.resize(std::max<size_t>(left.size() + 2, 32), ' ');
    out += left + std::string(command.help) + "\n";
  }
  return out;
}

Result<const Command*> find_command(const std::vector<std::string>& words, size_t& at) {
  std::vector<std::string> nouns, verbs;
  for (const Command& command : commands()) {
    if (command.noun == words[0]) {
      if (command.verb.empty() || (words.size() > 1 && command.verb == words[1])) {
        at = command.verb.empty() ? 1 : 2;
        return &command;
      }
      verbs.emplace_back(command.verb);
    }
    nouns.emplace_back(command.noun);
  }
  if (verbs.empty()) {
    const std::string meant = nearest(words[0], nouns);
    return usage("There is no command \"" + words[0] + "\".",
                 meant.empty() ? "Type `mortise --help`." : "Did you mean \"" + meant + "\"?");
  }
  std::string listed;
  for (const std::string& verb : verbs) listed += (listed.empty() ? "" : ", ") + verb;
  const std::string word = words.size() > 1 ? words[1] : "";
  return usage(word.empty() ? "A verb is missing after \"" + words[0] + "\"."
                            : "\"" + words[0] + "\" has no verb \"" + word + "\".",
               "It has: " + listed + ".");
}

bool is_noun(std::string_view word) {
  return std::any_of(commands().begin(), commands().end(),
                     [&](const Command& command) { return command.noun == word; });
}

const Option* find_option(const Command& command, std::string_view name) {
  for (const Option& option : command.options) {
    if (option.name == name) return &option;
  }
  return nullptr;
}

const Option* next_positional(const Command& command, const Arguments& arguments) {
  for (const Option& option : command.options) {
    if (option.name.starts_with("-")) continue;
    if (option.take == Take::kMany || !arguments.has(option.name)) return &option;
  }
  return nullptr;
}

// Takes one word, and the next one where it is an option's value.
base::Status take_word(const Command& command, const std::vector<std::string>& words, size_t& at,
                       Arguments& out) {
  std::string word = words[at++];
  if (!word.starts_with("--")) {
    const Option* positional = next_positional(command, out);
    if (positional == nullptr) {
      return usage("\"" + word + "\" is one word too many for `" + title(command) + "`.",
                   "See `" + title(command) + " --help`.");
    }
    out.values[std::string(positional->name)].push_back(word);
    return {};
  }
  std::string value;
  const size_t equals = word.find('=');
  const bool has_value = equals != std::string::npos;
  if (has_value) {
    value = word.substr(equals + 1);
    word.resize(equals);
  }
  const Option* option = find_option(command, word);
  if (option == nullptr) {
    std::vector<std::string> known = {"--json", "--help"};
    for (const Option& each : command.options) {
      if (each.name.starts_with("-")) known.emplace_back(each.name);
    }
    const std::string meant = nearest(word, known);
    return usage(
        "`" + title(command) + "` has no option " + word + ".",
        meant.empty() ? "See `" + title(command) + " --help`." : "Did you mean " + meant + "?");
  }
  if (option->take == Take::kFlag && has_value) {
    return usage(word + " takes no value, but \"" + value + "\" was given.",
                 "Write " + word + " alone.");
  }
  if (option->take != Take::kFlag && !has_value) {
    if (at == words.size()) {
      return usage(word + " needs a value: " + std::string(option->value) + ".", "");
    }
    value = words[at++];
  }
  if (option->value == "N") MORTISE_TRY(whole_number(word, value));
  auto& values = out.values[word];
  if (option->take == Take::kOne && !values.empty()) {
    return usage(word + " stands twice.", "Give it once.");
  }
  values.push_back(value);
  return {};
}

}  // namespace

std::string Arguments::text(std::string_view name, std::string_view fallback) const {
  const auto found = values.find(name);
  return found == values.end() ? std::string(fallback) : found->second.back();
}

const std::vector<std::string>& Arguments::all(std::string_view name) const {
  static const std::vector<std::string> kNone;
  const auto found = values.find(name);
  return found == values.end() ? kNone : found->second;
}

Result<int64_t> Arguments::integer(std::string_view name, int64_t fallback) const {
  if (!has(name)) return fallback;
  return whole_number(name, text(name));
}

Result<base::Json> Arguments::pairs(std::string_view name) const {
  base::Json out = base::Json::object();
  for (const std::string& pair : all(name)) {
    const size_t equals = pair.find('=');
    if (equals == 0 || equals == std::string::npos) {
      return usage(std::string(name) + " takes KEY=VALUE, not \"" + pair + "\".", "");
    }
    out[pair.substr(0, equals)] = pair.substr(equals + 1);
  }
  return out;
}

Result<base::Json> Arguments::json(std::string_view name, base::Json fallback) const {
  if (!has(name)) return fallback;
  auto value = base::parse_json(text(name));
  if (value.ok()) return std::move(*value);
  return std::move(value.error().at_field(std::string(name)).with("exit_code", "2"));
}

const std::vector<Command>& commands() {
  static const std::vector<Command> all = [] {
    std::vector<Command> out;
    add_server_commands(out);
    add_upload_commands(out);
    add_dataset_commands(out);
    add_store_commands(out);
    add_catalog_commands(out);
    add_model_commands(out);
    add_job_commands(out);
    add_plugin_commands(out);
    add_bench_commands(out);
    add_local_commands(out);
    return out;
  }();
  return all;
}

Result<Parsed> parse_arguments(const std::vector<std::string>& words) {
  Parsed parsed;
  std::vector<std::string> kept;
  bool wants_help = false;
  for (const std::string& word : words) {
    if (word == "--json") {
      parsed.arguments.is_json = true;
    } else if (word == "--help" || word == "-h") {
      wants_help = true;
    } else {
      kept.push_back(word);
    }
  }
  if (kept.empty() || (wants_help && kept.size() == 1 && is_noun(kept[0]))) {
    parsed.help = help_of_all(kept.empty() ? "" : kept[0]);
    return parsed;
  }
  size_t at = 0;
  MORTISE_ASSIGN(const Command* command, find_command(kept, at));
  if (wants_help) {
    parsed.help = help_of(*command);
    return parsed;
  }
  while (at < kept.size()) MORTISE_TRY(take_word(*command, kept, at, parsed.arguments));
  for (const Option& option : command->options) {
    if (option.is_required && !parsed.arguments.has(option.name)) {
      const std::string_view shown = option.name.starts_with("-") ? option.name : option.value;
      return usage("`" + title(*command) + "` needs " + std::string(shown) + " (" +
                       std::string(option.help) + ").",
                   "See `" + title(*command) + " --help`.");
    }
  }
  parsed.found = command;
  return parsed;
}

}  // namespace mortise::cli
