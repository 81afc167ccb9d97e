// See kind_calls.h.
#include "plugin/kit/kind_calls.h"

#include <mortise/draft/device_memory.h>
#include <mortise/draft/device_partition.h>
#include <mortise/draft/device_stream.h>
#include <mortise/draft/loss.h>
#include <mortise/draft/loss_preference.h>
#include <mortise/kind/format.h>
#include <mortise/kind/format_writer.h>
#include <mortise/kind/metric.h>
#include <mortise/kind/tokenizer.h>

#include "plugin/arrow_rows.h"
#include "plugin/error_box.h"
#include "plugin/format.h"
#include "plugin/kit/samples.h"
#include "plugin/metric.h"
#include "plugin/tokenizer.h"
#include "plugin/tokenizer_trainer.h"

namespace mortise::plugin::kit {

using base::Code;
using base::Error;
using base::Result;
using base::Status;

namespace {

// A sink that takes nothing.
int32_t refuse(mortise_sink*, const void*, uint64_t) {
  return MORTISE_STATUS_RESOURCE_EXHAUSTED;
}
mortise_sink refusing_sink() {
  mortise_sink sink{};
  sink.struct_size = sizeof sink;
  sink.write = &refuse;
  return sink;
}

template <class Table, class... Enders>
void end_null(const Plugin& plugin, const char* id, Enders... enders) {
  if (!plugin.has_interface(id)) return;
  const auto table = plugin.get_interface<Table>(id);
  if (!table.ok()) return;
  (((*table)->*enders)(nullptr), ...);
}

// A call without arrays.
Result<mortise_status> provoke_preference(const Case& at, const Plugin& plugin,
                                          mortise_error* error) {
  MORTISE_ASSIGN(const auto* table,
                 plugin.get_interface<mortise_preference_loss>(MORTISE_KIND_LOSS_PREFERENCE));
  mortise_preference_instance* instance = nullptr;
  mortise_preference_facts facts{};
  facts.struct_size = sizeof facts;
  ErrorBox ignored;
  const std::string config = at.config().dump();
  MORTISE_TRY(ignored.check(table->create(text_of(config), &instance, &facts, ignored.get())));
  mortise_preference_call call{};
  call.struct_size = sizeof call;
  call.answers_count = 2;
  const mortise_status status = table->evaluate(instance, &call, error);
  table->destroy(instance);
  return status;
}

Result<mortise_status> provoke_loss(Case& at, const Plugin& plugin, mortise_error* error) {
  if (plugin.has_interface(MORTISE_KIND_LOSS_PREFERENCE)) {
    return provoke_preference(at, plugin, error);
  }
  const char* id =
      plugin.has_interface(MORTISE_KIND_LOSS) ? MORTISE_KIND_LOSS : MORTISE_KIND_LOSS_FUSED_LINEAR;
  MORTISE_ASSIGN(const mortise_loss* table, plugin.get_interface<mortise_loss>(id));
  mortise_loss_instance* instance = nullptr;
  ErrorBox ignored;
  MORTISE_TRY(ignored.check(table->create(text_of("{}"), &instance, ignored.get())));
  mortise_loss_shapes shapes{};
  shapes.struct_size = sizeof shapes;
  shapes.rows_max = shapes.labelled_max = shapes.channels = shapes.classes = 4;
  shapes.dtype = {kDLComplex, 24, 3};
  shapes.device = {kDLCPU, 0};
  mortise_loss_plan* plan = nullptr;
  mortise_loss_needs needs{};
  needs.struct_size = sizeof needs;
  const mortise_status status = table->prepare(instance, &shapes, nullptr, &plan, &needs, error);
  if (status == MORTISE_STATUS_OK) table->plan_destroy(plan);
  table->destroy(instance);
  return status;
}

Result<mortise_status> provoke_device(const Plugin& plugin, mortise_error* error) {
  MORTISE_ASSIGN(const mortise_device_ops* table,
                 plugin.get_interface<mortise_device_ops>(MORTISE_DEVICE_OPS));
  mortise_op_query query{};
  query.struct_size = sizeof query;
  query.op = text_of("no_such_operation");
  query.activation = query.weight = {kDLFloat, 32, 1};
  mortise_op* op = nullptr;
  const mortise_status status = table->prepare(&query, &op, error);
  if (status == MORTISE_STATUS_OK) table->op_destroy(op);
  return status;
}

Result<mortise_status> provoke_metric(const Case& at, const Plugin& plugin, mortise_error* error) {
  MORTISE_ASSIGN(const mortise_metric* table,
                 plugin.get_interface<mortise_metric>(MORTISE_KIND_METRIC));
  mortise_metric_instance* instance = nullptr;
  ErrorBox ignored;
  const std::string config = at.config().dump();
  MORTISE_TRY(ignored.check(table->create(text_of(config), &instance, ignored.get())));
  const uint8_t byte = 0x5A;
  const mortise_status status = table->merge(instance, {&byte, 1}, error);
  table->destroy(instance);
  return status;
}

Result<mortise_status> provoke_tokenizer(Case& at, const std::shared_ptr<Plugin>& plugin,
                                         mortise_error* error) {
  MORTISE_ASSIGN(const std::string uri, tokenizer_uri(at, plugin));
  MORTISE_ASSIGN(const mortise_tokenizer* table,
                 plugin->get_interface<mortise_tokenizer>(MORTISE_KIND_TOKENIZER));
  mortise_tokenizer_instance* instance = nullptr;
  ErrorBox ignored;
  const std::string config = at.config().dump();
  MORTISE_TRY(
      ignored.check(table->create(text_of(uri), text_of(config), &instance, ignored.get())));
  const std::vector<std::string> texts = {"good", "bad \xff\xfe"};
  const OwnedArray array = make_texts(texts);
  mortise_encode_options options{};
  options.struct_size = sizeof options;
  OwnedArray out;
  const mortise_status status =
      table->encode_batch(instance, array.get(), &options, out.out(), error);
  out.reset();
  table->destroy(instance);
  return status;
}

}  // namespace

Result<mortise_status> create_with(Case& at, const Plugin& plugin, std::string_view config,
                                   mortise_error* error) {
  const std::string& kind = at.entry().kind;
  if (kind == "metric") {
    MORTISE_ASSIGN(const auto* table, plugin.get_interface<mortise_metric>(MORTISE_KIND_METRIC));
    mortise_metric_instance* instance = nullptr;
    const mortise_status status = table->create(text_of(config), &instance, error);
    if (status == MORTISE_STATUS_OK) table->destroy(instance);
    return status;
  }
  if (kind == "loss" && plugin.has_interface(MORTISE_KIND_LOSS_PREFERENCE)) {
    MORTISE_ASSIGN(const auto* table,
                   plugin.get_interface<mortise_preference_loss>(MORTISE_KIND_LOSS_PREFERENCE));
    mortise_preference_instance* instance = nullptr;
    mortise_preference_facts facts{};
    facts.struct_size = sizeof facts;
    const mortise_status status = table->create(text_of(config), &instance, &facts, error);
    if (status == MORTISE_STATUS_OK) table->destroy(instance);
    return status;
  }
  if (kind == "loss") {
    const char* id = plugin.has_interface(MORTISE_KIND_LOSS) ? MORTISE_KIND_LOSS
                                                             : MORTISE_KIND_LOSS_FUSED_LINEAR;
    MORTISE_ASSIGN(const auto* table, plugin.get_interface<mortise_loss>(id));
    mortise_loss_instance* instance = nullptr;
    const mortise_status status = table->create(text_of(config), &instance, error);
    if (status == MORTISE_STATUS_OK) table->destroy(instance);
    return status;
  }
  if (kind == "tokenizer") {
    MORTISE_ASSIGN(const auto* table,
                   plugin.get_interface<mortise_tokenizer>(MORTISE_KIND_TOKENIZER));
    const std::string uri = at.conformance()["uri"].as_string();
    mortise_tokenizer_instance* instance = nullptr;
    const mortise_status status = table->create(text_of(uri), text_of(config), &instance, error);
    if (status == MORTISE_STATUS_OK) table->destroy(instance);
    return status;
  }
  if (kind == "dataset_format") {
    MORTISE_ASSIGN(const auto* table,
                   plugin.get_interface<mortise_dataset_format>(MORTISE_KIND_DATASET_FORMAT));
    MORTISE_ASSIGN(const SampleFile sample, format_sample(at));
    const mortise_text uri = text_of(sample.name);
    mortise_format_instance* instance = nullptr;
    const mortise_status status = table->open(&uri, 1, text_of(config), &instance, error);
    if (status == MORTISE_STATUS_OK) table->close(instance);
    return status;
  }
  return MORTISE_STATUS_OK;
}

Status end_nothing(const Plugin& plugin) {
  end_null<mortise_metric>(plugin, MORTISE_KIND_METRIC, &mortise_metric::destroy);
  end_null<mortise_tokenizer>(plugin, MORTISE_KIND_TOKENIZER, &mortise_tokenizer::destroy,
                              &mortise_tokenizer::decoder_destroy);
  end_null<mortise_tokenizer_trainer>(plugin, MORTISE_TOKENIZER_TRAINER,
                                      &mortise_tokenizer_trainer::destroy);
  end_null<mortise_dataset_format>(plugin, MORTISE_KIND_DATASET_FORMAT,
                                   &mortise_dataset_format::close);
  end_null<mortise_dataset_format_writer>(plugin, MORTISE_KIND_DATASET_FORMAT_WRITER,
                                          &mortise_dataset_format_writer::abort);
  for (const char* id : {MORTISE_KIND_LOSS, MORTISE_KIND_LOSS_FUSED_LINEAR}) {
    end_null<mortise_loss>(plugin, id, &mortise_loss::destroy, &mortise_loss::plan_destroy);
  }
  end_null<mortise_preference_loss>(plugin, MORTISE_KIND_LOSS_PREFERENCE,
                                    &mortise_preference_loss::destroy);
  end_null<mortise_device_ops>(plugin, MORTISE_DEVICE_OPS, &mortise_device_ops::op_destroy);
  end_null<mortise_device_memory>(plugin, MORTISE_DEVICE_MEMORY,
                                  &mortise_device_memory::free_pinned);
  end_null<mortise_device_stream>(plugin, MORTISE_DEVICE_STREAM, &mortise_device_stream::destroy,
                                  &mortise_device_stream::event_destroy);
  end_null<mortise_device_partition>(plugin, MORTISE_DEVICE_PARTITION,
                                     &mortise_device_partition::release);
  return {};
}

Result<mortise_status> provoke(Case& at, const std::shared_ptr<Plugin>& plugin,
                               mortise_error* error) {
  const std::string& kind = at.entry().kind;
  if (kind == "metric") return provoke_metric(at, *plugin, error);
  if (kind == "tokenizer") return provoke_tokenizer(at, plugin, error);
  if (kind == "loss") return provoke_loss(at, *plugin, error);
  if (kind == "device") return provoke_device(*plugin, error);
  MORTISE_ASSIGN(const auto* table,
                 plugin->get_interface<mortise_dataset_format>(MORTISE_KIND_DATASET_FORMAT));
  const mortise_text uri = text_of("no_such_file.here");
  const std::string config = at.config().dump();
  mortise_format_instance* instance = nullptr;
  const mortise_status status = table->open(&uri, 1, text_of(config), &instance, error);
  if (status == MORTISE_STATUS_OK) table->close(instance);
  return status;
}

Result<mortise_status> call_with_refusing_sink(Case& at, const std::shared_ptr<Plugin>& plugin) {
  const std::string& kind = at.entry().kind;
  const std::string config = at.config().dump();
  mortise_sink sink = refusing_sink();
  ErrorBox error;
  if (kind == "metric") {
    MORTISE_ASSIGN(const auto* table, plugin->get_interface<mortise_metric>(MORTISE_KIND_METRIC));
    mortise_metric_instance* instance = nullptr;
    MORTISE_TRY(error.check(table->create(text_of(config), &instance, error.get())));
    const mortise_status status = table->save(instance, &sink, error.get());
    table->destroy(instance);
    return status;
  }
  if (kind == "tokenizer") {
    MORTISE_ASSIGN(const std::string uri, tokenizer_uri(at, plugin));
    MORTISE_ASSIGN(const auto* table,
                   plugin->get_interface<mortise_tokenizer>(MORTISE_KIND_TOKENIZER));
    mortise_tokenizer_instance* instance = nullptr;
    MORTISE_TRY(error.check(table->create(text_of(uri), text_of(config), &instance, error.get())));
    const mortise_status status = table->fingerprint(instance, &sink, error.get());
    table->destroy(instance);
    return status;
  }
  if (kind == "dataset_format") {
    MORTISE_ASSIGN(const SampleFile sample, format_sample(at));
    MORTISE_ASSIGN(const auto* table,
                   plugin->get_interface<mortise_dataset_format>(MORTISE_KIND_DATASET_FORMAT));
    mortise_format_sample first{};
    first.struct_size = sizeof first;
    first.name = text_of(sample.name);
    first.head = {reinterpret_cast<const uint8_t*>(sample.text.data()), sample.text.size()};
    first.size_bytes = sample.text.size();
    uint32_t score = 0;
    return table->probe(&first, &score, &sink, error.get());
  }
  return Error(Code::kNotFound, "The kind has no call with a sink.");
}

Result<std::string> tokenizer_uri(Case& at, const std::shared_ptr<Plugin>& plugin) {
  if (!plugin->has_interface(MORTISE_TOKENIZER_TRAINER)) {
    return at.conformance()["uri"].as_string();
  }
  return at.once([&]() -> Result<std::string> {
    base::Json config = at.conformance()["trainer_config"];
    if (config.is_null()) config = base::Json::object({{"vocab_size", 300}});
    MORTISE_ASSIGN(auto trainer, TokenizerTrainer::create(plugin, config));
    MORTISE_TRY(trainer.add(sample_texts()));
    MORTISE_ASSIGN(const std::string text, trainer.finish());
    MORTISE_TRY(at.put("trained/tokenizer.json", text));
    return std::string("trained/tokenizer.json");
  });
}

Result<SampleFile> format_sample(const Case& at) {
  const std::vector<SampleFile> samples = at.samples();
  if (!samples.empty()) return samples.front();
  return Error(Code::kNotFound, "The pack gives no sample file.",
               "Name one in pack.json: \"x-conformance\": {\"samples\": [{\"name\", \"text\"}]}.");
}

}  // namespace mortise::plugin::kit
