// tables.h, continued: the rest of the device family.
#pragma once

#include "plugin/tables.h"

namespace mortise::plugin {

template <>
struct TableFacts<mortise_device_discovery> {
  static constexpr std::string_view kIds[] = {MORTISE_DEVICE_DISCOVERY};
  static constexpr size_t kSeats = 4;
  static constexpr auto kSlots =
      std::make_tuple(MORTISE_SLOT(mortise_device_discovery, list, Word::kAny, Role::kPlain, true));
};

template <>
struct TableFacts<mortise_device_memory> {
  static constexpr std::string_view kIds[] = {MORTISE_DEVICE_MEMORY};
  static constexpr size_t kSeats = 4;
  // Memory is no handle that the guard follows: a pack counts it itself.
  static constexpr auto kSlots =
      std::make_tuple(MORTISE_SLOT(mortise_device_memory, allocate, Word::kAny, Role::kPlain, true),
                      MORTISE_SLOT(mortise_device_memory, free, Word::kAny, Role::kPlain, true),
                      MORTISE_SLOT(mortise_device_memory, allocate_pinned, Word::kAny),
                      MORTISE_SLOT(mortise_device_memory, free_pinned, Word::kAny),
                      MORTISE_SLOT(mortise_device_memory, copy, Word::kAny, Role::kPlain, true),
                      MORTISE_SLOT(mortise_device_memory, fill, Word::kAny),
                      MORTISE_SLOT(mortise_device_memory, info, Word::kAny),
                      MORTISE_SLOT(mortise_device_memory, trim, Word::kAny));
};

template <>
struct TableFacts<mortise_device_stream> {
  static constexpr std::string_view kIds[] = {MORTISE_DEVICE_STREAM};
  static constexpr size_t kSeats = 4;
  static constexpr auto kSlots = std::make_tuple(
      MORTISE_SLOT(mortise_device_stream, create, Word::kAny, Role::kMakes, true),
      MORTISE_SLOT(mortise_device_stream, wrap, Word::kAny, Role::kMakes),
      MORTISE_SLOT(mortise_device_stream, destroy, Word::kSerial, Role::kEnds, true),
      MORTISE_SLOT(mortise_device_stream, synchronize, Word::kAny, Role::kPlain, true),
      MORTISE_SLOT(mortise_device_stream, event_create, Word::kAny, Role::kMakes),
      MORTISE_SLOT(mortise_device_stream, event_destroy, Word::kSerial, Role::kEnds),
      MORTISE_SLOT(mortise_device_stream, event_record, Word::kSerial),
      MORTISE_SLOT(mortise_device_stream, event_wait, Word::kSerial),
      MORTISE_SLOT(mortise_device_stream, event_query, Word::kAny),
      MORTISE_SLOT(mortise_device_stream, event_elapsed_ns, Word::kAny));
};

template <>
struct TableFacts<mortise_device_torch_bridge> {
  static constexpr std::string_view kIds[] = {MORTISE_DEVICE_TORCH_BRIDGE};
  static constexpr size_t kSeats = 4;
  static constexpr auto kSlots = std::make_tuple(
      MORTISE_SLOT(mortise_device_torch_bridge, describe, Word::kAny, Role::kPlain, true),
      MORTISE_SLOT(mortise_device_torch_bridge, current_stream, Word::kAny));
};

template <>
struct TableFacts<mortise_device_telemetry> {
  static constexpr std::string_view kIds[] = {MORTISE_DEVICE_TELEMETRY};
  static constexpr size_t kSeats = 4;
  static constexpr auto kSlots = std::make_tuple(
      MORTISE_SLOT(mortise_device_telemetry, sample, Word::kAny, Role::kPlain, true));
};

template <>
struct TableFacts<mortise_device_partition> {
  static constexpr std::string_view kIds[] = {MORTISE_DEVICE_PARTITION};
  static constexpr size_t kSeats = 4;
  static constexpr auto kSlots =
      std::make_tuple(MORTISE_SLOT(mortise_device_partition, list, Word::kAny, Role::kPlain, true),
                      MORTISE_SLOT(mortise_device_partition, lease, Word::kAny, Role::kMakes),
                      MORTISE_SLOT(mortise_device_partition, release, Word::kAny, Role::kEnds));
};

template <>
struct TableFacts<mortise_device_collective> {
  static constexpr std::string_view kIds[] = {MORTISE_DEVICE_COLLECTIVE};
  static constexpr size_t kSeats = 2;
  static constexpr auto kSlots = std::make_tuple(
      MORTISE_SLOT(mortise_device_collective, unique_id, Word::kAny, Role::kPlain, true),
      MORTISE_SLOT(mortise_device_collective, create, Word::kAny, Role::kMakes, true),
      MORTISE_SLOT(mortise_device_collective, destroy, Word::kSerial, Role::kEnds, true),
      MORTISE_SLOT(mortise_device_collective, all_reduce, Word::kSerial),
      MORTISE_SLOT(mortise_device_collective, all_gather, Word::kSerial),
      MORTISE_SLOT(mortise_device_collective, reduce_scatter, Word::kSerial),
      MORTISE_SLOT(mortise_device_collective, broadcast, Word::kSerial));
};

}  // namespace mortise::plugin
