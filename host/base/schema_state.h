// What a loaded schema holds: its documents, where every subschema stands, what "$ref" may name.
// Shared by schema_load.cpp, which fills it, and schema_check.cpp, which reads it.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/json.h"
#include "base/pattern.h"
#include "base/schema.h"

namespace mortise::base {

struct Schema::State {
  std::vector<std::unique_ptr<Json>> documents;  // [0] is the root; addresses stay
  // Absolute URI of the resource that a subschema belongs to ("" for one without "$id").
  std::unordered_map<const Json*, std::string> base_of;
  std::map<std::string, const Json*> resources;        // URI -> schema with that "$id"
  std::map<std::string, const Json*> anchors;          // URI#name -> schema
  std::map<std::string, const Json*> dynamic_anchors;  // the same, "$dynamicAnchor" only
  std::map<std::string, Pattern> patterns;

  const Json& root() const { return *documents.front(); }
  // The schema that `reference` names, seen from a schema with this base; nullptr when none.
  const Json* resolve(const std::string& base, const std::string& reference) const;
};

// RFC 3986 resolution as far as schemas need it: absolute, "#fragment", or a sibling name.
std::string resolve_uri(const std::string& base, const std::string& reference);

}  // namespace mortise::base
