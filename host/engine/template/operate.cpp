// Operators, iteration, subscripts and attributes over values, with Python's rules and errors.
#include <algorithm>
#include <cmath>
#include <limits>

#include "base/utf8.h"
#include "engine/template/builtin.h"
#include "engine/template/failure.h"
#include "engine/template/text.h"

namespace mortise::engine::jinja {
namespace {

using Kind = Value::Kind;

[[noreturn]] void use_of_undefined(const Value& value) {
  fail(value.text().empty() ? "An undefined value is used." : value.text());
}

[[noreturn]] void wrong_types(const std::string& sign, const Value& a, const Value& b) {
  if (a.is_undefined()) use_of_undefined(a);
  if (b.is_undefined()) use_of_undefined(b);
  fail("The operator " + sign + " does not take " + a.type_name() + " and " + b.type_name() + ".");
}

}  // namespace

void Budget::spend(uint64_t steps) {
  if (steps > steps_left) {
    throw TemplateFailure(base::Code::kResourceExhausted,
                          "The template needs more steps than are allowed.");
  }
  steps_left -= steps;
}

void Budget::check_text(size_t size_bytes) {
  if (size_bytes > text_bytes_max) {
    throw TemplateFailure(
        base::Code::kResourceExhausted,
        "The template makes a text of more than " + std::to_string(text_bytes_max) + " bytes.");
  }
  spend(size_bytes / 256);
}

List iterate(const Value& value, Budget& budget) {
  List out;
  switch (value.kind()) {
    case Kind::kUndefined:
      return out;
    case Kind::kList:
    case Kind::kTuple:
    case Kind::kGenerator:
      budget.spend(value.items().size());
      return value.items();
    case Kind::kDict:
      budget.spend(value.entries().entries.size());
      for (const auto& [key, entry] : value.entries().entries) out.push_back(key);
      return out;
    case Kind::kString: {
      const std::string& text = value.text();
      budget.spend(text.size());
      for (size_t at = 0; at < text.size();) {
        const size_t begin = at;
        base::utf8_next(text, at);
        out.emplace_back(text.substr(begin, at - begin));
      }
      return out;
    }
    default:
      fail(std::string("A value of type ") + value.type_name() + " cannot be iterated over.");
  }
}

int64_t length(const Value& value) {
  switch (value.kind()) {
    case Kind::kUndefined:
      return 0;
    case Kind::kString:
      return static_cast<int64_t>(length_of(value.text()));
    case Kind::kList:
    case Kind::kTuple:
      return static_cast<int64_t>(value.items().size());
    case Kind::kDict:
      return static_cast<int64_t>(value.entries().entries.size());
    default:
      fail(std::string("A value of type ") + value.type_name() + " has no length.");
  }
}

bool less(const Value& a, const Value& b) {
  if (a.is_number() && b.is_number()) {
    if (a.is_integer() && b.is_integer()) return a.integer() < b.integer();
    return a.number() < b.number();
  }
  if (a.is_string() && b.is_string()) return a.text() < b.text();
  if (a.is_sequence() && a.kind() == b.kind()) {
    return std::lexicographical_compare(a.items().begin(), a.items().end(), b.items().begin(),
                                        b.items().end(), less);
  }
  wrong_types("<", a, b);
}

bool contains(const Value& container, const Value& item) {
  switch (container.kind()) {
    case Kind::kUndefined:
      return false;
    case Kind::kString:
      if (!item.is_string()) {
        fail(std::string("\"in\" a text needs a text on its left, not ") + item.type_name() + ".");
      }
      return container.text().find(item.text()) != std::string::npos;
    case Kind::kList:
    case Kind::kTuple:
    case Kind::kGenerator: {
      const List& items = container.items();
      return std::find(items.begin(), items.end(), item) != items.end();
    }
    case Kind::kDict:
      return container.entries().find(item) != nullptr;
    default:
      fail(std::string("A value of type ") + container.type_name() + " contains nothing.");
  }
}

namespace {

Value loop_attribute(const Loop& loop, const std::string& name) {
  const auto size = static_cast<int64_t>(loop.items.size());
  const auto index0 = static_cast<int64_t>(loop.index0);
  if (name == "index") return Value(index0 + 1);
  if (name == "index0") return Value(index0);
  if (name == "revindex") return Value(size - index0);
  if (name == "revindex0") return Value(size - index0 - 1);
  if (name == "first") return Value(index0 == 0);
  if (name == "last") return Value(index0 + 1 == size);
  if (name == "length") return Value(size);
  if (name == "depth") return Value(loop.depth0 + 1);
  if (name == "depth0") return Value(loop.depth0);
  if (name == "previtem") {
    return index0 > 0 ? loop.items[loop.index0 - 1]
                      : Value::undefined("There is no previous item in the loop.");
  }
  if (name == "nextitem") {
    return index0 + 1 < size ? loop.items[loop.index0 + 1]
                             : Value::undefined("There is no next item in the loop.");
  }
  return Value::undefined("The variable loop has no attribute \"" + name + "\".");
}

}  // namespace

Value attribute(const Value& value, const std::string& name) {
  if (value.is_undefined()) use_of_undefined(value);
  if (name.starts_with('_')) {
    fail("The attribute \"" + name + "\" is not open to templates.");
  }
  if (value.is(Kind::kLoop) && name != "cycle" && name != "changed") {
    return loop_attribute(*value.loop(), name);
  }
  if (has_method(value, name) || value.is(Kind::kLoop)) {
    return Value::callable({.what = Callable::What::kMethod,
                            .name = name,
                            .self = value,
                            .node = nullptr,
                            .scope = {}});
  }
  if (value.is(Kind::kDict) || value.is(Kind::kNamespace)) {
    if (const Value* entry = value.entries().find_text(name)) return *entry;
  }
  return Value::undefined(std::string("A value of type ") + value.type_name() +
                          " has no attribute \"" + name + "\".");
}

Value item(const Value& value, const Value& key) {
  if (value.is_undefined()) use_of_undefined(value);
  if (value.is(Kind::kDict)) {
    if (const Value* entry = value.entries().find(key)) return *entry;
  }
  if (key.is_integer() && (value.is_sequence() || value.is_string())) {
    const int64_t size = length(value);
    const int64_t at = key.integer() < 0 ? key.integer() + size : key.integer();
    if (at < 0 || at >= size) {
      return Value::undefined("There is no item " + std::to_string(key.integer()) + " in a " +
                              value.type_name() + " of " + std::to_string(size) + ".");
    }
    if (value.is_sequence()) return value.items()[static_cast<size_t>(at)];
    const std::u32string points = to_code_points(value.text());
    return Value(to_utf8(std::u32string_view(points).substr(static_cast<size_t>(at), 1)));
  }
  if (key.is_string()) return attribute(value, key.text());
  return Value::undefined(std::string("A value of type ") + value.type_name() +
                          " has no item of that key.");
}

Value attribute_path(const Value& value, std::string_view path) {
  Value at = value;
  while (true) {
    const size_t dot = path.find('.');
    const std::string part(path.substr(0, dot));
    const bool number = !part.empty() &&
                        part.find_first_not_of("0123456789") == std::string::npos &&
                        part.size() < 10;
    at = number ? item(at, Value(int64_t{std::stoi(part)})) : item(at, Value(part));
    if (dot == std::string_view::npos) return at;
    path.remove_prefix(dot + 1);
  }
}

namespace {

// Python's slice.indices, then the chosen items.
template <class Sequence>
Sequence sliced(const Sequence& all, const Value* begin, const Value* end, int64_t step) {
  const auto size = static_cast<int64_t>(all.size());
  const auto bound = [&](const Value* value, int64_t fallback) {
    if (value == nullptr || value->is(Kind::kNone)) return fallback;
    if (!value->is_integer()) fail("A slice needs integers.");
    int64_t at = value->integer();
    if (at < 0) at = std::max<int64_t>(at, -size) + size;
    if (value->integer() < -size) at = step < 0 ? -1 : 0;
    return std::min(at, step < 0 ? size - 1 : size);
  };
  const int64_t from = bound(begin, step < 0 ? size - 1 : 0);
  const int64_t to = bound(end, step < 0 ? -1 : size);
  Sequence out;
  for (int64_t at = from; step > 0 ? at < to : at > to; at += step) {
    out.push_back(all[static_cast<size_t>(at)]);
    if (std::abs(step) > size) break;  // one item at most, and no overflow
  }
  return out;
}

}  // namespace

Value slice(const Value& value, const Value* begin, const Value* end, const Value* step) {
  int64_t stride = 1;
  if (step != nullptr && !step->is(Kind::kNone)) {
    if (!step->is_integer() || step->integer() == 0)
      fail("The step of a slice is an integer, not 0.");
    stride = step->integer();
  }
  if (value.is_string()) {
    return Value(to_utf8(sliced(to_code_points(value.text()), begin, end, stride)));
  }
  if (value.is(Kind::kList)) return Value::list(sliced(value.items(), begin, end, stride));
  if (value.is(Kind::kTuple)) return Value::tuple(sliced(value.items(), begin, end, stride));
  if (value.is_undefined()) use_of_undefined(value);
  fail(std::string("A value of type ") + value.type_name() + " cannot be sliced.");
}

namespace {

[[noreturn]] void too_large() {
  fail("The result of the calculation is too large.");
}

int64_t integer_power(int64_t base, int64_t exponent) {
  int64_t result = 1;
  for (int64_t i = 0; i < exponent; ++i) {
    if (__builtin_mul_overflow(result, base, &result)) too_large();
    if (result == 0 || (result == 1 && base == 1)) break;
    if (base == -1) return exponent % 2 == 0 ? 1 : -1;
  }
  return result;
}

Value integer_binary(const std::string& sign, int64_t a, int64_t b) {
  int64_t result = 0;
  if (sign == "+" && !__builtin_add_overflow(a, b, &result)) return Value(result);
  if (sign == "-" && !__builtin_sub_overflow(a, b, &result)) return Value(result);
  if (sign == "*" && !__builtin_mul_overflow(a, b, &result)) return Value(result);
  if (sign == "+" || sign == "-" || sign == "*") too_large();
  if (sign == "**") {
    if (b >= 0) return Value(integer_power(a, b));
    return Value(std::pow(static_cast<double>(a), static_cast<double>(b)));
  }
  if (b == 0) fail("A division by zero.");
  if (sign == "/") return Value(static_cast<double>(a) / static_cast<double>(b));
  if (a == std::numeric_limits<int64_t>::min() && b == -1) too_large();
  const int64_t quotient = a / b, rest = a % b;
  const bool down = rest != 0 && (rest < 0) != (b < 0);
  if (sign == "//") return Value(quotient - (down ? 1 : 0));
  return Value(rest + (down ? b : 0));
}

Value float_binary(const std::string& sign, double a, double b) {
  if (sign == "+") return Value(a + b);
  if (sign == "-") return Value(a - b);
  if (sign == "*") return Value(a * b);
  if (sign == "**") return Value(std::pow(a, b));
  if (b == 0) fail("A division by zero.");
  if (sign == "/") return Value(a / b);
  double rest = std::fmod(a, b);
  if (rest != 0 && (rest < 0) != (b < 0)) rest += b;
  if (sign == "%") return Value(rest);
  return Value(std::floor((a - rest) / b + 0.5));
}

Value repeated(const Value& value, int64_t times, Budget& budget) {
  const auto count = static_cast<uint64_t>(std::max<int64_t>(times, 0));
  if (value.is_string()) {
    const size_t size = value.text().size();
    if (size > 0) budget.check_text(count > budget.text_bytes_max ? SIZE_MAX / 2 : size * count);
    std::string out;
    for (uint64_t i = 0; size > 0 && i < count; ++i) out += value.text();
    return Value(std::move(out));
  }
  const size_t size = value.items().size();
  if (size > 0) budget.spend(count > 100'000'000 ? UINT64_MAX / 2 : size * count);
  List out;
  for (uint64_t i = 0; size > 0 && i < count; ++i) {
    out.insert(out.end(), value.items().begin(), value.items().end());
  }
  return value.is(Kind::kTuple) ? Value::tuple(std::move(out)) : Value::list(std::move(out));
}

}  // namespace

Value binary(const std::string& sign, const Value& a, const Value& b, Budget& budget) {
  if (a.is_number() && b.is_number()) {
    if (a.is_integer() && b.is_integer()) return integer_binary(sign, a.integer(), b.integer());
    return float_binary(sign, a.number(), b.number());
  }
  if (sign == "+" && a.is_string() && b.is_string()) {
    budget.check_text(a.text().size() + b.text().size());
    return Value(a.text() + b.text());
  }
  if (sign == "+" && a.is_sequence() && a.kind() == b.kind()) {
    budget.spend(a.items().size() + b.items().size());
    List items = a.items();
    items.insert(items.end(), b.items().begin(), b.items().end());
    return a.is(Kind::kTuple) ? Value::tuple(std::move(items)) : Value::list(std::move(items));
  }
  const auto repeats = [](const Value& v) { return v.is_string() || v.is_sequence(); };
  if (sign == "*" && repeats(a) && b.is_integer()) return repeated(a, b.integer(), budget);
  if (sign == "*" && repeats(b) && a.is_integer()) return repeated(b, a.integer(), budget);
  if (sign == "%" && a.is_string()) {
    return Value(percent_format(a.text(), b.is(Kind::kTuple) ? b.items() : List{b}));
  }
  wrong_types(sign, a, b);
}

std::string percent_format(const std::string& format, const List& values) {
  std::string out;
  size_t used = 0;
  for (size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%') {
      out += format[i];
      continue;
    }
    const char sort = i + 1 < format.size() ? format[i + 1] : '\0';
    ++i;
    if (sort == '%') {
      out += '%';
      continue;
    }
    if (sort != 's' && sort != 'd' && sort != 'r') {
      unknown(std::string("The conversion %") + sort + " of a text");
    }
    if (used == values.size()) fail("The text has more % conversions than there are values.");
    const Value& value = values[used++];
    if (sort == 'd' && !value.is_number()) fail("The conversion %d needs a number.");
    out += sort == 'r'   ? value.repr()
           : sort == 's' ? value.to_text()
                         : std::to_string(static_cast<int64_t>(value.number()));
  }
  if (used != values.size()) fail("The text has fewer % conversions than there are values.");
  return out;
}

}  // namespace mortise::engine::jinja
