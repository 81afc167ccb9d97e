// The compiler and the machine of schema_accept.h. The compiler refuses every keyword that it does
// not know by heart; the machine refuses what it would have to compute with care.
#include "base/schema_accept.h"

#include <algorithm>
#include <optional>

#include "base/schema_state.h"
#include "base/utf8.h"

namespace mortise::base {
namespace {

using Node = SchemaAcceptor::Node;
using Kind = Json::Kind;

constexpr uint16_t bit(Kind kind) {
  return static_cast<uint16_t>(1u << static_cast<unsigned>(kind));
}

// The kinds of a type; a double that is whole is left to Schema::check.
uint16_t kinds_of(std::string_view type) {
  if (type == "null") return bit(Kind::kNull);
  if (type == "boolean") return bit(Kind::kBool);
  if (type == "object") return bit(Kind::kObject);
  if (type == "array") return bit(Kind::kArray);
  if (type == "string") return bit(Kind::kString);
  const uint16_t integers = bit(Kind::kInt) | bit(Kind::kUint);
  return type == "integer" ? integers : static_cast<uint16_t>(integers | bit(Kind::kDouble));
}

class Compiler {
 public:
  Compiler(const Schema::State& state, SchemaAcceptor& out) : state_(state), out_(out) {}

  // Answers the node, or nothing for a schema that says more.
  std::optional<int32_t> compile(const Json& schema) {
    if (schema.is_bool()) {
      return schema.as_bool() ? SchemaAcceptor::kAnything : SchemaAcceptor::kNothing;
    }
    Node node;
    for (const auto& [name, value] : schema.members()) {
      if (!about_values(name, value, node) && !about_inside(name, value, node)) return std::nullopt;
    }
    for (const SchemaAcceptor::Member& member : node.members) {
      node.required_count += member.is_required ? 1 : 0;
    }
    out_.nodes.push_back(std::move(node));
    return static_cast<int32_t>(out_.nodes.size()) - 1;
  }

 private:
  bool about_values(const std::string& name, const Json& value, Node& node) {
    if (name == "$schema" || name == "$id" || name == "title" || name == "description" ||
        name == "default" || name == "examples" || name == "$comment") {
      return true;
    }
    if (name == "type") {
      node.kinds = value.is_string() ? kinds_of(value.as_string()) : uint16_t{0};
      for (const Json& one : value.items()) node.kinds |= kinds_of(one.as_string());
    } else if (name == "minLength" && value.kind() == Kind::kInt) {
      node.length_min = value.as_uint();
    } else if (name == "maxLength" && value.kind() == Kind::kInt) {
      node.length_max = value.as_uint();
    } else if (name == "minItems" && value.kind() == Kind::kInt) {
      node.items_min = value.as_uint();
    } else if (name == "maxItems" && value.kind() == Kind::kInt) {
      node.items_max = value.as_uint();
    } else if (name == "minimum" && value.kind() == Kind::kInt) {
      node.minimum = value.as_int();
    } else if (name == "maximum" && value.kind() == Kind::kInt) {
      node.maximum = value.as_int();
    } else if (name == "pattern") {
      if (value.as_string() == "\\S") node.has_ink = true;
      node.patterns.push_back(&state_.patterns.find(value.as_string())->second);
    } else if (name == "enum") {
      return std::all_of(value.items().begin(), value.items().end(),
                         [&](const Json& one) { return may_be(one, node); });
    } else {
      return name == "const" && may_be(value, node);
    }
    return true;
  }
  static bool may_be(const Json& value, Node& node) {
    node.has_enum = true;
    if (value.is_string()) node.texts.push_back(value.as_string());
    if (value.kind() == Kind::kInt) node.numbers.push_back(value.as_int());
    return value.is_string() || value.kind() == Kind::kInt;
  }
  bool about_inside(const std::string& name, const Json& value, Node& node) {
    const auto into = [&](int32_t& place, const Json& schema) {
      const auto inner = compile(schema);
      if (inner) place = *inner;
      return inner.has_value();
    };
    if (name == "items") return into(node.items, value);
    if (name == "contains") {
      node.has_contains = true;
      return into(node.contains, value);
    }
    if (name == "additionalProperties") return into(node.other_members, value);
    if (name == "required") {
      for (const Json& one : value.items()) member(node, one.as_string()).is_required = true;
      return node.members.size() <= 64;
    }
    if (name == "properties") {
      return std::all_of(
          value.members().begin(), value.members().end(),
          [&](const Json::Member& one) { return into(member(node, one.first).node, one.second); });
    }
    if (name != "anyOf") return false;
    std::vector<int32_t>& choices = node.any_of.emplace_back();
    return std::all_of(value.items().begin(), value.items().end(),
                       [&](const Json& one) { return into(choices.emplace_back(), one); });
  }
  static SchemaAcceptor::Member& member(Node& node, const std::string& name) {
    for (SchemaAcceptor::Member& one : node.members) {
      if (one.name == name) return one;
    }
    return node.members.emplace_back(SchemaAcceptor::Member{name});
  }

