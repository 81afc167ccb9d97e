// What a template can call: filters, tests, methods of strings, lists and dicts. Each is looked up
// in a fixed table; nothing else is reachable. Called by the evaluator.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/template/value.h"

namespace mortise::engine::jinja {

// The bound on the work of one rendering. Every function that makes or walks many values spends.
struct Budget {
  uint64_t steps_left = 0;
  size_t text_bytes_max = 0;  // of one string
  // Throws RESOURCE_EXHAUSTED.
  void spend(uint64_t steps);
  void check_text(size_t size_bytes);
};

struct Args {
  List positional;
  std::vector<std::pair<std::string, Value>> keyword;

  size_t count() const { return positional.size() + keyword.size(); }
  // By place or by name; nullptr when not given.
  const Value* find(size_t index, std::string_view name) const;
  std::string text(size_t index, std::string_view name, std::string_view fallback) const;
  int64_t integer(size_t index, std::string_view name, int64_t fallback) const;
  bool truth(size_t index, std::string_view name, bool fallback) const;
  // Throws INVALID_ARGUMENT naming `what` when there are more than `most`.
  void at_most(size_t most, std::string_view what) const;
};

// What a for loop walks: items, keys, characters; empty for undefined. Throws for a number.
List iterate(const Value& value, Budget& budget);
// Python's < ; throws for values that have no order.
bool less(const Value& a, const Value& b);
bool contains(const Value& container, const Value& item);
int64_t length(const Value& value);  // len(value)
// a.b.0 as the filters' attribute= reads it.
Value attribute_path(const Value& value, std::string_view path);
// value.name and value[key]; undefined when absent. Throws for an undefined value.
Value attribute(const Value& value, const std::string& name);
Value item(const Value& value, const Value& key);
Value slice(const Value& value, const Value* begin, const Value* end, const Value* step);
Value binary(const std::string& sign, const Value& a, const Value& b, Budget& budget);
// "%s and %d" % value
std::string percent_format(const std::string& format, const List& values);

// Each throws UNIMPLEMENTED for a name that it does not know.
Value apply_filter(const std::string& name, const Value& input, const Args& args, Budget& budget);
bool apply_test(const std::string& name, const Value& input, const Args& args);
Value call_method(const Value& self, const std::string& name, const Args& args, Budget& budget);
bool has_method(const Value& self, std::string_view name);

}  // namespace mortise::engine::jinja
