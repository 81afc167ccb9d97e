// See status.h.
#include "job/status.h"

#include <array>

#include "base/crypto.h"
#include "job/error_json.h"
#include "job/task.h"

namespace mortise::job {
namespace {

constexpr std::array<const char*, 5> kStateNames = {"starting", "running", "done", "failed",
                                                    "cancelled"};
constexpr size_t kReadMax = 1u << 20;  // bytes a call

}  // namespace

const char* state_name(State state) {
  return kStateNames[static_cast<size_t>(state)];
}

bool is_final(State state) {
  return state != State::kStarting && state != State::kRunning;
}

base::Json StatusLine::to_json() const {
  base::Json json = base::Json::object({{"at_ns", at_ns}, {"state", state_name(state)}});
  if (!phase.empty()) json["phase"] = phase;
  if (step >= 0) json["step"] = step;
  if (steps_total >= 0) json["steps_total"] = steps_total;
  if (!message.empty()) json["message"] = message;
  if (error.has_value()) json["error"] = problem_of(*error);
  if (!endpoint.empty()) json["endpoint"] = endpoint;
  return json;
}

base::Result<StatusLine> StatusLine::from_json(const base::Json& value) {
  const std::string& name = value["state"].as_string();
  StatusLine line;
  size_t index = 0;
  while (index < kStateNames.size() && name != kStateNames[index]) ++index;
  if (index == kStateNames.size()) {
    return base::Error(base::Code::kInvalidArgument, "\"" + name + "\" is not a state of a task.")
        .at_field("/state");
  }
  line.state = static_cast<State>(index);
  line.at_ns = value["at_ns"].as_int();
  line.phase = value["phase"].as_string();
  line.step = value["step"].as_int(-1);
  line.steps_total = value["steps_total"].as_int(-1);
  line.message = value["message"].as_string();
  line.endpoint = value["endpoint"].as_string();
  if (const base::Json* problem = value.find("error")) line.error = error_of_problem(*problem);
  return line;
}

base::Result<std::unique_ptr<StatusWriter>> StatusWriter::open(base::FileOps& files,
                                                               base::Clock& clock,
                                                               const std::string& task_folder) {
  MORTISE_ASSIGN(auto file,
                 files.open(base::join_path(task_folder, kStatusFile), base::OpenMode::kAppend));
  return std::unique_ptr<StatusWriter>(new StatusWriter(clock, std::move(file)));
}

base::Status StatusWriter::write(StatusLine line) {
  if (line.at_ns == 0) line.at_ns = clock_->now_ns();
  const std::string text = line.to_json().dump() + "\n";
  const std::lock_guard lock(mutex_);
  MORTISE_TRY(file_->write(base::as_bytes(text)));
  return is_final(line.state) ? file_->sync() : base::Status();
}

base::Result<std::vector<std::string>> LineFollower::read() {
  auto file = files_->open(path_, base::OpenMode::kRead);
  if (!file.ok()) {
    if (file.error().code == base::Code::kNotFound) return std::vector<std::string>();
    return std::move(file).error();
  }
  std::string text(kReadMax, '\0');
  MORTISE_ASSIGN(
      const size_t got,
      (*file)->read_at(offset_, std::as_writable_bytes(std::span(text.data(), kReadMax))));
  text.resize(got);
  std::vector<std::string> lines;
  size_t begin = 0;
  for (size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', begin)) {
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  if (lines.empty() && got == kReadMax) {
    return base::Error(base::Code::kDataLoss, "A line is longer than 1 MiB.")
        .at_file(path_)
        .at_byte(static_cast<int64_t>(offset_));
  }
  offset_ += begin;
  return lines;
}

StatusReader::StatusReader(base::FileOps& files, const std::string& task_folder)
    : lines_(files, base::join_path(task_folder, kStatusFile)) {}

base::Result<std::vector<StatusLine>> StatusReader::read() {
  MORTISE_ASSIGN(const std::vector<std::string> texts, lines_.read());
  std::vector<StatusLine> lines;
  for (const std::string& text : texts) {
    const auto value = base::parse_json(text);
    if (!value.ok()) continue;
    auto line = StatusLine::from_json(*value);
    if (line.ok()) lines.push_back(std::move(line).value());
  }
  return lines;
}

}  // namespace mortise::job
