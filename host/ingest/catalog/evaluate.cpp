// See evaluate.h.
#include "ingest/catalog/evaluate.h"

#include <algorithm>
#include <functional>
#include <map>
#include <span>

#include "ingest/catalog/canonical.h"

namespace mortise::ingest::catalog {

using base::Code;
using base::Error;
using base::Json;
using base::Result;
using base::Status;

namespace {

using Kind = Expression::Kind;

// is_many: json is the list that `[]` gathered, one item a value.
struct Value {
  Json json;
  bool is_many = false;
};

Error at(const Expression& node, Error error) {
  if (error.byte_offset < 0) error.at_byte(static_cast<int64_t>(node.byte));
  return error;
}

Error fail(const Expression& node, const std::string& message, const std::string& hint = {}) {
  return at(node, Error(Code::kInvalidArgument, message, hint));
}

// The bounds of a slice of `size` things, as Python counts them.
std::pair<int64_t, int64_t> bounds(const Expression& node, int64_t size) {
  const auto place = [&](int64_t index, int64_t open) {
    if (index == Expression::kOpen) return open;
    return std::clamp<int64_t>(index < 0 ? index + size : index, 0, size);
  };
  return {place(node.from, 0), place(node.to, size)};
}

std::string padded(std::string text, int width) {
  const size_t wanted = static_cast<size_t>(std::max(width, 0));
  if (text.size() < wanted) text.insert(0, wanted - text.size(), '0');
  return text;
}

class Evaluation {
 public:
  Evaluation(const Mapping& mapping, const Scene& scene, const MappingLimits& limits)
      : mapping_(mapping), scene_(scene), limits_(limits) {}

  Result<std::vector<Json>> run();

 private:
  struct Axis {
    const Expression* node;
    const Source* source;
  };

  void find_axes(const Expression& node, const Source& source, int* depth);
  Status loop(size_t level);
  Status make_row();
  Result<int64_t> length(const Axis& axis);

  Result<Value> value(const Expression& node);
  Result<Value> lift(const Expression& node,
                     const std::function<Result<Json>(std::span<const Json>)>& apply);
  Result<Value> name(const Expression& node);
  Result<Value> items(const Expression& node);
  Result<Json> key_of(const Expression& node);
  Result<Json> one(const Expression& node, std::span<const Json> parts);
  Result<Json> call(const Expression& node, const std::vector<Value>& parts);

