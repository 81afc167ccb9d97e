// Loading a schema: each keyword is known and well formed, each "$ref" has a target, each pattern
// compiles. What is wrong is found here, once, and never while a row is checked.
#include <algorithm>

#include "base/schema_state.h"

namespace mortise::base {
namespace {

// What a keyword's value must be.
enum class Shape {
  kSchema,      // a schema
  kSchemas,     // a non-empty array of schemas
  kSchemaMap,   // an object of schemas
  kPatternMap,  // an object of schemas whose keys are patterns
  kCount,       // an integer >= 0
  kNumber,
  kPositive,  // a number > 0
  kNames,     // an array of different strings
  kNamesMap,  // an object of such arrays
  kType,
  kText,
  kPattern,
  kBool,
  kArray,
  kReference,
  kAny,
};

struct Keyword {
  std::string_view name;
  Shape shape;
};

constexpr Keyword kKeywords[] = {
    {"$schema", Shape::kText},
    {"$id", Shape::kText},
    {"$anchor", Shape::kText},
    {"$dynamicAnchor", Shape::kText},
    {"$ref", Shape::kReference},
    {"$dynamicRef", Shape::kReference},
    {"$defs", Shape::kSchemaMap},
    {"definitions", Shape::kSchemaMap},
    {"$comment", Shape::kText},
    {"allOf", Shape::kSchemas},
    {"anyOf", Shape::kSchemas},
    {"oneOf", Shape::kSchemas},
    {"not", Shape::kSchema},
    {"if", Shape::kSchema},
    {"then", Shape::kSchema},
    {"else", Shape::kSchema},
    {"dependentSchemas", Shape::kSchemaMap},
    {"dependentRequired", Shape::kNamesMap},
    {"prefixItems", Shape::kSchemas},
    {"items", Shape::kSchema},
    {"contains", Shape::kSchema},
    {"minContains", Shape::kCount},
    {"maxContains", Shape::kCount},
    {"properties", Shape::kSchemaMap},
    {"patternProperties", Shape::kPatternMap},
    {"additionalProperties", Shape::kSchema},
    {"propertyNames", Shape::kSchema},
    {"unevaluatedItems", Shape::kSchema},
    {"unevaluatedProperties", Shape::kSchema},
    {"type", Shape::kType},
    {"enum", Shape::kArray},
    {"const", Shape::kAny},
    {"multipleOf", Shape::kPositive},
    {"maximum", Shape::kNumber},
    {"exclusiveMaximum", Shape::kNumber},
    {"minimum", Shape::kNumber},
    {"exclusiveMinimum", Shape::kNumber},
    {"maxLength", Shape::kCount},
    {"minLength", Shape::kCount},
    {"pattern", Shape::kPattern},
    {"maxItems", Shape::kCount},
    {"minItems", Shape::kCount},
    {"uniqueItems", Shape::kBool},
    {"maxProperties", Shape::kCount},
    {"minProperties", Shape::kCount},
    {"required", Shape::kNames},
    {"format", Shape::kText},
    {"title", Shape::kText},
    {"description", Shape::kText},
    {"default", Shape::kAny},
    {"examples", Shape::kArray},
    {"deprecated", Shape::kBool},
    {"readOnly", Shape::kBool},
    {"writeOnly", Shape::kBool},
    {"contentEncoding", Shape::kText},
    {"contentMediaType", Shape::kText},
    {"contentSchema", Shape::kSchema},
};

bool is_schema(const Json& value) {
  return value.is_object() || value.is_bool();
}

bool are_names(const Json& value) {
  if (!value.is_array()) return false;
  for (size_t i = 0; i < value.size(); ++i) {
    if (!value.at(i).is_string()) return false;
    for (size_t k = 0; k < i; ++k) {
      if (value.at(k) == value.at(i)) return false;
    }
  }
  return true;
}

bool is_type(const Json& value) {
  static constexpr std::string_view kTypes[] = {"null",   "boolean", "object", "array",
                                                "number", "string",  "integer"};
  const auto known = [](const Json& name) {
    return name.is_string() &&
           std::find(std::begin(kTypes), std::end(kTypes), name.as_string()) != std::end(kTypes);
  };
  if (value.is_string()) return known(value);
  return value.size() > 0 && are_names(value) &&
         std::all_of(value.items().begin(), value.items().end(), known);
}

bool fits(Shape shape, const Json& value) {
  const auto all_members = [&](auto test) {
    return value.is_object() &&
           std::all_of(value.members().begin(), value.members().end(),
                       [&](const Json::Member& member) { return test(member.second); });
  };
  switch (shape) {
    case Shape::kSchema:
      return is_schema(value);
    case Shape::kSchemas:
      return value.size() > 0 && value.is_array() &&
             std::all_of(value.items().begin(), value.items().end(), is_schema);
    case Shape::kSchemaMap:
    case Shape::kPatternMap:
      return all_members(is_schema);
    case Shape::kCount:
      return value.is_integer() && value.as_double() >= 0;
    case Shape::kNumber:
      return value.is_number();
    case Shape::kPositive:
      return value.is_number() && value.as_double() > 0;
    case Shape::kNames:
      return are_names(value);
    case Shape::kNamesMap:
      return all_members(are_names);
    case Shape::kType:
      return is_type(value);
    case Shape::kText:
    case Shape::kPattern:
    case Shape::kReference:
      return value.is_string();
    case Shape::kBool:
      return value.is_bool();
    case Shape::kArray:
      return value.is_array();
    case Shape::kAny:
      return true;
  }
  return false;
}

std::string escaped(std::string_view part) {
  std::string out;
  for (const char c : part) {
    if (c == '~') {
      out += "~0";
    } else if (c == '/') {
      out += "~1";
    } else {
      out += c;
    }
  }
  return out;
}

Error wrong(const std::string& pointer, const std::string& what) {
  return Error(Code::kInvalidArgument, "The schema cannot be used: " + what).at_field(pointer);
}

// Walks every subschema of one document.
class Loader {
 public:
  explicit Loader(Schema::State& state) : state_(state) {}

