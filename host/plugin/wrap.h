// Makes the table that the host calls out of the one that a plugin gave: full size, holes filled
// with answers that name pack and slot, every call traced, and checked if asked. A C function has
// no room for a context, so each loaded plugin takes a numbered seat and each seat has functions of
// its own, made by templates. Included by wrap_kinds.cpp and wrap_devices.cpp only.
#pragma once

#include <array>
#include <cstring>
#include <mutex>
#include <string>
#include <utility>

#include "base/result.h"
#include "plugin/checks.h"
#include "plugin/guard.h"
#include "plugin/trace.h"
#include "plugin/wrap_copy.h"
#include "plugin/wrapped.h"

namespace mortise::plugin {

template <class Table>
constexpr size_t kSlotsCount = std::tuple_size_v<decltype(TableFacts<Table>::kSlots)>;

// Of one loaded plugin and one interface.
struct SeatHead {
  const void* raw = nullptr;  // the plugin's own table; nullptr: the seat is free
  std::string label, interface_id;
  bool is_guarded = false;
};

template <class Table>
struct Seat : SeatHead {
  Table original{};  // copied, zero where the plugin's is short
  Table table{};     // what the host calls
  uint32_t trace_ids[kSlotsCount<Table>] = {};
};

template <class Table>
inline std::array<Seat<Table>, TableFacts<Table>::kSeats> seats;

template <class... A>
mortise_error* error_among(A... arguments) {
  mortise_error* error = nullptr;
  const auto look = [&]<class T>(T argument) {
    if constexpr (std::is_same_v<T, mortise_error*>) error = argument;
  };
  (look(arguments), ...);
  return error;
}

// Answers that are not the plugin's own. error may be nullptr. Not templates: they are in every
// slot of every seat. answer_thrown is called inside a catch block.
mortise_status answer_absent(const SeatHead& seat, const char* slot, mortise_error* error);
mortise_status answer_thrown(const SeatHead& seat, const char* slot, mortise_error* error);
mortise_status answer_broken(const SeatHead& seat, const char* slot, const std::string& rule,
                             mortise_error* error);

// The functions of one slot in one seat. F is the slot's member pointer type.
template <class Table, size_t N, size_t I, class F>
struct SlotCall;

template <class Table, size_t N, size_t I, class R, class... A>
struct SlotCall<Table, N, I, R (*Table::*)(A...)> {
  static constexpr auto& kSlot = std::get<I>(TableFacts<Table>::kSlots);

  static R original(A... arguments) {
    return (seats<Table>[N].original.*kSlot.kMember)(arguments...);
  }

  static R traced(A... arguments) {
    const TraceScope trace(seats<Table>[N].trace_ids[I]);
    try {
      return original(arguments...);
    } catch (...) {
      return static_cast<R>(answer_thrown(seats<Table>[N], kSlot.name, error_among(arguments...)));
    }
  }

  static R checked(A... arguments) {
    const Seat<Table>& seat = seats<Table>[N];
    CallChecks checks(seat.label, seat.interface_id, kSlot.name, kSlot.word, kSlot.role);
    (checks.before(arguments), ...);
    if (!checks.is_broken()) {
      if constexpr (std::is_void_v<R>) {
        traced(arguments...);
        checks.after_all(MORTISE_STATUS_OK);
        return;
      } else {
        const R result = traced(arguments...);
        checks.after_all(result);
        (checks.after(arguments, result), ...);
        if (!checks.is_broken()) return result;
      }
    }
    return static_cast<R>(
        answer_broken(seat, kSlot.name, checks.text(), error_among(arguments...)));
  }

  static R absent(A... arguments) {
    return static_cast<R>(answer_absent(seats<Table>[N], kSlot.name, error_among(arguments...)));
  }

  static void fill(Seat<Table>& seat) {
    constexpr auto member = kSlot.kMember;
    const bool is_there = seat.original.*member != nullptr;
    seat.trace_ids[I] = trace_id(seat.label, seat.interface_id + " " + kSlot.name);
    seat.table.*member = !is_there ? &absent : seat.is_guarded ? &checked : &traced;
  }
};

template <class Table, size_t N>
void fill_seat(Seat<Table>& seat) {
  [&]<size_t... I>(std::index_sequence<I...>) {
    (SlotCall<
         Table, N, I,
         std::remove_const_t<decltype(std::get<I>(TableFacts<Table>::kSlots).kMember)>>::fill(seat),
     ...);
  }(std::make_index_sequence<kSlotsCount<Table>>());
  seat.table.struct_size = sizeof(Table);
  seat.table.flags = 0;
}

// Calls fill_seat with the seat's number as a constant.
template <class Table, size_t... N>
void fill_numbered(size_t number, std::index_sequence<N...>) {
  ((N == number ? fill_seat<Table, N>(seats<Table>[N]) : void()), ...);
}

template <class Table>
base::Result<const Table*> wrap_table(const void* raw, const std::string& label,
                                      const std::string& interface_id, bool is_guarded) {
  static std::mutex mutex;
  uint32_t struct_size = 0;
  std::memcpy(&struct_size, raw, sizeof struct_size);
  if (struct_size < 2 * sizeof(uint32_t) || struct_size > 65536) {
    return base::Error(base::Code::kInvalidArgument,
                       "The table " + interface_id + " of the plugin " + label +
                           " has the struct_size " + std::to_string(struct_size) +
                           "; a table begins with struct_size and flags and has at most 65536 "
                           "bytes.",
                       "Report this to the vendor of the pack.");
  }
  const Table copy = copy_table<Table>(raw, struct_size);
  MORTISE_TRY(check_table(copy, raw, label, interface_id));
  const std::lock_guard lock(mutex);
  for (size_t number = 0; number < seats<Table>.size(); ++number) {
    Seat<Table>& seat = seats<Table>[number];
    if (seat.raw == raw && seat.label == label && seat.interface_id == interface_id &&
        seat.is_guarded == is_guarded) {
      return &seat.table;
    }
    if (seat.raw != nullptr) continue;
    seat.original = copy;
    seat.label = label;
    seat.interface_id = interface_id;
    seat.is_guarded = is_guarded;
    fill_numbered<Table>(number, std::make_index_sequence<TableFacts<Table>::kSeats>());
    seat.raw = raw;
    return &seat.table;
  }
  return base::Error(base::Code::kResourceExhausted,
                     "One worker loads at most " + std::to_string(seats<Table>.size()) +
                         " plugins with " + interface_id + ".",
                     "Split the work over several workers.");
}

}  // namespace mortise::plugin
