// A served model: takes "generate" requests from any number of connections and lets their sequences
// advance together, one token a step. Called by the worker's serve task. Knows nothing of HTTP: the
// server relays OpenAI's requests as they are.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "engine/chat/chat_model.h"
#include "engine/op/device.h"
#include "job/channel.h"
#include "serve/tool_calls.h"

namespace mortise::serve {

struct ServeLimits {
  size_t sequences_max = 8;  // that advance together; more wait in order
  size_t waiting_max = 64;   // more are refused with RESOURCE_EXHAUSTED
  int64_t new_tokens_default = 256;
};

class Service {
 public:
  Service(engine::Device& device, const engine::ChatModel& chat, ServeLimits limits = {});

  // Answers one request on the caller's thread: {"messages", "tools", "parallel_tool_calls",
  // "temperature", "top_p", "top_k", "seed", "max_tokens", "stop"}; sends lines {"delta"} as text
  // becomes certain and {"tool_calls": [{"index", "name", "arguments"}]} as calls are complete, and
  // returns {"finish_reason", "usage"}. Errors: INVALID_ARGUMENT naming the field; CANCELLED when
  // the asker has gone; RESOURCE_EXHAUSTED when too many wait; what its own steps say. [any]
  base::Result<base::Json> generate(const base::Json& request, job::ChannelReply& reply);

  // Runs the steps until `should_stop` says so. Requests that are under way then end with
  // CANCELLED, later ones are refused, and it returns once the last has left generate(). Call on
  // one thread.
  base::Status run(const std::function<bool()>& should_stop);

 private:
  struct Talk;
  base::Result<std::shared_ptr<Talk>> admit(const base::Json& request);
  struct Fresh {
    std::vector<int32_t> ids;
    engine::Finish finish;
  };
  base::Result<Fresh> fresh_of(const Talk& talk, size_t& seen);
  base::Result<base::Json> follow(const Talk& talk, job::ChannelReply& reply);
  std::vector<std::shared_ptr<Talk>> next_batch();
  void advance(const std::vector<std::shared_ptr<Talk>>& batch);
  void end_all();

  engine::Device& device_;
  const engine::ChatModel& chat_;
  ServeLimits limits_;
  const ToolFormat* tool_format_;  // of the model's template; nullptr: none that is known
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<Talk>> waiting_;
  std::vector<std::shared_ptr<Talk>> running_;
  size_t inside_ = 0;  // requests in generate()
  bool is_ending_ = false;
};

// A chat request of OpenAI's shape as a plain conversation (RowMessages::is_plain): "<image>" and
// control tokens in its texts stay text; images are their data: URLs, sounds their base64. Errors:
// INVALID_ARGUMENT naming the part.
base::Result<engine::RowMessages> conversation_of(const base::Json& request);

// The bytes of "data:image/png;base64,...". Errors: INVALID_ARGUMENT.
base::Result<std::string> bytes_of_data_url(const std::string& url);
// The image of such a URL, or the sound of base64, decoded within the options' limits; an
// engine::OpenMedia. Errors also: those of decode_image and of AudioReader.
base::Result<ingest::Medium> medium_of_data_url(const engine::MediaField& medium,
                                                const ingest::MediaOptions& options);

}  // namespace mortise::serve
