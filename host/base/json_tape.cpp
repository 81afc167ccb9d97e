// See json_tape.h.
#include "base/json_tape.h"

namespace mortise::base {

bool TapeValue::is_number() const {
  return is(Json::Kind::kInt) || is(Json::Kind::kUint) || is(Json::Kind::kDouble);
}

double TapeValue::as_double(double fallback) const {
  if (is(Json::Kind::kInt)) return static_cast<double>(node_->int_value);
  if (is(Json::Kind::kUint)) return static_cast<double>(node_->uint_value);
  return is(Json::Kind::kDouble) ? node_->double_value : fallback;
}

TapeValue TapeValue::find(std::string_view name) const {
  if (!is_object()) return {};
  for (const TapeValue member : *this) {
    if (member.node()->name == name) return member;
  }
  return {};
}

TapeValue TapeValue::at(size_t index) const {
  for (const TapeValue item : *this) {
    if (index-- == 0) return item;
  }
  return {};
}

Json TapeValue::to_json() const {
  if (node_ == nullptr) return {};
  switch (node_->kind) {
    case Json::Kind::kNull:
      return {};
    case Json::Kind::kBool:
      return Json(node_->bool_value);
    case Json::Kind::kInt:
      return Json(node_->int_value);
    case Json::Kind::kUint:
      return Json(node_->uint_value);
    case Json::Kind::kDouble:
      return Json(node_->double_value);
    case Json::Kind::kString:
      return Json(node_->text);
    case Json::Kind::kArray: {
      Json out = Json::array();
      out.items().reserve(node_->count);
      for (const TapeValue item : *this) out.items().push_back(item.to_json());
      return out;
    }
    case Json::Kind::kObject: {
      Json out = Json::object();
      out.members().reserve(node_->count);
      for (const TapeValue member : *this) {
        out.members().emplace_back(std::string(member.name()), member.to_json());
      }
      return out;
    }
  }
  return {};
}

void Tape::clear() {
  nodes_.clear();
  texts_.clear();
}

void Tape::set(const Json& value) {
  clear();
  add_json(value, {});
}

size_t Tape::open(Json::Kind kind, std::string_view name) {
  TapeNode node;
  node.kind = kind;
  node.name = name;
  node.count = 0;
  nodes_.push_back(node);
  return nodes_.size() - 1;
}

void Tape::close(size_t opened) {
  TapeNode& node = nodes_[opened];
  node.size = static_cast<uint32_t>(nodes_.size() - opened);
  node.count = 0;
  for (size_t at = opened + 1; at < nodes_.size(); at += nodes_[at].size) ++nodes_[opened].count;
}

void Tape::add_text(std::string_view name, std::string_view text) {
  TapeNode node;
  node.kind = Json::Kind::kString;
  node.name = name;
  node.text = text;
  nodes_.push_back(node);
}

void Tape::add(std::string_view name, TapeValue value) {
  const size_t at = nodes_.size();
  nodes_.insert(nodes_.end(), value.node(), value.node() + value.node()->size);
  nodes_[at].name = name;
}

std::string_view Tape::keep(std::string text) {
  return texts_.emplace_back(std::move(text));
}

void Tape::add_json(const Json& value, std::string_view name) {
  const size_t at = open(value.kind(), name);
  switch (value.kind()) {
    case Json::Kind::kNull:
      return;
    case Json::Kind::kBool:
      nodes_[at].bool_value = value.as_bool();
      return;
    case Json::Kind::kInt:
      nodes_[at].int_value = value.as_int();
      return;
    case Json::Kind::kUint:
      nodes_[at].uint_value = value.as_uint();
      return;
    case Json::Kind::kDouble:
      nodes_[at].double_value = value.as_double();
      return;
    case Json::Kind::kString:
      nodes_[at].text = value.as_string();
      return;
    case Json::Kind::kArray:
      for (const Json& item : value.items()) add_json(item, {});
      break;
    case Json::Kind::kObject:
      for (const auto& [key, member] : value.members()) add_json(member, key);
      break;
  }
  close(at);
}

}  // namespace mortise::base
