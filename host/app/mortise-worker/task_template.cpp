// `mortise template render` in the worker: chat rows through a template, a line in, a line out. A
// row that the template refuses gives {"error"} on its line; the others go on.
#include <cstdio>

#include "app/mortise-worker/context.h"
#include "engine/template/chat.h"

namespace mortise::worker {
namespace {

using base::Json;
using base::Result;

engine::ChatRequest request_of(const Json& row) {
  engine::ChatRequest request;
  request.messages = row["messages"];
  request.tools = row["tools"];
  request.add_generation_prompt = row["add_generation_prompt"].as_bool();
  request.continue_final_message = row["continue_final_message"].as_bool();
  request.variables = row["variables"];
  engine::LocalTime now;
  if (std::sscanf(row["now"].as_string().c_str(), "%d-%d-%dT%d:%d:%d", &now.year, &now.month,
                  &now.day, &now.hour, &now.minute, &now.second) >= 3) {
    request.now = now;
  }
  return request;
}

Json render_row(const engine::Template& chat_template, const Json& row) {
  const engine::ChatRequest request = request_of(row);
  const auto text = engine::render_chat(chat_template, request);
  if (!text.ok()) return Json::object({{"error", text.error().text()}});
  Json spans = Json::array();
  // A prompt alone has nothing to learn, so a template without spans still renders.
  if (const auto trained = engine::render_for_training(chat_template, request); trained.ok()) {
    for (const auto& [begin, end] : engine::in_characters(trained->text, trained->train_spans)) {
      spans.push_back(Json::array({static_cast<uint64_t>(begin), static_cast<uint64_t>(end)}));
    }
  }
  return Json::object({{"text", *text}, {"train_spans", std::move(spans)}});
}

}  // namespace

// arguments: {template: file}; rows on standard input.
Result<job::TaskResult> template_render(Context& context) {
  const std::string path = context.text("template");
  MORTISE_ASSIGN(const std::string source, base::read_file(context.files, path));
  auto parsed = engine::Template::parse(source);
  if (!parsed.ok()) return std::move(parsed.error().at_file(path));
  job::LineFollower lines(context.files, base::join_path(context.task_folder, "input"));
  int64_t number = 0;
  while (true) {
    MORTISE_ASSIGN(const auto read, lines.read());
    if (read.empty()) break;
    std::string out;
    for (const std::string& line : read) {
      ++number;
      auto row = base::parse_json(line);
      if (!row.ok()) return std::move(row.error().at_file("standard input").at_row(number));
      out += render_row(*parsed, *row).dump() + "\n";
    }
    MORTISE_TRY(context.print(out));
  }
  job::TaskResult result;
  result.ok = true;
  return result;
}

}  // namespace mortise::worker
