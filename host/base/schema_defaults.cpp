// Filling in the "default" of absent properties. See with_defaults in schema.h for what it follows.
#include <algorithm>

#include "base/schema_state.h"

namespace mortise::base {
namespace {

constexpr size_t kLevelsMax = 256;

class Filler {
 public:
  explicit Filler(const Schema::State& state) : state_(state) {}

  void fill(const Json& schema, Json& value) {
    if (!schema.is_object() || entered_.size() == kLevelsMax) return;
    const std::pair<const Json*, const Json*> here(&schema, &value);
    // A schema that comes back to itself on the same value has nothing more to add.
    if (std::find(entered_.begin(), entered_.end(), here) != entered_.end()) return;
    entered_.push_back(here);
    const Json* reference = state_.nodes.at(&schema).reference;
    if (reference != nullptr) fill(*reference, value);
    for (const Json& each : schema["allOf"].items()) fill(each, value);
    if (value.is_object()) fill_members(schema, value);
    if (value.is_array()) fill_items(schema, value);
    entered_.pop_back();
  }

 private:
  // Its own, or that of the schema it refers to.
  const Json* default_of(const Json& property) const {
    const Json* at = &property;
    for (size_t step = 0; step < kLevelsMax && at != nullptr && at->is_object(); ++step) {
      if (const Json* given = at->find("default")) return given;
      at = state_.nodes.at(at).reference;
    }
    return nullptr;
  }

  void fill_members(const Json& schema, Json& value) {
    const Json& properties = schema["properties"];
    for (const auto& [name, property] : properties.members()) {
      const Json* given = value.contains(name) ? nullptr : default_of(property);
      if (given != nullptr) value[name] = *given;
      if (Json* member = value.find(name)) fill(property, *member);
    }
    const Json& others = schema["additionalProperties"];
    if (!others.is_object() || schema.contains("patternProperties")) return;
    for (auto& [name, member] : value.members()) {
      if (!properties.contains(name)) fill(others, member);
    }
  }

  void fill_items(const Json& schema, Json& value) {
    const Json& first = schema["prefixItems"];
    for (size_t i = 0; i < value.size(); ++i) {
      fill(i < first.size() ? first.at(i) : schema["items"], value.items()[i]);
    }
  }

  const Schema::State& state_;
  std::vector<std::pair<const Json*, const Json*>> entered_;
};

}  // namespace

Json Schema::with_defaults(const Json& value) const {
  Json filled = value;
  Filler(*state_).fill(state_->root(), filled);
  return filled;
}

}  // namespace mortise::base
