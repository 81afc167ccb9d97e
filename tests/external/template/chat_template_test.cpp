// Real chat templates against what transformers makes of them: every case of the goldens, exact
// text or an error.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <sstream>

#include "base/file_ops.h"
#include "base/json.h"
#include "engine/template/chat.h"

namespace mortise::engine {
namespace {

using base::Json;

std::string read(const std::string& path) {
  auto text = base::read_file(base::posix_file_ops(), path);
  EXPECT_TRUE(text.ok()) << path;
  return text.ok() ? std::move(text).value() : std::string();
}

std::string template_text(const std::string& fixtures, const Json& row) {
  std::string text = read(fixtures + "/" + row["template"].as_string());
  if (row["key"].is_string()) text = base::parse_json(text)->find("chat_template")->as_string();
  if (row["transform"].as_string() == "flatten") {
    for (const std::string_view gone : {"\r", "    ", "\n"}) {
      for (size_t at; (at = text.find(gone)) != std::string::npos;) text.erase(at, gone.size());
    }
  }
  return text;
}

ChatRequest request_of(const Json& row) {
  ChatRequest request;
  request.messages = row["messages"];
  request.tools = row["tools"];
  request.add_generation_prompt = row["add_generation_prompt"].as_bool();
  request.variables = Json::object();
  for (const auto& [name, value] : row["special_tokens"].members()) request.variables[name] = value;
  for (const auto& [name, value] : row["kwargs"].members()) {
    if (name == "continue_final_message") {
      request.continue_final_message = value.as_bool();
    } else {
      request.variables[name] = value;
    }
  }
  LocalTime now;
  if (row["now"].is_string() &&
      std::sscanf(row["now"].as_string().c_str(), "%d-%d-%dT%d:%d:%d", &now.year, &now.month,
                  &now.day, &now.hour, &now.minute, &now.second) == 6) {
    request.now = now;
  }
  return request;
}

class ChatGoldens : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* folder = std::getenv("MORTISE_FIXTURES");
    if (folder == nullptr) GTEST_SKIP() << "MORTISE_FIXTURES is not set: no golden templates.";
    fixtures_ = folder;
    std::istringstream lines(read(fixtures_ + "/goldens/chat-templates/cases.jsonl"));
    for (std::string line; std::getline(lines, line);) {
      auto row = base::parse_json(line);
      ASSERT_TRUE(row.ok());
      rows_.push_back(std::move(row).value());
    }
    ASSERT_EQ(rows_.size(), 765u);
  }

  std::string fixtures_;
  std::vector<Json> rows_;
};

TEST_F(ChatGoldens, EveryCaseGivesTheTextOfTransformersOrAnError) {
  int wrong = 0;
  for (const Json& row : rows_) {
    const std::string name = row["id"].as_string() + " " + row["template"].as_string();
    const auto parsed = Template::parse(template_text(fixtures_, row));
    ASSERT_TRUE(parsed.ok()) << name << ": " << parsed.error().text();
    const auto text = render_chat(*parsed, request_of(row));
    if (row.contains("expected_error")) {
      EXPECT_FALSE(text.ok()) << name << " should fail: " << row["expected_error"].as_string();
    } else if (!text.ok()) {
      ADD_FAILURE() << name << ": " << text.error().text();
      ++wrong;
    } else {
      EXPECT_EQ(*text, row["expected"].as_string()) << name;
      wrong += *text != row["expected"].as_string() ? 1 : 0;
    }
    ASSERT_LT(wrong, 8) << "enough";
  }
}

// The spans must hold what the assistant says, and nothing that another role says.
TEST_F(ChatGoldens, TrainSpansHoldTheAssistantsWords) {
  int checked = 0;
  for (const Json& row : rows_) {
    // features.jinja prints lengths and counts of its messages: nothing marks a text in it.
    if (row.contains("expected_error") || row["template"].as_string().ends_with("features.jinja")) {
      continue;
    }
    const Json& last = row["messages"].items().back();
    if (last["role"].as_string() != "assistant" || !last["content"].is_string()) continue;
    const auto parsed = Template::parse(template_text(fixtures_, row));
    ChatRequest request = request_of(row);
    request.continue_final_message = false;
    request.add_generation_prompt = false;
    const auto text = render_for_training(*parsed, request);
    const std::string name = row["id"].as_string() + " " + row["template"].as_string();
    ASSERT_TRUE(text.ok()) << name << ": " << text.error().text();
    std::string learned;
    for (const ByteSpan& span : text->train_spans) {
      learned += text->text.substr(span.begin, span.end - span.begin);
    }
    const std::string words = last["content"].as_string();
    const size_t first = words.find_first_not_of(" \n"), end = words.find_last_not_of(" \n") + 1;
    if (first == std::string::npos) continue;
    EXPECT_NE(learned.find(words.substr(first, end - first)), std::string::npos)
        << name << "\n"
        << text->text << "\nlearned: " << learned;
    ++checked;
  }
  EXPECT_GT(checked, 100);
}

}  // namespace
}  // namespace mortise::engine
