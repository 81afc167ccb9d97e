// OpenAI's chat request, field by field: what goes to the worker, and what is refused by its name.
#include "server/openai_request.h"

#include <gtest/gtest.h>

namespace mortise::server {
namespace {

using base::Code;
using base::Json;

// A sound request with these members added or put in place of its own.
Json body_with(const std::string& members) {
  Json body =
      *base::parse_json(R"({"model": "m", "messages": [{"role": "user", "content": "x"}]})");
  const Json more = base::parse_json("{" + members + "}").value();
  for (const auto& [name, value] : more.members()) body[name] = value;
  return body;
}
base::Result<Json> request_with(const std::string& members) {
  return chat_request_of(body_with(members));
}
// The field that the request is refused for; empty when it is not.
std::string refused(const std::string& members) {
  const auto request = request_with(members);
  if (request.ok()) return "";
  EXPECT_EQ(request.error().code, Code::kInvalidArgument) << members;
  return request.error().field;
}

constexpr const char* kTool = R"("tools": [{"type": "function", "function": {"name": "f"}}])";

TEST(ChatRequest, HandsOnWhatTheWorkerReads) {
  const auto request = request_with(
      R"("temperature": 0.5, "top_p": 1, "top_k": 4, "seed": -3, "stop": ["a"], "user": "u",
         "max_completion_tokens": 7, "max_tokens": 9, "stream": true, "n": 1, "logprobs": false,
         "stream_options": {"include_usage": true}, "metadata": {"a": "b"}, "store": null)");
  ASSERT_TRUE(request.ok()) << request.error().text();
  EXPECT_EQ(request->dump(),
            R"({"verb":"generate","messages":[{"role":"user","content":"x"}],"temperature":0.5,)"
            R"("top_p":1,"top_k":4,"seed":-3,"stop":["a"],"max_tokens":7})");
}

TEST(ChatRequest, NullIsAsGoodAsAbsent) {
  const auto request = request_with(
      R"("temperature": null, "stop": null, "tools": null, "tool_choice": null, "seed": null,
         "response_format": null, "n": null, "stream": null, "stream_options": null)");
  ASSERT_TRUE(request.ok()) << request.error().text();
  EXPECT_EQ(request->size(), 2u) << request->dump();
}

TEST(ChatRequest, NamesAFieldOfAWrongKindOrOutOfRange) {
  const std::pair<const char*, const char*> kCases[] = {
      {R"("model": 7)", "model"},
      {R"("messages": {})", "messages"},
      {R"("messages": [])", "messages"},
      {R"("temperature": "1")", "temperature"},
      {R"("temperature": 2.5)", "temperature"},
      {R"("temperature": -0.1)", "temperature"},
      {R"("top_p": 1.1)", "top_p"},
      {R"("top_p": true)", "top_p"},
      {R"("top_k": -1)", "top_k"},
      {R"("top_k": 1.5)", "top_k"},
      {R"("seed": "7")", "seed"},
      {R"("seed": 1.5)", "seed"},
      {R"("seed": 1e300)", "seed"},
      {R"("stop": 7)", "stop"},
      {R"("stop": [""])", "stop"},
      {R"("stop": ["a", "b", "c", "d", "e"])", "stop"},
      {R"("max_tokens": 0)", "max_tokens"},
      {R"("max_tokens": "9")", "max_tokens"},
      {R"("max_completion_tokens": 1.5)", "max_completion_tokens"},
      {R"("n": 0)", "n"},
      {R"("n": "1")", "n"},
      {R"("logprobs": 1)", "logprobs"},
      {R"("top_logprobs": 21)", "top_logprobs"},
      {R"("frequency_penalty": 3)", "frequency_penalty"},
      {R"("stream": "yes")", "stream"},
      {R"("stream_options": {"include_usage": true})", "stream_options"},
      {R"("stream": true, "stream_options": 1)", "stream_options"},
      {R"("stream": true, "stream_options": {"include_usage": 1})", "stream_options.include_usage"},
      {R"("stream": true, "stream_options": {"x": true})", "stream_options.x"},
      {R"("response_format": "json")", "response_format"},
      {R"("user": 7)", "user"},
      {R"("tool_choice": 7)", "tool_choice"},
      {R"("tool_choice": "auto")", "tool_choice"},
      {R"("parallel_tool_calls": 0)", "parallel_tool_calls"},
  };
  for (const auto& [members, field] : kCases) EXPECT_EQ(refused(members), field) << members;
}

TEST(ChatRequest, RefusesWhatItKnowsAndDoesNotServe) {
  const std::pair<const char*, const char*> kCases[] = {
      {R"("n": 2)", "n"},
      {R"("logprobs": true)", "logprobs"},
      {R"("top_logprobs": 3)", "top_logprobs"},
      {R"("frequency_penalty": 0.5)", "frequency_penalty"},
      {R"("presence_penalty": -1)", "presence_penalty"},
      {R"("logit_bias": {"5": 1})", "logit_bias"},
      {R"("response_format": {"type": "json_object"})", "response_format"},
      {R"("modalities": ["text", "audio"])", "modalities"},
      {R"("audio": {"voice": "x"})", "audio"},
      {R"("functions": [{"name": "f"}])", "functions"},
      {R"("function_call": "auto")", "function_call"},
      {R"("reasoning_effort": "low")", "reasoning_effort"},
      {R"("web_search_options": {"a": 1})", "web_search_options"},
      {R"("store": true)", "store"},
  };
  for (const auto& [members, field] : kCases) EXPECT_EQ(refused(members), field) << members;
  EXPECT_EQ(refused(R"("n": 1, "logit_bias": {}, "frequency_penalty": 0, "store": false,
                       "response_format": {"type": "text"}, "modalities": ["text"])"),
            "");
}

TEST(ChatRequest, RefusesWhatItDoesNotKnow) {
  EXPECT_EQ(refused(R"("temprature": 1)"), "temprature");
  EXPECT_EQ(request_with(R"("temprature": 1)").error().message,
            "Unknown parameter: \"temprature\".");
  EXPECT_EQ(refused(R"("messages": [{"role": "user", "content": "x", "loss": 1}])"),
            "messages[0].loss");
}

TEST(ChatRequest, ChecksEachMessage) {
  const std::pair<const char*, const char*> kCases[] = {
      {R"("messages": [7])", "messages[0]"},
      {R"("messages": [{"role": "bot", "content": "x"}])", "messages[0].role"},
      {R"("messages": [{"role": "user</s>", "content": "x"}])", "messages[0].role"},
      {R"("messages": [{"role": "user"}])", "messages[0].content"},
      {R"("messages": [{"role": "user", "content": null}])", "messages[0].content"},
      {R"("messages": [{"role": "user", "content": []}])", "messages[0].content"},
      {R"("messages": [{"role": "user", "content": [{"type": "text"}]}])",
       "messages[0].content[0]"},
      {R"("messages": [{"role": "user", "content": [{"type": "input_audio"}]}])",
       "messages[0].content[0]"},
      {R"("messages": [{"role": "tool", "content": "x"}])", "messages[0].tool_call_id"},
      {R"("messages": [{"role": "assistant", "content": null, "tool_calls": [{}]}])",
       "messages[0].tool_calls[0]"},
      {R"("messages": [{"role": "user", "content": "x", "name": 7}])", "messages[0].name"},
  };
  for (const auto& [members, field] : kCases) EXPECT_EQ(refused(members), field) << members;
}

TEST(ChatRequest, TakesToolsThatTheModelMayCall) {
  const std::string tool = kTool;
  EXPECT_EQ(request_with(tool)->find("tools")->size(), 1u);
  EXPECT_EQ(request_with(tool + R"(, "tool_choice": "auto")")->find("tools")->size(), 1u);
  EXPECT_FALSE(request_with(tool + R"(, "tool_choice": "none")")->contains("tools"));
  EXPECT_EQ(refused(tool + R"(, "tool_choice": "required")"), "tool_choice");
  EXPECT_EQ(refused(tool + R"(, "tool_choice": {"type": "function", "function": {"name": "f"}})"),
            "tool_choice");
}

TEST(ChatRequest, ChecksEachTool) {
  const std::pair<const char*, const char*> kCases[] = {
      {R"("tools": [{"type": "web_search"}])", "tools[0].type"},
      {R"("tools": [{"type": "function", "function": {}}])", "tools[0].function.name"},
      {R"("tools": [{"type": "function", "function": {"name": "a b"}}])", "tools[0].function.name"},
      {R"("tools": [{"type": "function", "function": {"name": "f", "parameters": 7}}])",
       "tools[0].function.parameters"},
      {R"("tools": [{"type": "function", "function": {"name": "f", "strict": true}}])",
       "tools[0].function.strict"},
  };
  for (const auto& [members, field] : kCases) EXPECT_EQ(refused(members), field) << members;
}

}  // namespace
}  // namespace mortise::server
