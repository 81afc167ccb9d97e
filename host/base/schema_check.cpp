// Checking a value against a loaded schema. One function a group of keywords; each adds findings
// and says what it evaluated, for "unevaluatedItems" and "unevaluatedProperties".
#include <algorithm>
#include <optional>
#include <set>

#include "base/schema_state.h"
#include "base/utf8.h"

namespace mortise::base {
namespace {

constexpr size_t kDepthMax = 512;  // of schemas applied inside schemas

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

// Where a value stands: written out only when something is wrong there.
struct Place {
  const Place* parent = nullptr;
  std::string_view name;  // of a member; else the index
  size_t index = 0;
  bool is_item = false;

  std::string pointer() const {
    if (parent == nullptr) return "";
    return parent->pointer() + "/" + (is_item ? std::to_string(index) : pointer_part(name));
  }
};

Place member_of(const Place& place, std::string_view name) {
  return {&place, name, 0, false};
}
Place item_of(const Place& place, size_t index) {
  return {&place, {}, index, true};
}

std::string cut_text(std::string text) {
  return text.size() <= 80 ? text : std::string(utf8_prefix(text, 77)) + "...";
}

std::string short_text(const Json& value) {
  if (value.is_array()) return "An array of " + std::to_string(value.size()) + " items";
  if (value.is_object()) return "An object of " + std::to_string(value.size()) + " fields";
  return cut_text(value.dump());
}

class Checker {
 public:
  Checker(const Schema::State& state, size_t findings_max)
      : state_(state), findings_max_(findings_max) {}

  bool check(const Json& schema, const Json& value, const Place& place, Evaluated& seen);
  // What gave the check up, if anything did, stands alone.
  std::vector<SchemaFinding> take_findings() {
    if (broken_) return {*broken_};
    return std::move(findings_);
  }

 private:
  // Findings of what is tried (anyOf, not, ...) count only if the caller keeps them.
  bool tried(const Json& schema, const Json& value, const Place& place, Evaluated& seen,
             std::vector<SchemaFinding>* kept = nullptr) {
    std::vector<SchemaFinding> outer = std::exchange(findings_, {});
    const bool fits = check(schema, value, place, seen);
    if (kept != nullptr) *kept = std::move(findings_);
    findings_ = std::move(outer);
    return fits;
  }
  bool fail(const Place& place, std::string_view keyword, std::string message,
            std::string hint = {}) {
    if (findings_.size() < findings_max_) {
      findings_.push_back(
          {place.pointer(), std::string(keyword), std::move(message), std::move(hint)});
    }
    return false;
  }
  void note(Evaluated& seen, size_t item) const {
    if (state_.has_unevaluated) seen.items.insert(item);
  }
  void note(Evaluated& seen, const std::string& name) const {
    if (state_.has_unevaluated) seen.names.insert(name);
  }
  bool enter(const Json& schema, const Json& value, const Place& place);
  bool references(const SchemaNode& node, const Json& value, const Place& place, Evaluated& seen);
  bool any_value(const Json& schema, const Json& value, const Place& place);
  bool number(const Json& schema, const Json& value, const Place& place);
  bool text(const Json& schema, const Json& value, const Place& place);
  bool array(const Json& schema, const Json& value, const Place& place, Evaluated& seen);
  bool contains(const Json& schema, const Json& value, const Place& place, Evaluated& seen);
  bool object(const Json& schema, const Json& value, const Place& place, Evaluated& seen);
  bool members(const Json& schema, const Json& value, const Place& place, Evaluated& seen);
  bool combined(const Json& schema, const Json& value, const Place& place, Evaluated& seen);
  bool one_of(const Json& list, const Json& value, const Place& place, Evaluated& seen);
  bool any_of(const Json& list, const Json& value, const Place& place, Evaluated& seen);
  bool unevaluated(const Json& schema, const Json& value, const Place& place, Evaluated& seen);
  bool matches(const std::string& expression, std::string_view text, const Place& place);
  const Json& dynamic_target(const SchemaNode& node) const;

