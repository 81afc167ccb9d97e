// Bytes as tokens (plugins/examples/tokenizer_cpp) with one fault. See evil.h.
#include <mortise/draft/tokenizer_trainer.h>
#include <mortise/kind/tokenizer.h>
#include <mortise/service/files.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "evil.h"

struct mortise_tokenizer_trainer_instance {
  std::string texts;
};

namespace evil {
namespace {

const mortise_tokenizer* good = nullptr;
mortise_tokenizer bad;

// Aborts when the file does not begin as a JSON object does.
void read_carelessly(mortise_text uri, mortise_error* error) {
  const auto* files = service<mortise_files_service>(MORTISE_SERVICE_FILES);
  mortise_file* file = nullptr;
  if (files->open(hello->host, uri, MORTISE_FILE_READ, &file, error) != MORTISE_STATUS_OK) return;
  char head[8] = {};
  uint64_t size = 0;
  files->read_at(file, 0, head, sizeof head, &size, error);
  files->discard(file);
  if (std::memcmp(head, "{\"a\": 1}", sizeof head) != 0) std::abort();
}

mortise_status create(mortise_text uri, mortise_text config, mortise_tokenizer_instance** out,
                      mortise_error* error) {
  if (is("dies_of_files")) read_carelessly(uri, error);
  return good->create(uri, config, out, error);
}

mortise_status describe(const mortise_tokenizer_instance* instance, mortise_tokenizer_facts* out,
                        mortise_error* error) {
  const mortise_status status = good->describe(instance, out, error);
  if (is("counts_too_many_ids")) out->vocab_count += 5;
  return status;
}

// The same texts with other bytes.
class Texts {
 public:
  explicit Texts(const ArrowArray& array) : array_(array) {
    const auto* offsets = static_cast<const int32_t*>(array.buffers[1]);
    const auto* text = static_cast<const char*>(array.buffers[2]);
    const int32_t end = offsets == nullptr ? 0 : offsets[array.offset + array.length];
    bytes.assign(text == nullptr ? "" : text, text == nullptr ? 0 : static_cast<size_t>(end));
    bytes.reserve(64);
    std::copy_n(array.buffers, 3, buffers_);
  }
  const ArrowArray* get() {
    buffers_[2] = bytes.data();
    array_.buffers = buffers_;
    return &array_;
  }
  std::string bytes;

 private:
  ArrowArray array_;
  const void* buffers_[3] = {};
};

void shift_offsets(ArrowArray* out) {
  ArrowArray* values = out->children[1]->children[0];
  auto* numbers = static_cast<int64_t*>(const_cast<void*>(values->buffers[1]));
  for (int64_t i = 0; i < values->length; ++i) numbers[i] += 1000;
}

mortise_status encode_batch(const mortise_tokenizer_instance* instance, const ArrowArray* texts,
                            const mortise_encode_options* options, ArrowArray* out,
                            mortise_error* error) {
  mortise_encode_options changed = *options;
  if (is("is_not_parallel") && is_crowded()) {
    return refuse(error, MORTISE_STATUS_UNAVAILABLE, "Somebody else is in here.");
  }
  if (is("refuses_nothing") && texts->length == 0) {
    return refuse(error, MORTISE_STATUS_INVALID_ARGUMENT, "There are no texts.");
  }
  if (is("batches_differ") && texts->length > 1) changed.length_tokens_max = 2;
  if (is("ignores_length_bounds")) changed.length_tokens_max = 0;
  Texts others(*texts);
  for (char& byte : others.bytes) {
    if (is("changes_letters") && byte == 'T') byte = 't';
    if (is("takes_any_bytes") && (byte & 0x80) != 0) byte = '?';
  }
  const mortise_status status = good->encode_batch(instance, others.get(), &changed, out, error);
  if (is("offsets_lie_outside") && status == MORTISE_STATUS_OK &&
      (options->flags & MORTISE_ENCODE_OFFSETS) != 0) {
    shift_offsets(out);
  }
  return status;
}

mortise_status decode_batch(const mortise_tokenizer_instance* instance, const ArrowArray* ids,
                            const mortise_decode_options* options, ArrowArray* out,
                            mortise_error* error) {
  if (!is("takes_unknown_ids")) return good->decode_batch(instance, ids, options, out, error);
  const ArrowArray& values = *ids->children[0];
  const auto* given = static_cast<const int32_t*>(values.buffers[1]);
  std::vector<int32_t> clamped(given, given + values.offset + values.length);
  for (int32_t& id : clamped) id = std::clamp(id, 0, 255);
  const void* buffers[2] = {values.buffers[0], clamped.data()};
  ArrowArray child = values, list = *ids;
  child.buffers = buffers;
  ArrowArray* children[1] = {&child};
  list.children = children;
  return good->decode_batch(instance, &list, options, out, error);
}

mortise_status fingerprint(const mortise_tokenizer_instance* instance, mortise_sink* out,
                           mortise_error* error) {
  static char count = 'a';
  if (!is("random_fingerprint")) return good->fingerprint(instance, out, error);
  const std::string print(64, count++);
  return out->write(out, print.data(), print.size());
}

int32_t drop(mortise_sink*, const void*, uint64_t) {
  return MORTISE_STATUS_OK;
}

mortise_status decoder_push(mortise_decoder* decoder, int32_t id, mortise_sink* out,
                            mortise_error* error) {
  mortise_sink nothing{sizeof nothing, 0, nullptr, &drop};
  return good->decoder_push(decoder, id, is("loses_text") && id == 'e' ? &nothing : out, error);
}

mortise_tokenizer_trainer order_matters() {
  mortise_tokenizer_trainer table{};
  table.struct_size = sizeof table;
  table.create = [](mortise_text, mortise_tokenizer_trainer_instance** out, mortise_error*) {
    *out = new mortise_tokenizer_trainer_instance();
    return MORTISE_STATUS_OK;
  };
  table.destroy = [](mortise_tokenizer_trainer_instance* instance) { delete instance; };
  table.add = [](mortise_tokenizer_trainer_instance* instance, const ArrowArray* texts,
                 mortise_error*) {
    const Texts read(*texts);
    instance->texts += read.bytes;
    return MORTISE_STATUS_OK;
  };
  table.finish = [](mortise_tokenizer_trainer_instance* instance, mortise_sink* out,
                    mortise_error*) -> mortise_status {
    return out->write(out, instance->texts.data(), instance->texts.size());
  };
  return table;
}

}  // namespace

const void* find_interface(std::string_view id) {
  static const mortise_tokenizer_trainer trainer = order_matters();
  if (id == MORTISE_TOKENIZER_TRAINER && is("training_depends_on_order")) return &trainer;
  if (id != MORTISE_KIND_TOKENIZER) return nullptr;
  good = healthy<mortise_tokenizer>(id);
  bad = *good;
  bad.create = &create;
  bad.describe = &describe;
  bad.encode_batch = &encode_batch;
  bad.decode_batch = &decode_batch;
  bad.fingerprint = &fingerprint;
  bad.decoder_push = &decoder_push;
  return &bad;
}

}  // namespace evil