  const Mapping& mapping_;
  const Scene& scene_;
  const MappingLimits& limits_;
  std::vector<std::vector<Axis>> axes_;   // by depth
  std::map<std::string, int64_t> index_;  // of the axes that make rows
  std::vector<Json> rows_;
};

// Every `[]` outside of gathering words; depth becomes the number of them that lie in each other.
void Evaluation::find_axes(const Expression& node, const Source& source, int* depth) {
  int deepest = 0;
  const bool gathers = node.kind == Kind::kCall && find_word(node.text)->gathers;
  for (const Expression& part : node.parts) {
    int below = 0;
    if (!gathers) find_axes(part, source, &below);
    deepest = std::max(deepest, below);
  }
  if (node.kind == Kind::kItems) {
    const auto level = static_cast<size_t>(deepest++);
    if (axes_.size() <= level) axes_.resize(level + 1);
    const bool is_known = std::ranges::any_of(
        axes_[level], [&](const Axis& axis) { return axis.node->axis == node.axis; });
    if (!is_known) axes_[level].push_back({&node, &source});
  }
  *depth = deepest;
}

Result<std::vector<Json>> Evaluation::run() {
  for (const Source& source : mapping_.sources) {
    int depth = 0;
    if (!is_list_target(source.target)) find_axes(source.root, source, &depth);
  }
  MORTISE_TRY(loop(0));
  return std::move(rows_);
}

Result<int64_t> Evaluation::length(const Axis& axis) {
  const Expression& node = *axis.node;
  MORTISE_ASSIGN(const Value list, value(node.parts[0]));
  if (list.json.is_array() || list.json.is_object()) return static_cast<int64_t>(list.json.size());
  return fail(
      node,
      list.json.is_null() ? "The row has no list " + node.axis + "."
                          : node.axis + " is taken of a " + list.json.kind_name() + ".",
      list.json.is_string() ? "A list that is written as text is read by parse() or json()." : "");
}

Status Evaluation::loop(size_t level) {
  if (level == axes_.size()) return make_row();
  int64_t count = -1;
  for (const Axis& axis : axes_[level]) {
    auto found = length(axis);
    if (!found.ok()) return locate(found.error(), mapping_, *axis.source);
    if (count >= 0 && *found != count) {
      return locate(fail(*axis.node,
                         axis.node->axis + " has " + std::to_string(*found) + " items, " +
                             axes_[level][0].node->axis + " has " + std::to_string(count) + ".",
                         "Lists that advance together have one length."),
                    mapping_, *axis.source);
    }
    count = *found;
  }
  for (int64_t i = 0; i < count; ++i) {
    for (const Axis& axis : axes_[level]) index_[axis.node->axis] = i;
    MORTISE_TRY(loop(level + 1));
  }
  for (const Axis& axis : axes_[level]) index_.erase(axis.node->axis);
  return {};
}

Status Evaluation::make_row() {
  CanonicalRow row(mapping_, scene_);
  for (const Source& source : mapping_.sources) {
    auto found = value(source.root);
    if (!found.ok()) return locate(found.error(), mapping_, source);
    auto added = row.add(source.target, std::move(found->json));
    if (!added.ok()) return locate(added.error(), mapping_, source);
  }
  row.finish(rows_);
  if (static_cast<int64_t>(rows_.size()) <= limits_.rows_max) return {};
  return Error(Code::kResourceExhausted,
               "One row becomes more than " + std::to_string(limits_.rows_max) + " rows.");
}

// A member of the row; a word for what surrounds it; a table.
Result<Value> Evaluation::name(const Expression& node) {
  const Json& row = *scene_.row;
  if (const Json* member = row.find(node.text)) return Value{*member};
  if (node.text == "row") return Value{row};
  if (node.text == "line") return Value{Json(text_of(row))};
  if (node.text == "stem") {
    const std::string medium = scene_.medium();
    return Value{std::string(stem_of(medium.empty() ? scene_.rows_file : medium))};
  }
  if (node.text == "split") return Value{std::string(split_of(scene_.rows_file))};
  MORTISE_ASSIGN(const Json* table, scene_.lookup->table(node.text));
  return Value{table == nullptr ? Json() : *table};
}

Result<Value> Evaluation::items(const Expression& node) {
  MORTISE_ASSIGN(Value list, value(node.parts[0]));
  const auto child = [](const Json& json, size_t i) {
    return json.is_object() ? json.members()[i].second : json.at(i);
  };
  if (const auto at_item = index_.find(node.axis); at_item != index_.end() && !list.is_many) {
    const auto i = static_cast<size_t>(at_item->second);
    return Value{i < list.json.size() ? child(list.json, i) : Json()};
  }
  Json flat = Json::array();
  const auto add = [&](const Json& json) {
    for (size_t i = 0; i < json.size(); ++i) flat.push_back(child(json, i));
  };
  if (list.is_many) {
    for (const Json& json : list.json.items()) add(json);
  } else {
    add(list.json);
  }
  return Value{std::move(flat), true};
}

Result<Json> Evaluation::key_of(const Expression& node) {
  const Expression& list = node.parts[0];
  MORTISE_ASSIGN(const Value object, value(list.parts[0]));
  const auto found = index_.find(list.axis);
  const auto& members = object.json.members();
  if (found == index_.end() || static_cast<size_t>(found->second) >= members.size()) {
    return fail(node, "key() is of an item of an object.");
  }
  return Json(members[static_cast<size_t>(found->second)].first);
}

// One value of a node whose parts have one value each.
Result<Json> Evaluation::one(const Expression& node, std::span<const Json> parts) {
  switch (node.kind) {
    case Kind::kTemplate: {
      std::string text;
      for (size_t i = 0; i < parts.size(); ++i) {
        if (is_absent(parts[i])) return Json();
        text += padded(text_of(parts[i]), node.parts[i].width);
      }
      return Json(std::move(text));
    }
    case Kind::kList:
      return Json::array({parts.begin(), parts.end()});
    case Kind::kJoin: {
      if (is_absent(parts[0])) return Json();
      auto row = scene_.lookup->row_of(node.text, node.key, text_of(parts[0]));
      if (!row.ok()) return at(node, row.error());
      return **row;
    }
    case Kind::kMember:
      return std::as_const(parts[0])[node.text];
    case Kind::kIndex: {
      const auto size = static_cast<int64_t>(parts[0].size());
      const int64_t index = node.from < 0 ? node.from + size : node.from;
      return index < 0 ? Json() : parts[0].at(static_cast<size_t>(index));
    }
    default:
      break;
  }
  const bool is_text = !parts[0].is_array();
  const std::string text = is_text ? text_of(parts[0]) : "";
  const auto [from, to] =
      bounds(node, static_cast<int64_t>(is_text ? text.size() : parts[0].size()));
  if (is_text)
    return Json(text.substr(static_cast<size_t>(from),
                            static_cast<size_t>(std::max<int64_t>(to - from, 0))));
  Json list = Json::array();
  for (int64_t i = from; i < to; i += node.step)
    list.push_back(parts[0].at(static_cast<size_t>(i)));
  return list;
}

// Applies to single values; where a part is many, to each of its items.
Result<Value> Evaluation::lift(const Expression& node,
                               const std::function<Result<Json>(std::span<const Json>)>& apply) {
  std::vector<Value> parts;
  int64_t count = -1;
  for (const Expression& part : node.parts) {
    MORTISE_ASSIGN(Value found, value(part));
    if (found.is_many) {
      const auto size = static_cast<int64_t>(found.json.size());
      if (count >= 0 && size != count) {
        return fail(part, "Lists of " + std::to_string(count) + " and " + std::to_string(size) +
                              " items do not go together.");
      }
      count = size;
    }
    parts.push_back(std::move(found));
  }
  std::vector<Json> now(parts.size());
  Json all = Json::array();
  for (int64_t i = 0; i < std::max<int64_t>(count, count < 0 ? 1 : 0); ++i) {
    for (size_t k = 0; k < parts.size(); ++k) {
      now[k] = parts[k].is_many ? parts[k].json.at(static_cast<size_t>(i)) : parts[k].json;
    }
    auto made = apply(now);
    if (!made.ok()) return at(node, made.error());
    if (count < 0) return Value{std::move(*made)};
    all.push_back(std::move(*made));
  }
  return Value{std::move(all), true};
}

Result<Value> Evaluation::value(const Expression& node) {
  switch (node.kind) {
    case Kind::kName:
      return name(node);
    case Kind::kFile:
      return Value{Json(scene_.medium())};
    case Kind::kText:
      return Value{Json(node.text)};
    case Kind::kItems:
      return items(node);
    case Kind::kKey: {
      MORTISE_ASSIGN(Json key, key_of(node));
      return Value{std::move(key)};
    }
    case Kind::kEither: {
      MORTISE_ASSIGN(Value left, value(node.parts[0]));
      const bool is_empty = is_absent(left.json) || (left.json.is_array() && left.json.size() == 0);
      return is_empty ? value(node.parts[1]) : Result<Value>(std::move(left));
    }
    case Kind::kCall: {
      const Word& word = *find_word(node.text);
      const auto apply = [&](std::span<const Json> parts) { return word.apply(scene_, parts); };
      if (!word.gathers) return lift(node, apply);
      std::vector<Json> parts;
      for (const Expression& part : node.parts) {
        MORTISE_ASSIGN(Value found, value(part));
        parts.push_back(std::move(found.json));
      }
      auto made = apply(parts);
      if (!made.ok()) return at(node, made.error());
      return Value{std::move(*made)};
    }
    default:
      return lift(node, [&](std::span<const Json> parts) { return one(node, parts); });
  }
}

}  // namespace

Result<std::vector<Json>> evaluate(const Mapping& mapping, const Scene& scene,
                                   const MappingLimits& limits) {
  return Evaluation(mapping, scene, limits).run();
}

}  // namespace mortise::ingest::catalog