  struct Entered {
    const Json* schema;
    const Json* value;
    const SchemaNode* node;
  };

  const Schema::State& state_;
  std::vector<SchemaFinding> findings_;
  size_t findings_max_;
  int64_t steps_ = 0;
  std::vector<Entered> entered_;  // from the root to here; the scope of "$dynamicRef"
  std::optional<SchemaFinding> broken_;
};

bool Checker::check(const Json& schema, const Json& value, const Place& place, Evaluated& seen) {
  if (broken_) return false;
  if (schema.is_bool()) {
    return schema.as_bool() || fail(place, "false", "Nothing may stand here.");
  }
  if (!enter(schema, value, place)) return false;
  const SchemaNode& node = *entered_.back().node;
  const auto uses = [&node](SchemaGroup group) { return (node.groups & group) != 0; };
  Evaluated own;
  bool fits = true;
  if (uses(kGroupReference)) fits &= references(node, value, place, own);
  if (uses(kGroupAnyValue)) fits &= any_value(schema, value, place);
  if (uses(kGroupNumber) && value.is_number()) fits &= number(schema, value, place);
  if (uses(kGroupText) && value.is_string()) fits &= text(schema, value, place);
  if (uses(kGroupArray) && value.is_array()) fits &= array(schema, value, place, own);
  if (uses(kGroupObject) && value.is_object()) fits &= object(schema, value, place, own);
  if (uses(kGroupMembers) && value.is_object()) fits &= members(schema, value, place, own);
  if (uses(kGroupCombined)) fits &= combined(schema, value, place, own);
  if (uses(kGroupUnevaluated)) fits &= unevaluated(schema, value, place, own);
  if (fits) seen.add(own);
  entered_.pop_back();
  return fits;
}

bool Checker::enter(const Json& schema, const Json& value, const Place& place) {
  const auto give_up = [&](const char* why) {
    broken_ = SchemaFinding{place.pointer(), "$ref", why};
    return false;
  };
  if (++steps_ > state_.options.steps_max)
    return give_up("The check takes too many steps on this value.");
  if (entered_.size() == kDepthMax) return give_up("The value and its schema nest too deeply.");
  for (auto each = entered_.rbegin(); each != entered_.rend() && each->value == &value; ++each) {
    if (each->schema == &schema) return give_up("The schema refers to itself without end.");
  }
  entered_.push_back({&schema, &value, &state_.nodes.at(&schema)});
  return true;
}

const Json& Checker::dynamic_target(const SchemaNode& node) const {
  if (!node.dynamic_name.empty()) {
    for (const Entered& each : entered_) {  // the outermost wins
      const auto found = state_.dynamic_anchors.find(each.node->base + node.dynamic_name);
      if (found != state_.dynamic_anchors.end()) return *found->second;
    }
  }
  return *node.dynamic_reference;
}

bool Checker::references(const SchemaNode& node, const Json& value, const Place& place,
                         Evaluated& seen) {
  bool fits = true;
  if (node.reference != nullptr) fits &= check(*node.reference, value, place, seen);
  if (node.dynamic_reference != nullptr) fits &= check(dynamic_target(node), value, place, seen);
  return fits;
}

bool Checker::any_value(const Json& schema, const Json& value, const Place& place) {
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
          place, "type",
          std::string("This is of type ") + value.kind_name() + ", it must be " + wanted + ".");
    }
  }
  if (const Json* list = schema.find("enum")) {
    const auto& items = list->items();
    if (std::find(items.begin(), items.end(), value) == items.end()) {
      fits =
          fail(place, "enum", short_text(value) + " is not one of " + cut_text(list->dump()) + ".");
    }
  }
  if (const Json* wanted = schema.find("const"); wanted != nullptr && !(*wanted == value)) {
    fits = fail(place, "const", short_text(value) + " must be " + cut_text(wanted->dump()) + ".");
  }
  return fits;
}