  const Schema::State& state_;
  SchemaAcceptor& out_;
};

// A letter of ASCII, or a lead byte of U+4000 to U+9FFF, where no blank lies.
bool has_ink(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte > 0x20 && byte < 0x7F) || (byte >= 0xE4 && byte <= 0xE9);
  });
}

bool accepts_text(const Node& node, std::string_view text) {
  if (text.size() > node.length_max && utf8_length(text) > node.length_max) return false;
  if (text.size() < node.length_min) return false;
  if (node.length_min > 1 && utf8_length(text) < node.length_min) return false;
  return std::all_of(node.patterns.begin(), node.patterns.end(), [&](const Pattern* pattern) {
    if (node.has_ink && node.patterns.size() == 1 && has_ink(text)) return true;
    const auto found = pattern->search(text);
    return found.ok() && *found;
  });
}

bool accepts_number(const Node& node, const TapeNode& value) {
  if (node.minimum == INT64_MIN && node.maximum == INT64_MAX) return true;
  return value.kind == Kind::kInt && value.int_value >= node.minimum &&
         value.int_value <= node.maximum;
}

bool is_listed(const Node& node, const TapeNode& value) {
  if (value.kind == Kind::kString) {
    return std::find(node.texts.begin(), node.texts.end(), value.text) != node.texts.end();
  }
  return value.kind == Kind::kInt &&
         std::find(node.numbers.begin(), node.numbers.end(), value.int_value) != node.numbers.end();
}

bool accepts_items(const SchemaAcceptor& all, const Node& node, TapeValue value) {
  if (value.size() < node.items_min || value.size() > node.items_max) return false;
  bool is_contained = !node.has_contains;
  for (const TapeValue item : value) {
    if (!all.accepts(node.items, item)) return false;
    is_contained = is_contained || all.accepts(node.contains, item);
  }
  return is_contained;
}

bool accepts_members(const SchemaAcceptor& all, const Node& node, TapeValue value) {
  uint32_t required = 0;
  for (const TapeValue inside : value) {
    const auto known = std::find_if(
        node.members.begin(), node.members.end(),
        [&](const SchemaAcceptor::Member& member) { return member.name == inside.name(); });
    if (known == node.members.end()) {
      if (!all.accepts(node.other_members, inside)) return false;
      continue;
    }
    required += known->is_required ? 1 : 0;
    if (!all.accepts(known->node, inside)) return false;
  }
  return required == node.required_count;
}

}  // namespace

bool SchemaAcceptor::accepts(int32_t at, TapeValue value) const {
  if (at < 0) return at == kAnything;
  const Node& node = nodes[static_cast<size_t>(at)];
  const TapeNode& given = *value.node();
  if ((node.kinds & bit(given.kind)) == 0) return false;
  if (node.has_enum && !is_listed(node, given)) return false;
  bool fits = true;
  switch (given.kind) {
    case Kind::kString:
      fits = accepts_text(node, given.text);
      break;
    case Kind::kInt:
    case Kind::kUint:
    case Kind::kDouble:
      fits = accepts_number(node, given);
      break;
    case Kind::kArray:
      fits = accepts_items(*this, node, value);
      break;
    case Kind::kObject:
      fits = accepts_members(*this, node, value);
      break;
    case Kind::kNull:
    case Kind::kBool:
      break;
  }
  return fits && std::all_of(node.any_of.begin(), node.any_of.end(), [&](const auto& choices) {
           return std::any_of(choices.begin(), choices.end(),
                              [&](int32_t choice) { return accepts(choice, value); });
         });
}

SchemaAcceptor compile_acceptor(const Schema::State& state) {
  SchemaAcceptor acceptor;
  const auto root = Compiler(state, acceptor).compile(state.root());
  if (!root) acceptor.nodes.clear();
  return acceptor;
}

}  // namespace mortise::base