  Status walk(const Json& schema, std::string base, const std::string& pointer) {
    if (schema.is_bool()) {
      state_.base_of[&schema] = base;
      return {};
    }
    if (!schema.is_object()) return wrong(pointer, "a schema is an object, true or false.");
    if (const Json* id = schema.find("$id"); id != nullptr && id->is_string()) {
      base = resolve_uri(base, id->as_string());
      if (base.ends_with('#')) base.pop_back();
      state_.resources[base] = &schema;
    }
    state_.base_of[&schema] = base;
    for (const auto& [name, value] : schema.members()) {
      MORTISE_TRY(keyword(name, value, base, pointer + "/" + escaped(name), schema));
    }
    return {};
  }

  // After all documents were walked: does every reference have a target?
  Status check_references() const {
    for (const auto& [schema, reference] : references_) {
      const std::string& base = state_.base_of.at(schema);
      if (state_.resolve(base, reference) == nullptr) {
        return wrong("", "\"" + reference + "\" names nothing in this schema.");
      }
    }
    return {};
  }

 private:
  Status keyword(const std::string& name, const Json& value, const std::string& base,
                 const std::string& pointer, const Json& schema) {
    const auto known = std::find_if(std::begin(kKeywords), std::end(kKeywords),
                                    [&](const Keyword& keyword) { return keyword.name == name; });
    if (known == std::end(kKeywords)) {
      if (name.starts_with("x-")) return {};
      return wrong(pointer, "the keyword \"" + name + "\" is unknown.");
    }
    if (!fits(known->shape, value)) {
      return wrong(pointer, "the value of \"" + name + "\" has the wrong form.");
    }
    if (name == "$anchor" || name == "$dynamicAnchor") {
      state_.anchors[base + "#" + value.as_string()] = &schema;
      if (name == "$dynamicAnchor") {
        state_.dynamic_anchors[base + "#" + value.as_string()] = &schema;
      }
    }
    if (known->shape == Shape::kReference) references_.emplace_back(&schema, value.as_string());
    if (known->shape == Shape::kPattern) return pattern(value.as_string(), pointer);
    return children(known->shape, value, base, pointer);
  }