bool Checker::number(const Json& schema, const Json& value, const Place& place) {
  bool fits = true;
  const auto rule = [&](const char* name, auto holds, const char* words) {
    const Json* bound = schema.find(name);
    if (bound == nullptr || holds(*bound)) return;
    fits =
        fail(place, name, cut_text(value.dump()) + " must be " + words + " " + bound->dump() + ".");
  };
  const auto against = [&value](const Json& bound) { return compare_numbers(value, bound); };
  rule(
      "minimum", [&](const Json& bound) { return against(bound) >= 0; }, "at least");
  rule(
      "maximum", [&](const Json& bound) { return against(bound) <= 0; }, "at most");
  rule(
      "exclusiveMinimum", [&](const Json& bound) { return against(bound) > 0; }, "more than");
  rule(
      "exclusiveMaximum", [&](const Json& bound) { return against(bound) < 0; }, "less than");
  rule(
      "multipleOf", [&](const Json& step) { return is_multiple(value, step); }, "a multiple of");
  return fits;
}

// A text that the pattern cannot be tried on gives the whole check up: inside "not" a plain "does
// not match" would let it pass.
bool Checker::matches(const std::string& expression, std::string_view text, const Place& place) {
  const auto found = state_.patterns.at(expression).search(text);
  if (!found.ok()) broken_ = SchemaFinding{place.pointer(), "pattern", found.error().message};
  return found.ok() && *found;
}

bool Checker::text(const Json& schema, const Json& value, const Place& place) {
  const std::string& text = value.as_string();
  bool fits = true;
  const Json* least = schema.find("minLength");
  const Json* most = schema.find("maxLength");
  const double length = least || most ? static_cast<double>(utf8_length(text)) : 0;
  if (least != nullptr && length < least->as_double()) {
    fits = fail(place, "minLength",
                text.empty() ? "The text is empty."
                             : "The text has " + std::to_string(utf8_length(text)) +
                                   " characters, at least " + least->dump() + " are needed.");
  }
  if (most != nullptr && length > most->as_double()) {
    fits = fail(place, "maxLength",
                "The text has " + std::to_string(utf8_length(text)) + " characters, at most " +
                    most->dump() + " may stand.");
  }
  const Json* pattern = schema.find("pattern");
  if (pattern != nullptr && !matches(pattern->as_string(), text, place)) {
    fits =
        fail(place, "pattern",
             cut_text(value.dump()) + " does not match the pattern " + pattern->as_string() + ".");
  }
  const Json* format = state_.options.checks_formats ? schema.find("format") : nullptr;
  if (format != nullptr && !has_format(format->as_string(), text)) {
    fits = fail(place, "format",
                cut_text(value.dump()) + " is not of the format " + format->as_string() + ".");
  }
  return fits;
}

bool Checker::array(const Json& schema, const Json& value, const Place& place, Evaluated& seen) {
  bool fits = true;
  const auto size = static_cast<double>(value.size());
  if (const Json* least = schema.find("minItems"); least && size < least->as_double()) {
    fits = fail(place, "minItems",
                "There are " + std::to_string(value.size()) + " items, at least " + least->dump() +
                    " are needed.");
  }
  if (const Json* most = schema.find("maxItems"); most && size > most->as_double()) {
    fits = fail(place, "maxItems",
                "There are " + std::to_string(value.size()) + " items, at most " + most->dump() +
                    " may stand.");
  }
  if (schema["uniqueItems"].as_bool()) {
    std::set<std::string> known;
    for (size_t i = 0; i < value.size(); ++i) {
      if (!known.insert(value.at(i).canonical()).second) {
        fits = fail(item_of(place, i), "uniqueItems", "This item stands twice.");
      }
    }
  }
  const Json& first = schema["prefixItems"];
  const Json* rest = schema.find("items");
  for (size_t i = 0; i < value.size(); ++i) {
    const Json* wanted = i < first.size() ? &first.items()[i] : rest;
    if (wanted == nullptr) continue;
    Evaluated inner;
    fits &= check(*wanted, value.at(i), item_of(place, i), inner);
    note(seen, i);
  }
  return contains(schema, value, place, seen) && fits;
}

