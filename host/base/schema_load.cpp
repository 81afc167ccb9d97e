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
  kDialect,     // the URI of draft 2020-12
  kId,          // a URI without a fragment
  kAnchor,      // a plain name
  kVocabulary,  // an object of booleans
  kFormat,      // a format that is known, or "x-..."
  kAny,
};

struct Keyword {
  std::string_view name;
  Shape shape;
  SchemaGroup group;
};

constexpr Keyword kKeywords[] = {
    {"$schema", Shape::kDialect, kGroupNone},
    {"$id", Shape::kId, kGroupNone},
    {"$anchor", Shape::kAnchor, kGroupNone},
    {"$dynamicAnchor", Shape::kAnchor, kGroupNone},
    {"$ref", Shape::kReference, kGroupReference},
    {"$dynamicRef", Shape::kReference, kGroupReference},
    {"$defs", Shape::kSchemaMap, kGroupNone},
    {"definitions", Shape::kSchemaMap, kGroupNone},
    {"$vocabulary", Shape::kVocabulary, kGroupNone},
    {"$comment", Shape::kText, kGroupNone},
    {"allOf", Shape::kSchemas, kGroupCombined},
    {"anyOf", Shape::kSchemas, kGroupCombined},
    {"oneOf", Shape::kSchemas, kGroupCombined},
    {"not", Shape::kSchema, kGroupCombined},
    {"if", Shape::kSchema, kGroupCombined},
    {"then", Shape::kSchema, kGroupNone},
    {"else", Shape::kSchema, kGroupNone},
    {"dependentSchemas", Shape::kSchemaMap, kGroupObject},
    {"dependentRequired", Shape::kNamesMap, kGroupObject},
    {"prefixItems", Shape::kSchemas, kGroupArray},
    {"items", Shape::kSchema, kGroupArray},
    {"contains", Shape::kSchema, kGroupArray},
    {"minContains", Shape::kCount, kGroupNone},
    {"maxContains", Shape::kCount, kGroupNone},
    {"properties", Shape::kSchemaMap, kGroupMembers},
    {"patternProperties", Shape::kPatternMap, kGroupMembers},
    {"additionalProperties", Shape::kSchema, kGroupMembers},
    {"propertyNames", Shape::kSchema, kGroupObject},
    {"unevaluatedItems", Shape::kSchema, kGroupUnevaluated},
    {"unevaluatedProperties", Shape::kSchema, kGroupUnevaluated},
    {"type", Shape::kType, kGroupAnyValue},
    {"enum", Shape::kArray, kGroupAnyValue},
    {"const", Shape::kAny, kGroupAnyValue},
    {"multipleOf", Shape::kPositive, kGroupNumber},
    {"maximum", Shape::kNumber, kGroupNumber},
    {"exclusiveMaximum", Shape::kNumber, kGroupNumber},
    {"minimum", Shape::kNumber, kGroupNumber},
    {"exclusiveMinimum", Shape::kNumber, kGroupNumber},
    {"maxLength", Shape::kCount, kGroupText},
    {"minLength", Shape::kCount, kGroupText},
    {"pattern", Shape::kPattern, kGroupText},
    {"maxItems", Shape::kCount, kGroupArray},
    {"minItems", Shape::kCount, kGroupArray},
    {"uniqueItems", Shape::kBool, kGroupArray},
    {"maxProperties", Shape::kCount, kGroupObject},
    {"minProperties", Shape::kCount, kGroupObject},
    {"required", Shape::kNames, kGroupObject},
    {"format", Shape::kFormat, kGroupText},
    {"title", Shape::kText, kGroupNone},
    {"description", Shape::kText, kGroupNone},
    {"default", Shape::kAny, kGroupNone},
    {"examples", Shape::kArray, kGroupNone},
    {"deprecated", Shape::kBool, kGroupNone},
    {"readOnly", Shape::kBool, kGroupNone},
    {"writeOnly", Shape::kBool, kGroupNone},
    {"contentEncoding", Shape::kText, kGroupNone},
    {"contentMediaType", Shape::kText, kGroupNone},
    {"contentSchema", Shape::kSchema, kGroupNone},
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

bool is_our_dialect(std::string_view uri) {
  if (uri.ends_with('#')) uri.remove_suffix(1);
  return uri == "https://json-schema.org/draft/2020-12/schema";
}

// ^[A-Za-z_][-A-Za-z0-9._]*$
bool is_plain_name(std::string_view name) {
  const auto is_letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  };
  return !name.empty() && is_letter(name[0]) && std::all_of(name.begin(), name.end(), [&](char c) {
    return is_letter(c) || (c >= '0' && c <= '9') || c == '-' || c == '.';
  });
}

