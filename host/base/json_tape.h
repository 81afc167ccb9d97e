// A JSON value laid flat: nodes in the order of the text, each knowing how many follow that belong
// to it. Rows in bulk are read into one tape and judged there, without an allocation a row;
// json_read fills it. Copies of nodes stay whole, so a row is reshaped by putting pieces together.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace mortise::base {

struct TapeNode {
  Json::Kind kind = Json::Kind::kNull;
  uint32_t size = 1;      // nodes of this value, itself among them
  uint32_t count = 0;     // items or members
  std::string_view name;  // of a member
  std::string_view text;  // of a string
  union {
    bool bool_value;
    int64_t int_value = 0;
    uint64_t uint_value;
    double double_value;
  };
};

// A light handle; valid as long as the nodes and the texts that they name. A default one stands for
// what is absent and answers every question as an absent value does. [any]
class TapeValue {
 public:
  TapeValue() = default;
  explicit TapeValue(const TapeNode* node) : node_(node) {}

  bool exists() const { return node_ != nullptr; }
  const TapeNode* node() const { return node_; }
  bool is(Json::Kind kind) const { return node_ != nullptr && node_->kind == kind; }
  bool is_string() const { return is(Json::Kind::kString); }
  bool is_array() const { return is(Json::Kind::kArray); }
  bool is_object() const { return is(Json::Kind::kObject); }
  bool is_number() const;
  std::string_view name() const { return node_ == nullptr ? std::string_view() : node_->name; }
  std::string_view text() const { return is_string() ? node_->text : std::string_view(); }
  double as_double(double fallback = 0) const;
  size_t size() const { return node_ == nullptr ? 0 : node_->count; }
  TapeValue find(std::string_view name) const;  // a member; absent when there is none
  TapeValue at(size_t index) const;             // an item or member
  Json to_json() const;

  // Items of an array, members of an object.
  class Iterator {
   public:
    explicit Iterator(const TapeNode* at) : at_(at) {}
    TapeValue operator*() const { return TapeValue(at_); }
    Iterator& operator++() {
      at_ += at_->size;
      return *this;
    }
    bool operator!=(const Iterator& other) const { return at_ != other.at_; }

   private:
    const TapeNode* at_;
  };
  Iterator begin() const { return Iterator(size() == 0 ? node_ : node_ + 1); }
  Iterator end() const { return Iterator(size() == 0 ? node_ : node_ + node_->size); }

 private:
  const TapeNode* node_ = nullptr;
};

// Nodes and the texts that were made for them. Handles end at the next change. [serial]
class Tape {
 public:
  void clear();
  TapeValue root() const { return TapeValue(nodes_.empty() ? nullptr : nodes_.data()); }
  std::vector<TapeNode>& nodes() { return nodes_; }

  // Its texts lie in `value`, which must outlast the tape's use.
  void set(const Json& value);

  // Building in order: open, what is inside, close(what open answered).
  size_t open(Json::Kind kind, std::string_view name);
  void close(size_t opened);
  void add_text(std::string_view name, std::string_view text);
  void add(std::string_view name, TapeValue value);  // a copy under another name
  // A text that lives as long as the tape is not cleared.
  std::string_view keep(std::string text);

 private:
  void add_json(const Json& value, std::string_view name);

  std::vector<TapeNode> nodes_;
  std::deque<std::string> texts_;
};

}  // namespace mortise::base
