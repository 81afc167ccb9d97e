// Methods of strings, lists and dicts: those that change nothing. Python methods outside of the
// tables are undefined attributes, except those that would change a value, which are refused.
#include <algorithm>
#include <array>
#include <functional>
#include <map>

#include "engine/template/builtin.h"
#include "engine/template/failure.h"
#include "engine/template/text.h"

namespace mortise::engine::jinja {
namespace {

using Kind = Value::Kind;
using Method = std::function<Value(const std::string& self, const Args& args, Budget& budget)>;

const std::string& want_text(const Args& args, size_t index, std::string_view what) {
  const Value* value = args.find(index, "");
  if (value == nullptr || !value->is_string()) {
    fail(std::string(what) + "() needs a text as argument " + std::to_string(index + 1) + ".");
  }
  return value->text();
}

// None and absence mean the same here.
std::string text_or_none(const Args& args, size_t index, std::string_view name) {
  const Value* value = args.find(index, name);
  if (value == nullptr || value->is(Kind::kNone)) return {};
  if (!value->is_string())
    fail("A text or none is needed as argument \"" + std::string(name) + "\".");
  return value->text();
}

Value texts(std::vector<std::string> parts) {
  List list;
  for (std::string& part : parts) list.emplace_back(std::move(part));
  return Value::list(std::move(list));
}

// The part of self between the optional arguments start and end, in code points.
std::string window(const std::string& self, const Args& args, size_t index) {
  const Value* begin = args.find(index, "start");
  const Value* end = args.find(index + 1, "end");
  if (begin == nullptr && end == nullptr) return self;
  return slice(Value(self), begin, end, nullptr).text();
}

bool begins_or_ends(const std::string& self, const Args& args, bool begins) {
  const Value* wanted = args.find(0, "");
  const std::string text = window(self, args, 1);
  const auto one = [&](const Value& value) {
    if (!value.is_string()) fail("startswith() and endswith() need a text or a tuple of texts.");
    return begins ? text.starts_with(value.text()) : text.ends_with(value.text());
  };
  if (wanted == nullptr) fail("startswith() and endswith() need a text.");
  if (!wanted->is(Kind::kTuple)) return one(*wanted);
  return std::any_of(wanted->items().begin(), wanted->items().end(), one);
}

int64_t found_at(const std::string& self, const Args& args, bool from_right) {
  const std::string& wanted = want_text(args, 0, "find");
  if (args.count() > 1) unknown("find() with a start");
  const size_t at = from_right ? self.rfind(wanted) : self.find(wanted);
  if (at == std::string::npos) return -1;
  return static_cast<int64_t>(length_of(std::string_view(self).substr(0, at)));
}

int64_t counted(const std::string& self, const std::string& wanted) {
  if (wanted.empty()) return static_cast<int64_t>(length_of(self)) + 1;
  int64_t count = 0;
  for (size_t at = self.find(wanted); at != std::string::npos;
       at = self.find(wanted, at + wanted.size())) {
    ++count;
  }
  return count;
}

bool all_are(const std::string& self, const std::function<bool(char32_t)>& is) {
  const std::u32string points = to_code_points(self);
  return !points.empty() && std::all_of(points.begin(), points.end(), is);
}

bool is_cased(const std::string& self, bool wants_upper) {
  const std::string changed = wants_upper ? upper_text(self) : lower_text(self);
  return changed == self && upper_text(self) != lower_text(self);
}

Value padded(const std::string& self, const Args& args, Budget& budget, int sides) {
  const int64_t width = args.integer(0, "width", 0);
  const std::string fill = args.text(1, "fillchar", " ");
  const int64_t missing = width - static_cast<int64_t>(length_of(self));
  if (missing <= 0) return Value(self);
  budget.check_text(static_cast<size_t>(missing) * fill.size());
  // Python puts the odd blank of center() to the left when the width is odd.
  const int64_t left = sides == 3 ? missing / 2 + (missing & width & 1) : sides == 1 ? missing : 0;
  std::string out;
  for (int64_t i = 0; i < left; ++i) out += fill;
  out += self;
  for (int64_t i = left; i < missing; ++i) out += fill;
  return Value(std::move(out));
}

Value parted(const std::string& self, const std::string& separator, bool from_right) {
  if (separator.empty()) fail("partition() needs a separator that is not empty.");
  const size_t at = from_right ? self.rfind(separator) : self.find(separator);
  if (at == std::string::npos) {
    if (from_right) return Value::tuple({Value(""), Value(""), Value(self)});
    return Value::tuple({Value(self), Value(""), Value("")});
  }
  return Value::tuple(
      {Value(self.substr(0, at)), Value(separator), Value(self.substr(at + separator.size()))});
}

Value joined(const std::string& self, const Args& args, Budget& budget) {
  const Value* list = args.find(0, "iterable");
  if (list == nullptr) fail("join() needs a list.");
  std::string out;
  bool first = true;
  for (const Value& part : iterate(*list, budget)) {
    if (!part.is_string()) fail(std::string("join() needs texts, not ") + part.type_name() + ".");
    if (!std::exchange(first, false)) out += self;
    out += part.text();
    budget.check_text(out.size());
  }
  return Value(std::move(out));
}

// "{} {0} {name}".format(...): plain fields only.
Value formatted(const std::string& self, const Args& args, Budget& budget) {
  std::string out;
  size_t next = 0;
  for (size_t i = 0; i < self.size(); ++i) {
    const char c = self[i];
    if ((c == '{' || c == '}') && i + 1 < self.size() && self[i + 1] == c) {
      out += c;
      ++i;
      continue;
    }
    if (c == '}') fail("format(): a single } in the text.");
    if (c != '{') {
      out += c;
      continue;
    }
    const size_t end = self.find('}', i);
    if (end == std::string::npos) fail("format(): a { is never closed.");
    const std::string field = self.substr(i + 1, end - i - 1);
    if (field.find_first_of(".[:!{") != std::string::npos) unknown("format() with {" + field + "}");
    const bool number = field.find_first_not_of("0123456789") == std::string::npos;
    const size_t index = field.empty() ? next++
                         : number      ? std::stoul(field.substr(0, 6))
                                       : SIZE_MAX;
    const Value* value = args.find(index, number ? std::string_view() : field);
    if (value == nullptr) fail("format(): there is no value for {" + field + "}.");
    out += value->to_text();
    budget.check_text(out.size());
    i = end;
  }
  return Value(std::move(out));
}

Value split_by(const std::string& self, const Args& args, bool from_right) {
  const Value* given = args.find(0, "sep");
  const std::string separator = text_or_none(args, 0, "sep");
  const int64_t most = args.integer(1, "maxsplit", -1);
  const bool at_space = given == nullptr || given->is(Kind::kNone);
  if (!at_space && separator.empty()) fail("split() needs a separator that is not empty.");
  if (from_right && at_space && most >= 0) unknown("rsplit() at white space with a limit");
  if (from_right && !at_space) return texts(split_right(self, separator, most));
  return texts(split(self, separator, most));
}

const std::map<std::string, Method, std::less<>>& string_methods() {
  const auto without = [](bool prefix) {
    return [prefix](const std::string& s, const Args& a, Budget&) {
      const std::string& part = want_text(a, 0, prefix ? "removeprefix" : "removesuffix");
      if (prefix) return Value(s.starts_with(part) ? s.substr(part.size()) : s);
      return Value(s.ends_with(part) ? s.substr(0, s.size() - part.size()) : s);
    };
  };
  const auto stripping = [](int sides) {
    return [sides](const std::string& s, const Args& a, Budget&) {
      return Value(strip(s, text_or_none(a, 0, "chars"), sides));
    };
  };
  static const std::map<std::string, Method, std::less<>> methods = {
      {"strip", stripping(3)},
      {"lstrip", stripping(1)},
      {"rstrip", stripping(2)},
      {"upper", [](auto& s, auto&, auto&) { return Value(upper_text(s)); }},
      {"lower", [](auto& s, auto&, auto&) { return Value(lower_text(s)); }},
      {"casefold", [](auto& s, auto&, auto&) { return Value(lower_text(s)); }},
      {"title", [](auto& s, auto&, auto&) { return Value(titled(s)); }},
      {"capitalize", [](auto& s, auto&, auto&) { return Value(capitalized(s)); }},
      {"startswith", [](auto& s, auto& a, auto&) { return Value(begins_or_ends(s, a, true)); }},
      {"endswith", [](auto& s, auto& a, auto&) { return Value(begins_or_ends(s, a, false)); }},
      {"split", [](auto& s, auto& a, auto&) { return split_by(s, a, false); }},
      {"rsplit", [](auto& s, auto& a, auto&) { return split_by(s, a, true); }},
      {"splitlines", [](auto& s, auto& a,
                        auto&) { return texts(split_lines(s, a.truth(0, "keepends", false))); }},
      {"replace",
       [](auto& s, auto& a, Budget& budget) {
         const std::string& from = want_text(a, 0, "replace");
         const std::string& to = want_text(a, 1, "replace");
         budget.check_text(static_cast<size_t>(counted(s, from)) * to.size() + s.size());
         return Value(replaced(s, from, to, a.integer(2, "count", -1)));
       }},
      {"join", joined},
      {"format", formatted},
      {"find", [](auto& s, auto& a, auto&) { return Value(found_at(s, a, false)); }},
      {"rfind", [](auto& s, auto& a, auto&) { return Value(found_at(s, a, true)); }},
      {"index",
       [](auto& s, auto& a, auto&) {
         const int64_t at = found_at(s, a, false);
         if (at < 0) fail("index(): the text is not there.");
         return Value(at);
       }},
      {"count",
       [](auto& s, auto& a, auto&) { return Value(counted(s, want_text(a, 0, "count"))); }},
      {"isdigit", [](auto& s, auto&, auto&) { return Value(all_are(s, is_digit)); }},
      {"isdecimal", [](auto& s, auto&, auto&) { return Value(all_are(s, is_digit)); }},
      {"isnumeric", [](auto& s, auto&, auto&) { return Value(all_are(s, is_digit)); }},
      {"isalpha", [](auto& s, auto&, auto&) { return Value(all_are(s, is_letter)); }},
      {"isalnum",
       [](auto& s, auto&, auto&) {
         return Value(all_are(s, [](char32_t c) { return is_letter(c) || is_digit(c); }));
       }},
      {"isspace", [](auto& s, auto&, auto&) { return Value(all_are(s, is_space)); }},
      {"isupper", [](auto& s, auto&, auto&) { return Value(is_cased(s, true)); }},
      {"islower", [](auto& s, auto&, auto&) { return Value(is_cased(s, false)); }},
      {"removeprefix", without(true)},
      {"removesuffix", without(false)},
      {"partition",
       [](auto& s, auto& a, auto&) { return parted(s, want_text(a, 0, "partition"), false); }},
      {"rpartition",
       [](auto& s, auto& a, auto&) { return parted(s, want_text(a, 0, "rpartition"), true); }},
      {"ljust", [](auto& s, auto& a, Budget& b) { return padded(s, a, b, 2); }},
      {"rjust", [](auto& s, auto& a, Budget& b) { return padded(s, a, b, 1); }},
      {"center", [](auto& s, auto& a, Budget& b) { return padded(s, a, b, 3); }},
  };
  return methods;
}

constexpr std::array<std::string_view, 6> kDictMethods = {"items", "keys", "values",
                                                          "get",   "copy", "fromkeys"};
constexpr std::array<std::string_view, 5> kDictChanges = {"pop", "popitem", "update", "clear",
                                                          "setdefault"};
constexpr std::array<std::string_view, 3> kListMethods = {"index", "count", "copy"};
constexpr std::array<std::string_view, 8> kListChanges = {"append", "extend",  "insert", "pop",
                                                          "remove", "reverse", "sort",   "clear"};

template <class Names>
bool is_one_of(const Names& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

Value call_dict(const Dict& dict, const std::string& name, const Args& args, Budget& budget) {
  budget.spend(dict.entries.size());
  List out;
  if (name == "get") {
    const Value* key = args.find(0, "key");
    if (key == nullptr) fail("get() needs a key.");
    if (const Value* found = dict.find(*key)) return *found;
    const Value* fallback = args.find(1, "default");
    return fallback != nullptr ? *fallback : Value::none();
  }
  if (name == "copy") return Value::dict(dict);
  if (name == "fromkeys") unknown("The method fromkeys() of a dict");
  for (const auto& [key, value] : dict.entries) {
    if (name == "keys") {
      out.push_back(key);
    } else if (name == "values") {
      out.push_back(value);
    } else {
      out.push_back(Value::tuple({key, value}));
    }
  }
  return Value::list(std::move(out));
}

Value call_list(const List& list, const std::string& name, const Args& args, Budget& budget) {
  budget.spend(list.size());
  if (name == "copy") return Value::list(list);
  const Value* wanted = args.find(0, "value");
  if (wanted == nullptr) fail(name + "() needs a value.");
  if (name == "count") {
    return Value(static_cast<int64_t>(std::count(list.begin(), list.end(), *wanted)));
  }
  const auto at = std::find(list.begin(), list.end(), *wanted);
  if (at == list.end()) fail("index(): the value is not in the list.");
  return Value(static_cast<int64_t>(at - list.begin()));
}

}  // namespace

bool has_method(const Value& self, std::string_view name) {
  if (self.is_string()) return string_methods().contains(name);
  if (self.is(Kind::kDict)) return is_one_of(kDictMethods, name) || is_one_of(kDictChanges, name);
  if (self.is(Kind::kTuple)) return name == "index" || name == "count";
  return self.is(Kind::kList) && (is_one_of(kListMethods, name) || is_one_of(kListChanges, name));
}

Value call_method(const Value& self, const std::string& name, const Args& args, Budget& budget) {
  if (self.is_string()) return string_methods().find(name)->second(self.text(), args, budget);
  if (is_one_of(kListChanges, name) || is_one_of(kDictChanges, name)) {
    fail("A template must not change a value: " + name + "() is refused.");
  }
  if (self.is(Kind::kDict)) return call_dict(self.entries(), name, args, budget);
  return call_list(self.items(), name, args, budget);
}

}  // namespace mortise::engine::jinja