// What stands in a message about a value of the wrong form.
const char* wanted_form(Shape shape) {
  switch (shape) {
    case Shape::kSchema:
      return "a schema: an object, true or false";
    case Shape::kSchemas:
      return "a non-empty array of schemas";
    case Shape::kSchemaMap:
    case Shape::kPatternMap:
      return "an object of schemas";
    case Shape::kCount:
      return "a whole number from 0 on";
    case Shape::kNumber:
      return "a number";
    case Shape::kPositive:
      return "a number above 0";
    case Shape::kNames:
      return "an array of different names";
    case Shape::kNamesMap:
      return "an object of arrays of different names";
    case Shape::kType:
      return "a type (null, boolean, integer, number, string, array, object) or several";
    case Shape::kBool:
      return "true or false";
    case Shape::kArray:
      return "an array";
    case Shape::kDialect:
      return "https://json-schema.org/draft/2020-12/schema";
    case Shape::kId:
      return "a URI without a fragment";
    case Shape::kAnchor:
      return "a name of letters, digits, \"-\", \"_\", \".\" that begins with a letter";
    case Shape::kVocabulary:
      return "an object of booleans";
    case Shape::kFormat:
      return "a format of draft 2020-12, or a name that begins with x-";
    case Shape::kText:
    case Shape::kPattern:
    case Shape::kReference:
      return "a text";
    case Shape::kAny:
      break;
  }
  return "something else";
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
    case Shape::kDialect:
      return value.is_string() && is_our_dialect(value.as_string());
    case Shape::kId:
      return value.is_string() && value.as_string().find('#') >= value.as_string().size() - 1;
    case Shape::kAnchor:
      return value.is_string() && is_plain_name(value.as_string());
    case Shape::kVocabulary:
      return all_members([](const Json& member) { return member.is_bool(); });
    case Shape::kFormat:
      return value.is_string() && (format_kind(value.as_string()) != FormatKind::kUnknown ||
                                   value.as_string().starts_with("x-"));
    case Shape::kBool:
      return value.is_bool();
    case Shape::kArray:
      return value.is_array();
    case Shape::kAny:
      return true;
  }
  return false;
}

Error wrong(const std::string& pointer, const std::string& what) {
  return Error(Code::kInvalidArgument, "The schema cannot be used: " + what).at_field(pointer);
}

// Walks every subschema of one document.
class Loader {
 public:
  explicit Loader(Schema::State& state) : state_(state) {}

  Status walk(const Json& schema, std::string base, const std::string& pointer) {
    if (!is_schema(schema)) return wrong(pointer, "a schema is an object, true or false.");
    if (const Json* id = schema.find("$id"); id != nullptr && fits(Shape::kId, *id)) {
      base = resolve_uri(base, id->as_string());
      if (base.ends_with('#')) base.pop_back();
      if (!state_.resources.emplace(base, &schema).second) {
        return wrong(pointer + "/$id", "another schema has the \"$id\" " + base + " too.");
      }
    }
    state_.nodes[&schema].base = base;
    for (const auto& [name, value] : schema.members()) {
      MORTISE_TRY(keyword(name, value, base, pointer + "/" + pointer_part(name), schema));
    }
    return {};
  }