bool Checker::contains(const Json& schema, const Json& value, const Place& place, Evaluated& seen) {
  const Json* wanted = schema.find("contains");
  if (wanted == nullptr) return true;
  size_t count = 0;
  for (size_t i = 0; i < value.size(); ++i) {
    Evaluated inner;
    if (!tried(*wanted, value.at(i), place, inner)) continue;
    ++count;
    note(seen, i);
  }
  const auto found = static_cast<double>(count);
  bool fits = true;
  if (found < schema["minContains"].as_double(1)) {
    fits = fail(place, "contains", "An item is missing that this array must contain.");
  }
  if (const Json* most = schema.find("maxContains"); most && found > most->as_double()) {
    fits = fail(place, "maxContains",
                "Too many items are of the kind that may stand " + most->dump() + " times.");
  }
  return fits;
}

bool Checker::object(const Json& schema, const Json& value, const Place& place, Evaluated& seen) {
  bool fits = true;
  const auto need = [&](const Json& names, const char* keyword, const std::string& why) {
    for (const Json& name : names.items()) {
      if (value.contains(name.as_string())) continue;
      fits = fail(place, keyword, "The field \"" + name.as_string() + "\" is missing" + why + ".");
    }
  };
  need(schema["required"], "required", "");
  for (const auto& [name, names] : schema["dependentRequired"].members()) {
    if (value.contains(name)) need(names, "dependentRequired", "; \"" + name + "\" needs it");
  }
  const auto size = static_cast<double>(value.size());
  if (const Json* least = schema.find("minProperties"); least && size < least->as_double()) {
    fits = fail(place, "minProperties", "At least " + least->dump() + " fields are needed.");
  }
  if (const Json* most = schema.find("maxProperties"); most && size > most->as_double()) {
    fits = fail(place, "maxProperties", "At most " + most->dump() + " fields may stand.");
  }
  if (const Json* names = schema.find("propertyNames")) {
    for (const auto& [name, unused] : value.members()) {
      Evaluated inner;
      fits &= check(*names, Json(name), member_of(place, name), inner);
    }
  }
  for (const auto& [name, inner_schema] : schema["dependentSchemas"].members()) {
    if (value.contains(name)) fits &= check(inner_schema, value, place, seen);
  }
  return fits;
}

std::string known_names(const Json& properties) {
  std::string list;
  for (const auto& [name, unused] : properties.members()) {
    list += (list.empty() ? "" : ", ") + name;
  }
  return list.empty() ? "No field may stand here." : "Known here are: " + list + ".";
}

bool Checker::members(const Json& schema, const Json& value, const Place& place, Evaluated& seen) {
  const Json& properties = schema["properties"];
  const Json& patterns = schema["patternProperties"];
  const Json* others = schema.find("additionalProperties");
  bool fits = true;
  for (const auto& [name, member] : value.members()) {
    const Place inside = member_of(place, name);
    bool is_known = false;
    Evaluated inner;
    if (const Json* wanted = properties.find(name)) {
      is_known = true;
      fits &= check(*wanted, member, inside, inner);
    }
    for (const auto& [expression, wanted] : patterns.members()) {
      if (!matches(expression, name, inside)) continue;
      is_known = true;
      fits &= check(wanted, member, inside, inner);
    }
    if (!is_known && others != nullptr) {
      is_known = true;
      if (others->is_bool() && !others->as_bool()) {
        fits = fail(inside, "additionalProperties", "The field \"" + name + "\" is unknown.",
                    known_names(properties));
      } else {
        fits &= check(*others, member, inside, inner);
      }
    }
    if (is_known) note(seen, name);
  }
  return fits;
}

// Of the forms that do not fit, the one that the writer most likely meant: not one of another type.
struct Nearest {
  std::vector<SchemaFinding> findings;
  size_t distance = SIZE_MAX;

  void offer(std::vector<SchemaFinding>& other, const std::string& pointer) {
    size_t size = other.size();
    for (const SchemaFinding& each : other) {
      if (each.pointer == pointer && each.keyword == "type") size += 1000;
    }
    if (size >= distance) return;
    distance = size;
    findings = std::move(other);
  }

