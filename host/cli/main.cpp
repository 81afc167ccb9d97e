// mortise: the command line. Reads the words, runs the command, prints errors in one form: text for
// people, RFC 9457 for --json, both on standard error.
#include <cstdio>
#include <string>
#include <vector>

#include "cli/command.h"
#include "job/error_json.h"
#include "job/exit_code.h"

namespace {

// "exit_code" among the details is the commands' word to main, not the user's.
int fail(mortise::base::Error error, bool is_json) {
  int code = static_cast<int>(mortise::job::exit_code_of(error));
  std::erase_if(error.details, [&](const auto& detail) {
    if (detail.first != "exit_code") return false;
    code = std::stoi(detail.second);
    return true;
  });
  if (is_json) {
    std::fprintf(stderr, "%s\n", mortise::job::problem_of(error).dump().c_str());
  } else {
    std::fprintf(stderr, "mortise: %s\n", error.text().c_str());
  }
  return code;
}

}  // namespace

int main(int count, char** arguments) {
  const std::vector<std::string> words(arguments + 1, arguments + count);
  bool is_json = false;
  for (const std::string& word : words) is_json = is_json || word == "--json";
  auto parsed = mortise::cli::parse_arguments(words);
  if (!parsed.ok()) return fail(parsed.error(), is_json);
  if (parsed->found == nullptr) {
    std::fputs(parsed->help.c_str(), stdout);
    return 0;
  }
  const auto code = parsed->found->run(parsed->arguments);
  return code.ok() ? *code : fail(code.error(), is_json);
}