  Status children(Shape shape, const Json& value, const std::string& base,
                  const std::string& pointer) {
    if (shape == Shape::kSchema) return walk(value, base, pointer);
    if (shape == Shape::kSchemas) {
      for (size_t i = 0; i < value.size(); ++i) {
        MORTISE_TRY(walk(value.at(i), base, pointer + "/" + std::to_string(i)));
      }
    }
    if (shape == Shape::kSchemaMap || shape == Shape::kPatternMap) {
      for (const auto& [name, child] : value.members()) {
        if (shape == Shape::kPatternMap) MORTISE_TRY(pattern(name, pointer));
        MORTISE_TRY(walk(child, base, pointer + "/" + escaped(name)));
      }
    }
    return {};
  }

  Status pattern(const std::string& expression, const std::string& pointer) {
    if (state_.patterns.contains(expression)) return {};
    auto compiled = Pattern::compile(expression);
    if (!compiled.ok()) return wrong(pointer, compiled.error().message);
    state_.patterns.emplace(expression, std::move(*compiled));
    return {};
  }

  Schema::State& state_;
  std::vector<std::pair<const Json*, std::string>> references_;
};

std::string percent_decoded(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto digit = [&](size_t at) {
      const char c = at < text.size() ? text[at] : 'x';
      if (c >= '0' && c <= '9') return c - '0';
      if (c >= 'a' && c <= 'f') return c - 'a' + 10;
      return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
    };
    if (text[i] == '%' && digit(i + 1) >= 0 && digit(i + 2) >= 0) {
      out += static_cast<char>(digit(i + 1) * 16 + digit(i + 2));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

}  // namespace

std::string resolve_uri(const std::string& base, const std::string& reference) {
  const size_t colon = reference.find(':');
  if (colon != std::string::npos && reference.find('/') > colon) return reference;
  const std::string root = base.substr(0, base.find('#'));
  if (reference.empty()) return root;
  if (reference[0] == '#') return root + reference;
  const size_t scheme = root.find("://");
  const size_t authority_end =
      scheme == std::string::npos ? 0 : std::min(root.find('/', scheme + 3), root.size());
  if (reference[0] == '/') return root.substr(0, authority_end) + reference;
  const size_t slash = root.rfind('/');
  if (slash == std::string::npos || (scheme != std::string::npos && slash < scheme + 3)) {
    return root.empty() ? reference : root + "/" + reference;
  }
  return root.substr(0, slash + 1) + reference;
}

const Json* Schema::State::resolve(const std::string& base, const std::string& reference) const {
  const std::string uri = resolve_uri(base, reference);
  const size_t hash = uri.find('#');
  const std::string resource = uri.substr(0, hash);
  const std::string fragment =
      hash == std::string::npos ? "" : percent_decoded(std::string_view(uri).substr(hash + 1));
  if (!fragment.empty() && fragment[0] != '/') {
    const auto anchor = anchors.find(resource + "#" + fragment);
    return anchor == anchors.end() ? nullptr : anchor->second;
  }
  const auto found = resources.find(resource);
  if (found == resources.end()) return nullptr;
  const Json* target = found->second->pointer(fragment);
  // A pointer into something that is no subschema was never checked, so it is no target.
  return target != nullptr && base_of.contains(target) ? target : nullptr;
}

Schema::Schema(std::shared_ptr<const State> state) : state_(std::move(state)) {}
Schema::Schema(Schema&&) noexcept = default;
Schema& Schema::operator=(Schema&&) noexcept = default;
Schema::~Schema() = default;

Result<Schema> Schema::load(const Json& document, const std::vector<Json>& others) {
  auto state = std::make_shared<State>();
  state->documents.push_back(std::make_unique<Json>(document));
  for (const Json& other : others) state->documents.push_back(std::make_unique<Json>(other));
  Loader loader(*state);
  state->resources[""] = &state->root();
  for (const auto& each : state->documents) MORTISE_TRY(loader.walk(*each, "", ""));
  MORTISE_TRY(loader.check_references());
  return Schema(std::move(state));
}

}  // namespace mortise::base
