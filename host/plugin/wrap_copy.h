// The copy of a plugin's table into a full-size one, and its check. Part of wrap.h.
#pragma once

#include <cstring>
#include <string>
#include <tuple>

#include "base/result.h"
#include "plugin/tables.h"

namespace mortise::plugin {

// Copies the slots that lie wholly inside the plugin's table.
template <class Table>
Table copy_table(const void* raw, uint32_t struct_size) {
  Table copy{};
  const auto* bytes = static_cast<const char*>(raw);
  const auto copy_slot = [&](auto slot) {
    constexpr auto member = decltype(slot)::kMember;
    const size_t offset = static_cast<size_t>(reinterpret_cast<const char*>(&(copy.*member)) -
                                              reinterpret_cast<const char*>(&copy));
    if (offset + sizeof(copy.*member) <= struct_size) {
      std::memcpy(static_cast<void*>(&(copy.*member)), bytes + offset, sizeof(copy.*member));
    }
  };
  std::apply([&](auto... slot) { (copy_slot(slot), ...); }, TableFacts<Table>::kSlots);
  return copy;
}

template <class Table>
base::Status check_table(const Table& copy, const void* raw, const std::string& label,
                         const std::string& interface_id) {
  uint32_t head[2] = {};
  std::memcpy(head, raw, sizeof head);
  const std::string whose = "The table " + interface_id + " of the plugin " + label;
  const auto refuse = [](std::string text) {
    return base::Error(base::Code::kInvalidArgument, std::move(text),
                       "Report this to the vendor of the pack.");
  };
  if (head[1] != 0) {
    return refuse(whose + " has the unknown flags " + std::to_string(head[1]) +
                  "; generation 1 knows none.");
  }
  std::string missing;
  std::apply(
      [&](auto... slot) {
        ((slot.is_required && copy.*decltype(slot)::kMember == nullptr
              ? void(missing += std::string(missing.empty() ? "" : ", ") + slot.name)
              : void()),
         ...);
      },
      TableFacts<Table>::kSlots);
  if (missing.empty()) return {};
  return refuse(whose + " lacks what the interface requires: " + missing + ". Its struct_size is " +
                std::to_string(head[0]) + ", the whole table has " + std::to_string(sizeof(Table)) +
                " bytes.");
}

}  // namespace mortise::plugin
