// What a loaded schema holds: its documents, what each subschema has to say, what "$ref" names.
// Filled by schema_load.cpp; read by schema_check.cpp and schema_defaults.cpp.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/json.h"
#include "base/pattern.h"
#include "base/schema.h"
#include "base/schema_accept.h"

namespace mortise::base {

// Groups of keywords, as bits: a check skips the groups that a subschema does not use.
enum SchemaGroup : uint32_t {
  kGroupNone = 0,
  kGroupReference = 1,
  kGroupAnyValue = 2,
  kGroupNumber = 4,
  kGroupText = 8,
  kGroupArray = 16,
  kGroupObject = 32,
  kGroupMembers = 64,
  kGroupCombined = 128,
  kGroupUnevaluated = 256,
};

struct SchemaNode {
  std::string base;     // URI of the resource that it belongs to; "" for one without "$id"
  uint32_t groups = 0;  // of SchemaGroup
  const Json* reference = nullptr;          // target of "$ref"
  const Json* dynamic_reference = nullptr;  // target of "$dynamicRef" before the scope is asked
  std::string dynamic_name;                 // "#name"; empty when "$dynamicRef" acts like "$ref"
};

struct Schema::State {
  std::vector<std::unique_ptr<Json>> documents;  // [0] is the root; addresses stay
  std::unordered_map<const Json*, SchemaNode> nodes;
  std::map<std::string, const Json*> resources;        // URI -> schema with that "$id"
  std::map<std::string, const Json*> anchors;          // URI#name -> schema
  std::map<std::string, const Json*> dynamic_anchors;  // the same, "$dynamicAnchor" only
  std::map<std::string, Pattern, std::less<>> patterns;
  SchemaOptions options;
  SchemaAcceptor acceptor;       // the fast way for values that are right
  bool has_unevaluated = false;  // only then is it noted what was evaluated

  const Json& root() const { return *documents.front(); }
  // The schema that `reference` names, seen from a schema with this base; nullptr when none.
  const Json* resolve(const std::string& base, const std::string& reference) const;
};

// The program of schema_accept.h for a loaded schema; empty when it cannot say all of it.
SchemaAcceptor compile_acceptor(const Schema::State& state);

// RFC 3986, section 5.2, for the URIs that schemas use.
std::string resolve_uri(const std::string& base, const std::string& reference);
// One part of an RFC 6901 pointer: "~" and "/" as "~0" and "~1".
std::string pointer_part(std::string_view name);

// Whether value / step is whole, exactly, in the decimal digits that both are written with: 0.3 is
// a multiple of 0.1. Both are numbers, step > 0.
bool is_multiple(const Json& value, const Json& step);

// Formats that are checked, and those that draft 2020-12 names but that stay annotations here.
enum class FormatKind { kUnknown, kAnnotation, kChecked };
FormatKind format_kind(std::string_view name);
// Whether `text` has the format; true for one that is not checked.
bool has_format(std::string_view name, std::string_view text);

}  // namespace mortise::base
