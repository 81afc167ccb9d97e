// The values of a chat template: what Python would have, cut down to data. Strings are UTF-8 and
// counted in code points; lists and dicts are shared and never changed once made, except a
// namespace. Used only inside engine/template.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"

namespace mortise::engine::jinja {

class Value;
struct Node;
struct Scope;
using List = std::vector<Value>;

struct Dict {
  std::vector<std::pair<Value, Value>> entries;  // in order of insertion
  const Value* find(const Value& key) const;
  const Value* find_text(std::string_view key) const;
  void set(Value key, Value value);
};

// Something that a template can call: a global function, a method with its object, a macro.
struct Callable;
// The variable `loop` of one running for.
struct Loop;

class Value {
 public:
  enum class Kind : uint8_t {
    kUndefined,
    kNone,
    kBool,
    kInt,
    kFloat,
    kString,
    kList,
    kTuple,
    kGenerator,
    kDict,
    kNamespace,
    kLoop,
    kCallable
  };

  Value() = default;                         // undefined
  static Value undefined(std::string name);  // name: for the message when it is used
  static Value none();
  Value(bool value) : kind_(Kind::kBool), int_(value) {}
  Value(int64_t value) : kind_(Kind::kInt), int_(value) {}
  Value(double value) : kind_(Kind::kFloat), double_(value) {}
  Value(std::string value);
  Value(const char* value) : Value(std::string(value)) {}
  static Value list(List items);
  static Value tuple(List items);
  static Value generator(List items);  // what map and select give: true, without a length
  static Value dict(Dict entries);
  static Value name_space(Dict entries);
  static Value callable(Callable callable);
  static Value loop(std::shared_ptr<Loop> loop);
  static Value from_json(const base::Json& json);

  Kind kind() const { return kind_; }
  bool is(Kind kind) const { return kind_ == kind; }
  bool is_undefined() const { return kind_ == Kind::kUndefined; }
  bool is_string() const { return kind_ == Kind::kString; }
  bool is_number() const {  // a bool counts, as in Python
    return kind_ == Kind::kBool || kind_ == Kind::kInt || kind_ == Kind::kFloat;
  }
  bool is_integer() const { return kind_ == Kind::kBool || kind_ == Kind::kInt; }
  bool is_sequence() const { return kind_ == Kind::kList || kind_ == Kind::kTuple; }

  // Each only for its kind.
  int64_t integer() const { return int_; }
  double number() const { return kind_ == Kind::kFloat ? double_ : static_cast<double>(int_); }
  const std::string& text() const;  // string, or name of an undefined
  const List& items() const;        // list, tuple, generator
  const Dict& entries() const;      // dict and namespace
  Dict& entries_to_change() const;  // namespace
  const Callable& call() const;
  const std::shared_ptr<Loop>& loop() const { return loop_; }

  bool truth() const;
  const char* type_name() const;  // Python's: "str", "NoneType"
  std::string to_text() const;    // str(value)
  std::string repr() const;       // repr(value)
  bool operator==(const Value& other) const;

 private:
  Kind kind_ = Kind::kUndefined;
  int64_t int_ = 0;
  double double_ = 0;
  std::shared_ptr<const std::string> text_;
  std::shared_ptr<List> list_;
  std::shared_ptr<Dict> dict_;
  std::shared_ptr<Callable> callable_;
  std::shared_ptr<Loop> loop_;
};

struct Callable {
  enum class What { kGlobal, kMethod, kMacro, kLoop };
  What what = What::kGlobal;
  std::string name;            // "range"; "strip"; the macro's name
  Value self;                  // of a method or of loop.cycle
  const Node* node = nullptr;  // of a macro: the tree outlives every value
  std::weak_ptr<Scope> scope;  // of a macro: where it was defined
};

struct Loop {
  List items;
  size_t index0 = 0;
  int64_t depth0 = 0;
  Value last_changed;
  bool has_changed = false;
  const Node* recursive = nullptr;  // the for itself when it may be called
};

// Python's spelling of a float: the shortest that reads back the same, "1e+16", "inf".
std::string float_text(double value);
// Python's json.dumps with ensure_ascii=False. indent < 0: one line with ", " and ": ".
// Throws TemplateFailure for a value that JSON does not have.
struct JsonStyle {
  int indent = -1;
  bool sort_keys = false;
  std::string item_separator, key_separator;  // empty: the default
};
std::string to_json(const Value& value, const JsonStyle& style);

}  // namespace mortise::engine::jinja
