// Values: making, comparing, truth, and Python's spelling of them. JSON text is in json_text.cpp.
#include "engine/template/value.h"

#include <array>
#include <charconv>
#include <cmath>

#include "engine/template/failure.h"
#include "engine/template/text.h"

namespace mortise::engine::jinja {

const Value* Dict::find(const Value& key) const {
  for (const auto& [name, value] : entries) {
    if (name == key) return &value;
  }
  return nullptr;
}

const Value* Dict::find_text(std::string_view key) const {
  for (const auto& [name, value] : entries) {
    if (name.is_string() && name.text() == key) return &value;
  }
  return nullptr;
}

void Dict::set(Value key, Value value) {
  for (auto& [name, old] : entries) {
    if (name == key) {
      old = std::move(value);
      return;
    }
  }
  entries.emplace_back(std::move(key), std::move(value));
}

Value::Value(std::string value)
    : kind_(Kind::kString), text_(std::make_shared<const std::string>(std::move(value))) {}

Value Value::undefined(std::string name) {
  Value value;
  value.text_ = std::make_shared<const std::string>(std::move(name));
  return value;
}
Value Value::none() {
  Value value;
  value.kind_ = Kind::kNone;
  return value;
}
Value Value::list(List items) {
  Value value;
  value.kind_ = Kind::kList;
  value.list_ = std::make_shared<List>(std::move(items));
  return value;
}
Value Value::tuple(List items) {
  Value value = list(std::move(items));
  value.kind_ = Kind::kTuple;
  return value;
}
Value Value::generator(List items) {
  Value value = list(std::move(items));
  value.kind_ = Kind::kGenerator;
  return value;
}
Value Value::dict(Dict entries) {
  Value value;
  value.kind_ = Kind::kDict;
  value.dict_ = std::make_shared<Dict>(std::move(entries));
  return value;
}
Value Value::name_space(Dict entries) {
  Value value = dict(std::move(entries));
  value.kind_ = Kind::kNamespace;
  return value;
}
Value Value::callable(Callable callable) {
  Value value;
  value.kind_ = Kind::kCallable;
  value.callable_ = std::make_shared<Callable>(std::move(callable));
  return value;
}
Value Value::loop(std::shared_ptr<Loop> loop) {
  Value value;
  value.kind_ = Kind::kLoop;
  value.loop_ = std::move(loop);
  return value;
}

Value Value::from_json(const base::Json& json) {
  using JsonKind = base::Json::Kind;
  switch (json.kind()) {
    case JsonKind::kNull:
      return none();
    case JsonKind::kBool:
      return Value(json.as_bool());
    case JsonKind::kInt:
      return Value(json.as_int());
    case JsonKind::kUint:
    case JsonKind::kDouble:
      return Value(json.as_double());
    case JsonKind::kString:
      return Value(json.as_string());
    case JsonKind::kArray: {
      List items;
      items.reserve(json.size());
      for (const base::Json& item : json.items()) items.push_back(from_json(item));
      return list(std::move(items));
    }
    case JsonKind::kObject: {
      Dict dict;  // keys of Json are unique already
      dict.entries.reserve(json.size());
      for (const auto& [key, item] : json.members()) {
        dict.entries.emplace_back(Value(key), from_json(item));
      }
      return Value::dict(std::move(dict));
    }
  }
  return Value();
}

const std::string& Value::text() const {
  static const std::string empty;
  return text_ ? *text_ : empty;
}
const List& Value::items() const {
  static const List empty;
  return list_ ? *list_ : empty;
}
const Dict& Value::entries() const {
  static const Dict empty;
  return dict_ ? *dict_ : empty;
}
Dict& Value::entries_to_change() const {
  return *dict_;
}
const Callable& Value::call() const {
  return *callable_;
}

bool Value::truth() const {
  switch (kind_) {
    case Kind::kUndefined:
    case Kind::kNone:
      return false;
    case Kind::kBool:
    case Kind::kInt:
      return int_ != 0;
    case Kind::kFloat:
      return double_ != 0;
    case Kind::kString:
      return !text().empty();
    case Kind::kList:
    case Kind::kTuple:
      return !items().empty();
    case Kind::kDict:
      return !entries().entries.empty();
    default:
      return true;
  }
}

const char* Value::type_name() const {
  constexpr std::array kNames = {"Undefined", "NoneType",    "bool",    "int",       "float",
                                 "str",       "list",        "tuple",   "generator", "dict",
                                 "Namespace", "LoopContext", "function"};
  return kNames[static_cast<size_t>(kind_)];
}

std::string float_text(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  std::array<char, 32> buffer;
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value,
                                 std::chars_format::scientific);
  std::string text(buffer.data(), end.ptr);
  const size_t e = text.find('e');
  const int exponent = std::stoi(text.substr(e + 1));
  if (exponent < -4 || exponent >= 16) return text;  // "1e+16", "1.5e-05": Python spells it so too
  const auto fixed =
      std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::fixed);
  text.assign(buffer.data(), fixed.ptr);
  if (text.find('.') == std::string::npos) text += ".0";
  return text;
}

std::string Value::to_text() const {
  if (kind_ == Kind::kString) return text();
  return repr();
}

namespace {

std::string joined(const List& items, char open, char close, bool comma) {
  std::string out(1, open);
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0) out += ", ";
    out += items[i].repr();
  }
  if (comma) out += ',';
  return out += close;
}

std::string dict_text(const Dict& dict) {
  std::string out = "{";
  for (size_t i = 0; i < dict.entries.size(); ++i) {
    if (i > 0) out += ", ";
    out += dict.entries[i].first.repr() + ": " + dict.entries[i].second.repr();
  }
  return out + "}";
}

}  // namespace

std::string Value::repr() const {
  switch (kind_) {
    case Kind::kUndefined:
      return "";
    case Kind::kNone:
      return "None";
    case Kind::kBool:
      return int_ != 0 ? "True" : "False";
    case Kind::kInt:
      return std::to_string(int_);
    case Kind::kFloat:
      return float_text(double_);
    case Kind::kString:
      return python_quote(text());
    case Kind::kList:
      return joined(items(), '[', ']', false);
    case Kind::kTuple:
      return joined(items(), '(', ')', items().size() == 1);
    case Kind::kDict:
      return dict_text(entries());
    case Kind::kNamespace:
      return "<Namespace " + dict_text(entries()) + ">";
    default:
      unknown(std::string("Printing a ") + type_name());
  }
}

bool Value::operator==(const Value& other) const {
  if (is_number() && other.is_number()) {
    if (is_integer() && other.is_integer()) return int_ == other.int_;
    return number() == other.number();
  }
  if (kind_ != other.kind_) return false;
  switch (kind_) {
    case Kind::kString:
      return text() == other.text();
    case Kind::kList:
    case Kind::kTuple:
      return items() == other.items();
    case Kind::kDict:
      if (entries().entries.size() != other.entries().entries.size()) return false;
      for (const auto& [key, value] : entries().entries) {
        const Value* twin = other.entries().find(key);
        if (twin == nullptr || !(*twin == value)) return false;
      }
      return true;
    case Kind::kGenerator:
      return list_ == other.list_;
    case Kind::kNamespace:
      return dict_ == other.dict_;
    case Kind::kLoop:
      return loop_ == other.loop_;
    case Kind::kCallable:
      return callable_ == other.callable_;
    default:
      return true;  // undefined, none
  }
}

}  // namespace mortise::engine::jinja
