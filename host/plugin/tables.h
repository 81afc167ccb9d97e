// The ABI tables that the host knows: for each its interface ids, its slots with name, thread word
// and role, and how many plugins of it one worker may load. Used by wrap.h; a new interface is one
// entry here and one line in wrap_kinds.cpp or wrap_devices.cpp. Order and words repeat the
// headers; tests/unit/plugin compares them with sdk/abi.json.
#pragma once

#include <mortise/draft/device_collective.h>
#include <mortise/draft/device_discovery.h>
#include <mortise/draft/device_memory.h>
#include <mortise/draft/device_ops.h>
#include <mortise/draft/device_partition.h>
#include <mortise/draft/device_stream.h>
#include <mortise/draft/device_telemetry.h>
#include <mortise/draft/device_torch_bridge.h>
#include <mortise/draft/loss.h>
#include <mortise/draft/loss_preference.h>
#include <mortise/draft/tokenizer_trainer.h>
#include <mortise/kind/format.h>
#include <mortise/kind/format_writer.h>
#include <mortise/kind/metric.h>
#include <mortise/kind/tokenizer.h>

#include <string_view>
#include <tuple>

namespace mortise::plugin {

enum class Word { kSerial, kParallel, kAny };
// kMakes: out-handles and out-Arrow structs are set on OK. kEnds: the handle is gone afterwards.
enum class Role { kPlain, kMakes, kEnds };

template <auto Member>
struct Slot {
  static constexpr auto kMember = Member;
  const char* name;
  Word word;
  Role role = Role::kPlain;
  bool is_required = false;
};

template <class Table>
struct TableFacts;

#define MORTISE_SLOT(table, name, ...) \
  Slot<&table::name> {                 \
    #name, __VA_ARGS__                 \
  }

template <>
struct TableFacts<mortise_metric> {
  static constexpr std::string_view kIds[] = {MORTISE_KIND_METRIC};
  static constexpr size_t kSeats = 24;
  static constexpr auto kSlots =
      std::make_tuple(MORTISE_SLOT(mortise_metric, create, Word::kAny, Role::kMakes, true),
                      MORTISE_SLOT(mortise_metric, destroy, Word::kSerial, Role::kEnds, true),
                      MORTISE_SLOT(mortise_metric, describe, Word::kAny),
                      MORTISE_SLOT(mortise_metric, requires_schema, Word::kAny, Role::kMakes, true),
                      MORTISE_SLOT(mortise_metric, update, Word::kSerial, Role::kPlain, true),
                      MORTISE_SLOT(mortise_metric, save, Word::kSerial),
                      MORTISE_SLOT(mortise_metric, merge, Word::kSerial),
                      MORTISE_SLOT(mortise_metric, finalize, Word::kSerial, Role::kPlain, true));
};

template <>
struct TableFacts<mortise_tokenizer> {
  static constexpr std::string_view kIds[] = {MORTISE_KIND_TOKENIZER};
  static constexpr size_t kSeats = 8;
  static constexpr auto kSlots = std::make_tuple(
      MORTISE_SLOT(mortise_tokenizer, create, Word::kAny, Role::kMakes, true),
      MORTISE_SLOT(mortise_tokenizer, destroy, Word::kSerial, Role::kEnds, true),
      MORTISE_SLOT(mortise_tokenizer, describe, Word::kParallel, Role::kPlain, true),
      MORTISE_SLOT(mortise_tokenizer, encode_batch, Word::kParallel, Role::kMakes, true),
      MORTISE_SLOT(mortise_tokenizer, decode_batch, Word::kParallel, Role::kMakes, true),
      MORTISE_SLOT(mortise_tokenizer, vocab, Word::kParallel, Role::kMakes),
      MORTISE_SLOT(mortise_tokenizer, fingerprint, Word::kParallel, Role::kPlain, true),
      MORTISE_SLOT(mortise_tokenizer, decoder_create, Word::kParallel, Role::kMakes),
      MORTISE_SLOT(mortise_tokenizer, decoder_push, Word::kSerial),
      MORTISE_SLOT(mortise_tokenizer, decoder_flush, Word::kSerial),
      MORTISE_SLOT(mortise_tokenizer, decoder_destroy, Word::kSerial, Role::kEnds));
};

template <>
struct TableFacts<mortise_tokenizer_trainer> {
  static constexpr std::string_view kIds[] = {MORTISE_TOKENIZER_TRAINER};
  static constexpr size_t kSeats = 4;
  static constexpr auto kSlots = std::make_tuple(
      MORTISE_SLOT(mortise_tokenizer_trainer, create, Word::kAny, Role::kMakes, true),
      MORTISE_SLOT(mortise_tokenizer_trainer, destroy, Word::kSerial, Role::kEnds, true),
      MORTISE_SLOT(mortise_tokenizer_trainer, add, Word::kSerial, Role::kPlain, true),
      MORTISE_SLOT(mortise_tokenizer_trainer, finish, Word::kSerial, Role::kPlain, true));
};

template <>
struct TableFacts<mortise_dataset_format> {
  static constexpr std::string_view kIds[] = {MORTISE_KIND_DATASET_FORMAT};
  static constexpr size_t kSeats = 24;
  static constexpr auto kSlots = std::make_tuple(
      MORTISE_SLOT(mortise_dataset_format, probe, Word::kAny),
      MORTISE_SLOT(mortise_dataset_format, open, Word::kAny, Role::kMakes, true),
      MORTISE_SLOT(mortise_dataset_format, close, Word::kSerial, Role::kEnds, true),
      MORTISE_SLOT(mortise_dataset_format, describe, Word::kSerial, Role::kMakes, true),
      MORTISE_SLOT(mortise_dataset_format, scan, Word::kParallel, Role::kMakes, true),
      MORTISE_SLOT(mortise_dataset_format, cursor, Word::kSerial),
      MORTISE_SLOT(mortise_dataset_format, stream_error, Word::kSerial));
};

template <>
struct TableFacts<mortise_dataset_format_writer> {
  static constexpr std::string_view kIds[] = {MORTISE_KIND_DATASET_FORMAT_WRITER};
  static constexpr size_t kSeats = 16;
  static constexpr auto kSlots = std::make_tuple(
      MORTISE_SLOT(mortise_dataset_format_writer, open, Word::kAny, Role::kMakes, true),
      MORTISE_SLOT(mortise_dataset_format_writer, append, Word::kSerial, Role::kPlain, true),
      MORTISE_SLOT(mortise_dataset_format_writer, commit, Word::kSerial, Role::kEnds, true),
      MORTISE_SLOT(mortise_dataset_format_writer, abort, Word::kSerial, Role::kEnds, true));
};

template <>
struct TableFacts<mortise_loss> {
  static constexpr std::string_view kIds[] = {MORTISE_KIND_LOSS, MORTISE_KIND_LOSS_FUSED_LINEAR};
  static constexpr size_t kSeats = 8;
  static constexpr auto kSlots =
      std::make_tuple(MORTISE_SLOT(mortise_loss, create, Word::kAny, Role::kMakes, true),
                      MORTISE_SLOT(mortise_loss, destroy, Word::kSerial, Role::kEnds, true),
                      MORTISE_SLOT(mortise_loss, prepare, Word::kSerial, Role::kMakes, true),
                      MORTISE_SLOT(mortise_loss, plan_destroy, Word::kSerial, Role::kEnds, true),
                      MORTISE_SLOT(mortise_loss, forward, Word::kSerial, Role::kPlain, true),
                      MORTISE_SLOT(mortise_loss, backward, Word::kSerial, Role::kPlain, true));
};

template <>
struct TableFacts<mortise_preference_loss> {
  static constexpr std::string_view kIds[] = {MORTISE_KIND_LOSS_PREFERENCE};
  static constexpr size_t kSeats = 8;
  static constexpr auto kSlots = std::make_tuple(
      MORTISE_SLOT(mortise_preference_loss, create, Word::kAny, Role::kMakes, true),
      MORTISE_SLOT(mortise_preference_loss, destroy, Word::kSerial, Role::kEnds, true),
      MORTISE_SLOT(mortise_preference_loss, evaluate, Word::kSerial, Role::kPlain, true));
};

template <>
struct TableFacts<mortise_device_ops> {
  static constexpr std::string_view kIds[] = {MORTISE_DEVICE_OPS};
  static constexpr size_t kSeats = 4;
  static constexpr auto kSlots =
      std::make_tuple(MORTISE_SLOT(mortise_device_ops, query, Word::kAny, Role::kPlain, true),
                      MORTISE_SLOT(mortise_device_ops, prepare, Word::kAny, Role::kMakes, true),
                      MORTISE_SLOT(mortise_device_ops, launch, Word::kParallel, Role::kPlain, true),
                      MORTISE_SLOT(mortise_device_ops, op_destroy, Word::kAny, Role::kEnds, true));
};

}  // namespace mortise::plugin