  // After all documents were walked: every reference gets its target.
  Status set_references() {
    for (const Reference& each : references_) {
      SchemaNode& node = state_.nodes.at(each.schema);
      const Json* target = state_.resolve(node.base, each.text);
      if (target == nullptr) {
        return wrong(each.pointer, "\"" + each.text + "\" names nothing in this schema.");
      }
      if (!each.pointer.ends_with("/$dynamicRef")) {
        node.reference = target;
        continue;
      }
      node.dynamic_reference = target;
      const Json* mark = target->find("$dynamicAnchor");
      const size_t hash = each.text.find('#');
      if (mark != nullptr && hash != std::string::npos &&
          each.text.substr(hash + 1) == mark->as_string()) {
        node.dynamic_name = each.text.substr(hash);
      }
    }
    return {};
  }

 private:
  struct Reference {
    const Json* schema;
    std::string text, pointer;
  };

  Status keyword(const std::string& name, const Json& value, const std::string& base,
                 const std::string& pointer, const Json& schema) {
    const auto known = std::find_if(std::begin(kKeywords), std::end(kKeywords),
                                    [&](const Keyword& keyword) { return keyword.name == name; });
    if (known == std::end(kKeywords)) {
      if (name.starts_with("x-")) return {};
      return wrong(pointer, "the keyword \"" + name + "\" is unknown.");
    }
    if (!fits(known->shape, value)) {
      return wrong(pointer, "\"" + name + "\" must be " + wanted_form(known->shape) + ".");
    }
    state_.nodes[&schema].groups |= known->group;
    if (known->group == kGroupUnevaluated) state_.has_unevaluated = true;
    if (known->shape == Shape::kAnchor) return anchor(name, value.as_string(), base, schema);
    if (known->shape == Shape::kReference) {
      references_.push_back({&schema, value.as_string(), pointer});
    }
    if (known->shape == Shape::kPattern) return pattern(value.as_string(), pointer);
    return children(known->shape, value, base, pointer);
  }

  Status anchor(const std::string& keyword, const std::string& name, const std::string& base,
                const Json& schema) {
    const std::string uri = base + "#" + name;
    const auto [known, is_new] = state_.anchors.emplace(uri, &schema);
    if (!is_new && known->second != &schema) {
      return wrong("", "two schemas have the anchor " + uri + ".");
    }
    if (keyword == "$dynamicAnchor") state_.dynamic_anchors[uri] = &schema;
    return {};
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
        const std::string place = pointer + "/" + pointer_part(name);
        if (shape == Shape::kPatternMap) MORTISE_TRY(pattern(name, place));
        MORTISE_TRY(walk(child, base, place));
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
  std::vector<Reference> references_;
};

}  // namespace

Schema::Schema(std::shared_ptr<const State> state) : state_(std::move(state)) {}
Schema::Schema(Schema&&) noexcept = default;
Schema& Schema::operator=(Schema&&) noexcept = default;
Schema::~Schema() = default;

Result<Schema> Schema::load(const Json& document, const std::vector<Json>& others,
                            const SchemaOptions& options) {
  auto state = std::make_shared<State>();
  state->options = options;
  state->documents.push_back(std::make_unique<Json>(document));
  for (const Json& other : others) {
    if (!other["$id"].is_string()) {
      return wrong("", "a document beside the schema has no \"$id\", so nothing can name it.");
    }
    state->documents.push_back(std::make_unique<Json>(other));
  }
  Loader loader(*state);
  state->resources[""] = &state->root();
  for (const auto& each : state->documents) MORTISE_TRY(loader.walk(*each, "", ""));
  MORTISE_TRY(loader.set_references());
  state->acceptor = compile_acceptor(*state);
  return Schema(std::move(state));
}

bool Schema::surely_accepts(TapeValue value) const {
  const SchemaAcceptor& acceptor = state_->acceptor;
  if (acceptor.nodes.empty()) return false;
  return acceptor.accepts(static_cast<int32_t>(acceptor.nodes.size()) - 1, value);
}

}  // namespace mortise::base
