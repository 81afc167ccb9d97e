// Checking a value against a loaded schema. One function a group of keywords; each adds findings
// and says what it evaluated, for "unevaluatedItems" and "unevaluatedProperties".
#include <algorithm>
#include <cmath>
#include <set>

#include "base/schema_state.h"
#include "base/utf8.h"

namespace mortise::base {
namespace {

constexpr int kDepthMax = 1024;  // of schemas applied inside schemas

// What a schema and those inside it have looked at.
struct Evaluated {
  std::set<std::string> names;
  std::set<size_t> items;

  void add(const Evaluated& other) {
    names.insert(other.names.begin(), other.names.end());
    items.insert(other.items.begin(), other.items.end());
  }
};

bool is_of_type(const Json& value, std::string_view type) {
  if (type == "null") return value.is_null();
  if (type == "boolean") return value.is_bool();
  if (type == "object") return value.is_object();
  if (type == "array") return value.is_array();
  if (type == "string") return value.is_string();
  if (type == "number") return value.is_number();
  return value.is_integer();
}

// Whether value / step is whole, as people count decimals: 0.3 is a multiple of 0.1.
bool is_multiple(double value, double step) {
  const double quotient = value / step;
  if (!std::isfinite(quotient)) return std::fmod(value, step) == 0;
  const double whole = std::round(quotient);
  return std::fabs(quotient - whole) <= 1e-9 * std::max(1.0, std::fabs(quotient)) &&
         std::fabs(whole * step - value) <= 1e-9 * std::max(std::fabs(value), step);
}

std::string child_pointer(const std::string& pointer, std::string_view name) {
  std::string out = pointer + "/";
  for (const char c : name) {
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

std::string short_text(const Json& value) {
  std::string text = value.dump();
  if (text.size() > 80) text = std::string(utf8_prefix(text, 77)) + "...";
  return text;
}

class Checker {
 public:
  Checker(const Schema::State& state, size_t findings_max)
      : state_(state), findings_max_(findings_max) {}

  bool check(const Json& schema, const Json& value, const std::string& pointer, Evaluated& seen);
  std::vector<SchemaFinding> findings;

 private:
  // Findings of what is tried (anyOf, not, ...) count only if the caller keeps them.
  bool tried(const Json& schema, const Json& value, const std::string& pointer, Evaluated& seen,
             std::vector<SchemaFinding>* kept = nullptr) {
    std::vector<SchemaFinding> outer = std::exchange(findings, {});
    const bool fits = check(schema, value, pointer, seen);
    if (kept != nullptr) *kept = std::move(findings);
    findings = std::move(outer);
    return fits;
  }
  bool fail(const std::string& pointer, std::string_view keyword, std::string message) {
    if (findings.size() < findings_max_) {
      findings.push_back({pointer, std::string(keyword), std::move(message)});
    }
    return false;
  }
  bool references(const Json& schema, const Json& value, const std::string& pointer,
                  Evaluated& seen);
  bool any_value(const Json& schema, const Json& value, const std::string& pointer);
  bool number(const Json& schema, const Json& value, const std::string& pointer);
  bool text(const Json& schema, const Json& value, const std::string& pointer);
  bool array(const Json& schema, const Json& value, const std::string& pointer, Evaluated& seen);
  bool contains(const Json& schema, const Json& value, const std::string& pointer, Evaluated& seen);
  bool object(const Json& schema, const Json& value, const std::string& pointer, Evaluated& seen);
  bool members(const Json& schema, const Json& value, const std::string& pointer, Evaluated& seen);
  bool combined(const Json& schema, const Json& value, const std::string& pointer, Evaluated& seen);
  bool one_of(const Json& list, const Json& value, const std::string& pointer, Evaluated& seen);
  bool any_of(const Json& list, const Json& value, const std::string& pointer, Evaluated& seen);
  bool unevaluated(const Json& schema, const Json& value, const std::string& pointer,
                   Evaluated& seen);
  bool matches(const std::string& expression, const std::string& text, const std::string& pointer,
               bool& fits);
  const Json* dynamic_target(const Json& schema, const std::string& reference) const;

  const Schema::State& state_;
  size_t findings_max_;
  int depth_ = 0;
  std::vector<const std::string*> scope_;  // bases entered so far, for "$dynamicRef"
};

bool Checker::check(const Json& schema, const Json& value, const std::string& pointer,
                    Evaluated& seen) {
  if (schema.is_bool()) {
    return schema.as_bool() || fail(pointer, "false", "Nothing may stand here.");
  }
  if (depth_ == kDepthMax) {
    return fail(pointer, "$ref", "The schema refers to itself without end.");
  }
  ++depth_;
  scope_.push_back(&state_.base_of.at(&schema));
  Evaluated own;
  bool fits = references(schema, value, pointer, own);
  fits &= any_value(schema, value, pointer);
  if (value.is_number()) fits &= number(schema, value, pointer);
  if (value.is_string()) fits &= text(schema, value, pointer);
  if (value.is_array()) fits &= array(schema, value, pointer, own);
  if (value.is_object()) fits &= object(schema, value, pointer, own);
  fits &= combined(schema, value, pointer, own);
  fits &= unevaluated(schema, value, pointer, own);
  if (fits) seen.add(own);
  scope_.pop_back();
  --depth_;
  return fits;
}

const Json* Checker::dynamic_target(const Json& schema, const std::string& reference) const {
  const std::string& base = state_.base_of.at(&schema);
  const Json* target = state_.resolve(base, reference);
  const size_t hash = reference.find('#');
  if (target == nullptr || hash == std::string::npos) return target;
  const std::string anchor = reference.substr(hash);
  const Json* marked = target->find("$dynamicAnchor");
  if (marked == nullptr || "#" + marked->as_string() != anchor) return target;
  for (const std::string* entered : scope_) {  // the outermost wins
    const auto found = state_.dynamic_anchors.find(*entered + anchor);
    if (found != state_.dynamic_anchors.end()) return found->second;
  }
  return target;
}

bool Checker::references(const Json& schema, const Json& value, const std::string& pointer,
                         Evaluated& seen) {
  bool fits = true;
  if (const Json* reference = schema.find("$ref")) {
    fits &= check(*state_.resolve(state_.base_of.at(&schema), reference->as_string()), value,
                  pointer, seen);
  }
  if (const Json* reference = schema.find("$dynamicRef")) {
    fits &= check(*dynamic_target(schema, reference->as_string()), value, pointer, seen);
  }
  return fits;
}

bool Checker::any_value(const Json& schema, const Json& value, const std::string& pointer) {
  bool fits = true;
  if (const Json* type = schema.find("type")) {
    const bool is_of =
        type->is_string()
            ? is_of_type(value, type->as_string())
            : std::any_of(type->items().begin(), type->items().end(),
                          [&](const Json& name) { return is_of_type(value, name.as_string()); });
    if (!is_of) {
      std::string wanted = type->as_string();
      for (const Json& name : type->items()) {
        wanted += (wanted.empty() ? "" : " or ") + name.as_string();
      }
      fits = fail(
          pointer, "type",
          std::string("This is of type ") + value.kind_name() + ", it must be " + wanted + ".");
    }
  }
  if (const Json* list = schema.find("enum")) {
    const auto& items = list->items();
    if (std::find(items.begin(), items.end(), value) == items.end()) {
      fits = fail(pointer, "enum", short_text(value) + " is not one of " + short_text(*list) + ".");
    }
  }
  if (const Json* wanted = schema.find("const"); wanted != nullptr && !(*wanted == value)) {
    fits = fail(pointer, "const", short_text(value) + " must be " + short_text(*wanted) + ".");
  }
  return fits;
}

bool Checker::number(const Json& schema, const Json& value, const std::string& pointer) {
  const double x = value.as_double();
  bool fits = true;
  const auto rule = [&](const char* name, auto holds, const char* words) {
    const Json* bound = schema.find(name);
    if (bound == nullptr || holds(bound->as_double())) return;
    fits = fail(pointer, name,
                short_text(value) + " must be " + words + " " + short_text(*bound) + ".");
  };
  rule(
      "minimum", [x](double bound) { return x >= bound; }, "at least");
  rule(
      "maximum", [x](double bound) { return x <= bound; }, "at most");
  rule(
      "exclusiveMinimum", [x](double bound) { return x > bound; }, "more than");
  rule(
      "exclusiveMaximum", [x](double bound) { return x < bound; }, "less than");
  rule(
      "multipleOf", [x](double step) { return is_multiple(x, step); }, "a multiple of");
  return fits;
}

bool Checker::matches(const std::string& expression, const std::string& text,
                      const std::string& pointer, bool& fits) {
  const auto found = state_.patterns.at(expression).search(text);
  if (!found.ok()) fits = fail(pointer, "pattern", found.error().message);
  return found.ok() && *found;
}

bool Checker::text(const Json& schema, const Json& value, const std::string& pointer) {
  const std::string& text = value.as_string();
  bool fits = true;
  const Json* least = schema.find("minLength");
  const Json* most = schema.find("maxLength");
  const double length = least || most ? static_cast<double>(utf8_length(text)) : 0;
  if (least != nullptr && length < least->as_double()) {
    fits = fail(pointer, "minLength",
                text.empty() ? "The text is empty."
                             : "The text has " + std::to_string(utf8_length(text)) +
                                   " characters, at least " + least->dump() + " are needed.");
  }
  if (most != nullptr && length > most->as_double()) {
    fits = fail(pointer, "maxLength",
                "The text has " + std::to_string(utf8_length(text)) + " characters, at most " +
                    most->dump() + " may stand.");
  }
  if (const Json* pattern = schema.find("pattern")) {
    bool tried_well = true;
    if (!matches(pattern->as_string(), text, pointer, tried_well) && tried_well) {
      fits = fail(pointer, "pattern",
                  short_text(value) + " does not match the pattern " + pattern->as_string() + ".");
    }
    fits &= tried_well;
  }
  return fits;
}

bool Checker::array(const Json& schema, const Json& value, const std::string& pointer,
                    Evaluated& seen) {
  bool fits = true;
  const auto size = static_cast<double>(value.size());
  if (const Json* least = schema.find("minItems"); least && size < least->as_double()) {
    fits = fail(pointer, "minItems",
                "There are " + std::to_string(value.size()) + " items, at least " + least->dump() +
                    " are needed.");
  }
  if (const Json* most = schema.find("maxItems"); most && size > most->as_double()) {
    fits = fail(pointer, "maxItems",
                "There are " + std::to_string(value.size()) + " items, at most " + most->dump() +
                    " may stand.");
  }
  if (schema["uniqueItems"].as_bool()) {
    std::set<std::string> known;
    for (size_t i = 0; i < value.size(); ++i) {
      if (!known.insert(value.at(i).canonical()).second) {
        fits = fail(child_pointer(pointer, std::to_string(i)), "uniqueItems",
                    "This item stands twice.");
      }
    }
  }
  const Json& first = schema["prefixItems"];
  const Json* rest = schema.find("items");
  for (size_t i = 0; i < value.size(); ++i) {
    const Json* wanted = i < first.size() ? &first.items()[i] : rest;
    if (wanted == nullptr) continue;
    Evaluated inner;
    fits &= check(*wanted, value.at(i), child_pointer(pointer, std::to_string(i)), inner);
    seen.items.insert(i);
  }
  return contains(schema, value, pointer, seen) && fits;
}

bool Checker::contains(const Json& schema, const Json& value, const std::string& pointer,
                       Evaluated& seen) {
  const Json* wanted = schema.find("contains");
  if (wanted == nullptr) return true;
  size_t count = 0;
  for (size_t i = 0; i < value.size(); ++i) {
    Evaluated inner;
    if (!tried(*wanted, value.at(i), pointer, inner)) continue;
    ++count;
    seen.items.insert(i);
  }
  const auto found = static_cast<double>(count);
  bool fits = true;
  if (found < schema["minContains"].as_double(1)) {
    fits = fail(pointer, "contains", "An item is missing that this array must contain.");
  }
  if (const Json* most = schema.find("maxContains"); most && found > most->as_double()) {
    fits = fail(pointer, "maxContains",
                "Too many items are of the kind that may stand " + most->dump() + " times.");
  }
  return fits;
}

bool Checker::object(const Json& schema, const Json& value, const std::string& pointer,
                     Evaluated& seen) {
  bool fits = true;
  const auto need = [&](const Json& names, const char* keyword, const std::string& why) {
    for (const Json& name : names.items()) {
      if (value.contains(name.as_string())) continue;
      fits =
          fail(pointer, keyword, "The field \"" + name.as_string() + "\" is missing" + why + ".");
    }
  };
  need(schema["required"], "required", "");
  for (const auto& [name, names] : schema["dependentRequired"].members()) {
    if (value.contains(name)) need(names, "dependentRequired", "; \"" + name + "\" needs it");
  }
  const auto size = static_cast<double>(value.size());
  if (const Json* least = schema.find("minProperties"); least && size < least->as_double()) {
    fits = fail(pointer, "minProperties", "At least " + least->dump() + " fields are needed.");
  }
  if (const Json* most = schema.find("maxProperties"); most && size > most->as_double()) {
    fits = fail(pointer, "maxProperties", "At most " + most->dump() + " fields may stand.");
  }
  if (const Json* names = schema.find("propertyNames")) {
    for (const auto& [name, unused] : value.members()) {
      Evaluated inner;
      fits &= check(*names, Json(name), child_pointer(pointer, name), inner);
    }
  }
  for (const auto& [name, inner_schema] : schema["dependentSchemas"].members()) {
    if (value.contains(name)) fits &= check(inner_schema, value, pointer, seen);
  }
  return members(schema, value, pointer, seen) && fits;
}

bool Checker::members(const Json& schema, const Json& value, const std::string& pointer,
                      Evaluated& seen) {
  const Json& properties = schema["properties"];
  const Json& patterns = schema["patternProperties"];
  const Json* others = schema.find("additionalProperties");
  bool fits = true;
  for (const auto& [name, member] : value.members()) {
    const std::string place = child_pointer(pointer, name);
    bool is_known = false;
    Evaluated inner;
    if (const Json* wanted = properties.find(name)) {
      is_known = true;
      fits &= check(*wanted, member, place, inner);
    }
    for (const auto& [expression, wanted] : patterns.members()) {
      if (!matches(expression, name, place, fits)) continue;
      is_known = true;
      fits &= check(wanted, member, place, inner);
    }
    if (!is_known && others != nullptr) {
      is_known = true;
      if (others->is_bool() && !others->as_bool()) {
        fits = fail(place, "additionalProperties", "The field \"" + name + "\" is unknown.");
      } else {
        fits &= check(*others, member, place, inner);
      }
    }
    if (is_known) seen.names.insert(name);
  }
  return fits;
}

bool Checker::any_of(const Json& list, const Json& value, const std::string& pointer,
                     Evaluated& seen) {
  bool fits = list.items().empty();
  std::vector<SchemaFinding> nearest, kept;
  for (const Json& each : list.items()) {
    if (tried(each, value, pointer, seen, &kept)) fits = true;
    if (nearest.empty() || kept.size() < nearest.size()) nearest = kept;
  }
  if (fits) return true;
  return fail(pointer, "anyOf",
              "None of the allowed forms fits; the nearest fails so: " +
                  (nearest.empty() ? "" : nearest.front().message));
}

bool Checker::one_of(const Json& list, const Json& value, const std::string& pointer,
                     Evaluated& seen) {
  int count = 0;
  Evaluated inner;
  for (const Json& each : list.items()) count += tried(each, value, pointer, inner) ? 1 : 0;
  if (count == 1) seen.add(inner);
  if (count == 1 || list.items().empty()) return true;
  return fail(
      pointer, "oneOf",
      count == 0 ? "None of the allowed forms fits." : "More than one of the allowed forms fits.");
}

bool Checker::combined(const Json& schema, const Json& value, const std::string& pointer,
                       Evaluated& seen) {
  bool fits = true;
  for (const Json& each : schema["allOf"].items()) fits &= check(each, value, pointer, seen);
  fits &= any_of(schema["anyOf"], value, pointer, seen);
  fits &= one_of(schema["oneOf"], value, pointer, seen);
  Evaluated inner;
  if (const Json* wrong = schema.find("not"); wrong && tried(*wrong, value, pointer, inner)) {
    fits = fail(pointer, "not", short_text(value) + " is what may not stand here.");
  }
  if (const Json* condition = schema.find("if")) {
    Evaluated tested;
    const bool holds = tried(*condition, value, pointer, tested);
    if (holds) seen.add(tested);
    const Json* branch = schema.find(holds ? "then" : "else");
    if (branch != nullptr) fits &= check(*branch, value, pointer, seen);
  }
  return fits;
}

bool Checker::unevaluated(const Json& schema, const Json& value, const std::string& pointer,
                          Evaluated& seen) {
  bool fits = true;
  const Json* items = schema.find("unevaluatedItems");
  for (size_t i = 0; items != nullptr && i < value.items().size(); ++i) {
    if (seen.items.contains(i)) continue;
    Evaluated inner;
    fits &= check(*items, value.at(i), child_pointer(pointer, std::to_string(i)), inner);
    seen.items.insert(i);
  }
  const Json* names = schema.find("unevaluatedProperties");
  if (names == nullptr) return fits;
  for (const auto& [name, member] : value.members()) {
    if (seen.names.contains(name)) continue;
    const std::string place = child_pointer(pointer, name);
    Evaluated inner;
    if (names->is_bool() && !names->as_bool()) {
      fits = fail(place, "unevaluatedProperties", "The field \"" + name + "\" is unknown.");
    } else {
      fits &= check(*names, member, place, inner);
    }
    seen.names.insert(name);
  }
  return fits;
}

// Fills what is absent from the "default" of properties, through "$ref" and "allOf".
void fill_defaults(const Schema::State& state, const Json& schema, Json& value, int depth) {
  if (depth == kDepthMax || !schema.is_object()) return;
  if (const Json* reference = schema.find("$ref")) {
    fill_defaults(state, *state.resolve(state.base_of.at(&schema), reference->as_string()), value,
                  depth + 1);
  }
  for (const Json& each : schema["allOf"].items()) fill_defaults(state, each, value, depth + 1);
  if (value.is_object()) {
    for (const auto& [name, property] : schema["properties"].members()) {
      if (const Json* given = property.find("default"); given && !value.contains(name)) {
        value[name] = *given;
      }
      if (Json* member = value.find(name)) fill_defaults(state, property, *member, depth + 1);
    }
  }
  if (value.is_array() && schema.contains("items")) {
    for (Json& item : value.items()) fill_defaults(state, schema["items"], item, depth + 1);
  }
}

}  // namespace

std::vector<SchemaFinding> Schema::check(const Json& value, size_t findings_max) const {
  Checker checker(*state_, findings_max);
  Evaluated seen;
  checker.check(state_->root(), value, "", seen);
  return std::move(checker.findings);
}

Status Schema::require(const Json& value, std::string_view what) const {
  const auto findings = check(value, 1);
  if (findings.empty()) return {};
  Error error(Code::kInvalidArgument, findings[0].message);
  error.at_file(std::string(what)).at_field(findings[0].pointer);
  return error.with("keyword", findings[0].keyword);
}

Json Schema::with_defaults(const Json& value) const {
  Json filled = value;
  fill_defaults(*state_, state_->root(), filled, 0);
  return filled;
}

}  // namespace mortise::base
