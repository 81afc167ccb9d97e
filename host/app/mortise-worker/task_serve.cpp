// Task "serve": loads the model, says that it is ready, answers "generate" until it is cancelled.
#include "app/mortise-worker/device.h"
#include "engine/chat/chat_model.h"
#include "serve/serve.h"

namespace mortise::worker {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

Result<job::TaskResult> task_serve(Context& context) {
  context.progress("load", -1, -1);
  MORTISE_ASSIGN(const auto device, open_device(context));
  engine::ChatModelRequest opened;
  opened.model_folder = context.task.inputs.model_folder;
  opened.adapter_folder = context.task.inputs.adapter_folder;
  opened.tokenizer_id = context.tokenizer_id();
  opened.tokenizer_config = context.task.manifest["plugins"]["tokenizer"]["config"];
  opened.media = context.task.manifest["media"];
  MORTISE_ASSIGN(const auto chat, engine::ChatModel::open(context.files, context.registry, opened));
  serve::Service service(device->device, *chat);
  context.set_on_request([&](const Json& request, job::ChannelReply& reply) -> Result<Json> {
    if (request["verb"].as_string() == "generate") return service.generate(request, reply);
    return Error(Code::kUnimplemented,
                 "A served model does not answer \"" + request["verb"].as_string() + "\".");
  });
  job::StatusLine ready;
  ready.state = job::State::kRunning;
  ready.phase = "serve";
  ready.endpoint = "ready";
  MORTISE_TRY(context.status.write(ready));
  const base::Status ran = service.run([&] { return context.is_cancelled.load(); });
  context.set_on_request({});
  MORTISE_TRY(ran);
  return Error(Code::kCancelled, "The endpoint was stopped.");
}

}  // namespace mortise::worker