  std::string words(const std::string& pointer) const {
    if (findings.empty()) return "None of the allowed forms fits.";
    const SchemaFinding& first = findings.front();
    const std::string at = first.pointer == pointer ? "" : " at " + first.pointer;
    return "None of the allowed forms fits; the nearest fails" + at + ": " + first.message;
  }
};

bool Checker::any_of(const Json& list, const Json& value, const Place& place, Evaluated& seen) {
  bool fits = false;
  std::vector<SchemaFinding> kept;
  Nearest nearest;
  for (const Json& each : list.items()) {
    fits |= tried(each, value, place, seen, &kept);
    if (fits && !state_.has_unevaluated) return true;
    if (!fits) nearest.offer(kept, place.pointer());
  }
  return fits || fail(place, "anyOf", nearest.words(place.pointer()));
}

bool Checker::one_of(const Json& list, const Json& value, const Place& place, Evaluated& seen) {
  int count = 0;
  Evaluated inner;
  std::vector<SchemaFinding> kept;
  Nearest nearest;
  for (const Json& each : list.items()) {
    count += tried(each, value, place, inner, &kept) ? 1 : 0;
    if (count == 0) nearest.offer(kept, place.pointer());
  }
  if (count == 1) {
    seen.add(inner);
    return true;
  }
  return fail(place, "oneOf",
              count == 0 ? nearest.words(place.pointer())
                         : "More than one of the allowed forms fits; exactly one may.");
}

bool Checker::combined(const Json& schema, const Json& value, const Place& place, Evaluated& seen) {
  bool fits = true;
  for (const Json& each : schema["allOf"].items()) fits &= check(each, value, place, seen);
  if (const Json* list = schema.find("anyOf")) fits &= any_of(*list, value, place, seen);
  if (const Json* list = schema.find("oneOf")) fits &= one_of(*list, value, place, seen);
  Evaluated inner;
  if (const Json* wrong = schema.find("not"); wrong && tried(*wrong, value, place, inner)) {
    fits = fail(place, "not", short_text(value) + " is what may not stand here.");
  }
  if (const Json* condition = schema.find("if")) {
    Evaluated tested;
    const bool holds = tried(*condition, value, place, tested);
    if (holds) seen.add(tested);
    const Json* branch = schema.find(holds ? "then" : "else");
    if (branch != nullptr) fits &= check(*branch, value, place, seen);
  }
  return fits;
}

bool Checker::unevaluated(const Json& schema, const Json& value, const Place& place,
                          Evaluated& seen) {
  bool fits = true;
  const Json* items = schema.find("unevaluatedItems");
  for (size_t i = 0; items != nullptr && i < value.items().size(); ++i) {
    if (seen.items.contains(i)) continue;
    Evaluated inner;
    fits &= check(*items, value.at(i), item_of(place, i), inner);
    note(seen, i);
  }
  const Json* names = schema.find("unevaluatedProperties");
  if (names == nullptr) return fits;
  for (const auto& [name, member] : value.members()) {
    if (seen.names.contains(name)) continue;
    const Place inside = member_of(place, name);
    Evaluated inner;
    if (names->is_bool() && !names->as_bool()) {
      fits = fail(inside, "unevaluatedProperties", "The field \"" + name + "\" is unknown.");
    } else {
      fits &= check(*names, member, inside, inner);
    }
    note(seen, name);
  }
  return fits;
}

}  // namespace

std::vector<SchemaFinding> Schema::check(const Json& value, size_t findings_max) const {
  Checker checker(*state_, findings_max);
  Evaluated seen;
  checker.check(state_->root(), value, Place(), seen);
  return checker.take_findings();
}

Status Schema::require(const Json& value, std::string_view what) const {
  const auto findings = check(value, 1);
  if (findings.empty()) return {};
  Error error(Code::kInvalidArgument, findings[0].message, findings[0].hint);
  error.at_file(std::string(what)).at_field(findings[0].pointer);
  return error.with("keyword", findings[0].keyword);
}

}  // namespace mortise::base
