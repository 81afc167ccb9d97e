// Filters: "value | name(arguments)". Jinja's meaning and defaults.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <functional>
#include <map>

#include "base/markup.h"
#include "engine/template/builtin.h"
#include "engine/template/failure.h"
#include "engine/template/text.h"

namespace mortise::engine::jinja {
namespace {

using Kind = Value::Kind;
using Filter = std::function<Value(const Value& input, const Args& args, Budget& budget)>;

Value trim(const Value& input, const Args& args, Budget&) {
  return Value(strip(input.to_text(), args.text(0, "chars", ""), 3));
}

Value fallback(const Value& input, const Args& args, Budget&) {
  const bool use = input.is_undefined() || (args.truth(1, "boolean", false) && !input.truth());
  if (!use) return input;
  const Value* value = args.find(0, "default_value");
  return value != nullptr ? *value : Value("");
}

// The attribute= of join, map, sort and others: a path, or an index.
Value attribute_of(const Value& value, const Value& name) {
  if (name.is_integer()) return item(value, name);
  return attribute_path(value, name.to_text());
}

Value join(const Value& input, const Args& args, Budget& budget) {
  const std::string separator = args.text(0, "d", "");
  const Value* name = args.find(1, "attribute");
  std::string out;
  bool first = true;
  for (const Value& part : iterate(input, budget)) {
    if (!std::exchange(first, false)) out += separator;
    out += (name != nullptr ? attribute_of(part, *name) : part).to_text();
    budget.check_text(out.size());
  }
  return Value(std::move(out));
}

Value replace(const Value& input, const Args& args, Budget& budget) {
  const std::string text = input.to_text();
  const std::string to = args.text(1, "new", "");
  budget.check_text((text.size() + 1) * (to.size() + 1));
  return Value(replaced(text, args.text(0, "old", ""), to, args.integer(2, "count", -1)));
}

Value to_json_filter(const Value& input, const Args& args, Budget& budget) {
  JsonStyle style;
  for (const auto& [name, value] : args.keyword) {
    if (name == "indent" && !value.is(Kind::kNone)) {
      style.indent = static_cast<int>(std::clamp<int64_t>(value.integer(), 0, 64));
    } else if (name == "sort_keys") {
      style.sort_keys = value.truth();
    } else if (name == "separators" && value.is_sequence() && value.items().size() == 2) {
      style.item_separator = value.items()[0].to_text();
      style.key_separator = value.items()[1].to_text();
    } else if (name == "ensure_ascii" && value.truth()) {
      unknown("tojson(ensure_ascii=True)");
    } else if (name != "indent" && name != "ensure_ascii" && name != "separators") {
      unknown("tojson(" + name + "=...)");
    }
  }
  if (!args.positional.empty()) {  // transformers' order: ensure_ascii, indent
    if (args.positional[0].truth()) unknown("tojson with a positional argument");
    if (args.positional.size() > 1) unknown("tojson with two positional arguments");
  }
  std::string out = to_json(input, style);
  budget.check_text(out.size());
  return Value(std::move(out));
}

// The test that select(attr) and reject(attr) apply, from argument `index` on.
bool passes(const Value& value, const Args& args, size_t index) {
  if (args.positional.size() <= index) return value.truth();
  Args rest;
  rest.positional.assign(args.positional.begin() + static_cast<std::ptrdiff_t>(index) + 1,
                         args.positional.end());
  return apply_test(args.positional[index].to_text(), value, rest);
}

Filter choosing(bool keep, bool by_attribute) {
  return [=](const Value& input, const Args& args, Budget& budget) {
    if (by_attribute && args.positional.empty())
      fail("selectattr() needs the name of an attribute.");
    List out;
    for (const Value& one : iterate(input, budget)) {
      const Value tested = by_attribute ? attribute_of(one, args.positional[0]) : one;
      if (passes(tested, args, by_attribute ? 1 : 0) == keep) out.push_back(one);
    }
    return Value::generator(std::move(out));
  };
}

Value map(const Value& input, const Args& args, Budget& budget) {
  List out;
  const Value* name = args.find(SIZE_MAX, "attribute");
  const Value* otherwise = args.find(SIZE_MAX, "default");
  if (name == nullptr && args.positional.empty()) fail("map() needs a filter or attribute=.");
  Args rest;
  if (name == nullptr) rest.positional.assign(args.positional.begin() + 1, args.positional.end());
  if (name == nullptr) rest.keyword = args.keyword;
  for (const Value& one : iterate(input, budget)) {
    if (name == nullptr) {
      out.push_back(apply_filter(args.positional[0].to_text(), one, rest, budget));
      continue;
    }
    Value value = attribute_of(one, *name);
    if (value.is_undefined() && otherwise != nullptr) value = *otherwise;
    out.push_back(std::move(value));
  }
  return Value::generator(std::move(out));
}

// What sort and unique compare: text without case unless asked.
Value sort_key(const Value& value, const Value* name, bool with_case) {
  const Value key = name != nullptr ? attribute_of(value, *name) : value;
  return key.is_string() && !with_case ? Value(lower_text(key.text())) : key;
}

Value sort(const Value& input, const Args& args, Budget& budget) {
  const bool with_case = args.truth(1, "case_sensitive", false);
  const Value* name = args.find(2, "attribute");
  const bool reverse = args.truth(0, "reverse", false);
  std::vector<std::pair<Value, Value>> keyed;
  for (Value& one : iterate(input, budget)) {
    Value key = sort_key(one, name, with_case);
    keyed.emplace_back(std::move(key), std::move(one));
  }
  budget.spend(keyed.size() * 8);
  std::stable_sort(keyed.begin(), keyed.end(), [&](const auto& a, const auto& b) {
    return reverse ? less(b.first, a.first) : less(a.first, b.first);
  });
  List out;
  for (auto& [key, value] : keyed) out.push_back(std::move(value));
  return Value::list(std::move(out));
}

Value unique(const Value& input, const Args& args, Budget& budget) {
  const bool with_case = args.truth(0, "case_sensitive", false);
  const Value* name = args.find(1, "attribute");
  List keys, out;
  for (const Value& one : iterate(input, budget)) {
    const Value key = sort_key(one, name, with_case);
    budget.spend(keys.size());
    if (std::find(keys.begin(), keys.end(), key) != keys.end()) continue;
    keys.push_back(key);
    out.push_back(one);
  }
  return Value::generator(std::move(out));
}

Value dictsort(const Value& input, const Args& args, Budget& budget) {
  if (!input.is(Kind::kDict)) fail("dictsort needs a dict.");
  Args by;
  by.keyword = {{"case_sensitive", Value(args.truth(0, "case_sensitive", false))},
                {"reverse", Value(args.truth(2, "reverse", false))},
                {"attribute", Value(int64_t{args.text(1, "by", "key") == "value" ? 1 : 0})}};
  return sort(call_method(input, "items", {}, budget), by, budget);
}

Filter extreme(bool smallest) {
  return [=](const Value& input, const Args& args, Budget& budget) {
    const bool with_case = args.truth(0, "case_sensitive", false);
    const Value* name = args.find(1, "attribute");
    Value best = Value::undefined("The list is empty, it has no smallest or largest item.");
    Value best_key;
    for (const Value& one : iterate(input, budget)) {
      const Value key = sort_key(one, name, with_case);
      if (best.is_undefined() || (smallest ? less(key, best_key) : less(best_key, key))) {
        best = one;
        best_key = key;
      }
    }
    return best;
  };
}

Value sum(const Value& input, const Args& args, Budget& budget) {
  const Value* name = args.find(0, "attribute");
  const Value* start = args.find(1, "start");
  Value total = start != nullptr ? *start : Value(int64_t{0});
  for (const Value& one : iterate(input, budget)) {
    total = binary("+", total, name != nullptr ? attribute_of(one, *name) : one, budget);
  }
  return total;
}

Value first(const Value& input, const Args&, Budget& budget) {
  const List items = iterate(input, budget);
  return items.empty() ? Value::undefined("The list is empty, it has no first item.") : items[0];
}
Value last(const Value& input, const Args&, Budget& budget) {
  const List items = iterate(input, budget);
  return items.empty() ? Value::undefined("The list is empty, it has no last item.") : items.back();
}

Value reverse(const Value& input, const Args&, Budget& budget) {
  List items = iterate(input, budget);
  std::reverse(items.begin(), items.end());
  if (!input.is_string()) return Value::generator(std::move(items));
  std::string out;
  for (const Value& one : items) out += one.text();
  return Value(std::move(out));
}

Value to_integer(const Value& input, const Args& args, Budget&) {
  const int64_t otherwise = args.integer(0, "default", 0);
  if (input.is_integer()) return Value(input.integer());
  if (input.is(Kind::kFloat)) {
    const double value = input.number();
    return Value(std::abs(value) < 9e18 ? static_cast<int64_t>(value) : otherwise);
  }
  if (!input.is_string()) return Value(otherwise);
  const std::string text = strip(input.text(), "", 3);
  double value = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = end.ec == std::errc() && end.ptr == text.data() + text.size();
  return Value(whole && std::abs(value) < 9e15 ? static_cast<int64_t>(value) : otherwise);
}

Value to_float(const Value& input, const Args& args, Budget&) {
  const Value* given = args.find(0, "default");
  const double otherwise = given != nullptr ? given->number() : 0;
  if (input.is_number()) return Value(input.number());
  if (!input.is_string()) return Value(otherwise);
  const std::string text = strip(input.text(), "", 3);
  double value = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), value);
  return Value(end.ec == std::errc() && end.ptr == text.data() + text.size() ? value : otherwise);
}

Value round(const Value& input, const Args& args, Budget&) {
  if (!input.is_number()) fail("round needs a number.");
  const double scale = std::pow(10.0, static_cast<double>(args.integer(0, "precision", 0)));
  const std::string method = args.text(1, "method", "common");
  const double value = input.number() * scale;
  if (method == "ceil") return Value(std::ceil(value) / scale);
  if (method == "floor") return Value(std::floor(value) / scale);
  return Value(std::nearbyint(value) / scale);
}

Value absolute(const Value& input, const Args&, Budget&) {
  if (input.is_integer()) return Value(std::abs(input.integer()));
  if (!input.is_number()) fail("abs needs a number.");
  return Value(std::abs(input.number()));
}

Value indent(const Value& input, const Args& args, Budget& budget) {
  const Value* width = args.find(0, "width");
  const std::string margin =
      width != nullptr && width->is_string()
          ? width->text()
          : std::string(
                static_cast<size_t>(std::clamp<int64_t>(args.integer(0, "width", 4), 0, 256)), ' ');
  const bool with_first = args.truth(1, "first", false), with_blank = args.truth(2, "blank", false);
  std::string out;
  bool is_first = true;
  for (const std::string& line : split(input.to_text(), "\n", -1)) {
    const bool first_line = std::exchange(is_first, false);
    if (!first_line) out += '\n';
    if (first_line ? with_first : (with_blank || !line.empty())) out += margin;
    out += line;
    budget.check_text(out.size());
  }
  return Value(std::move(out));
}

Value items_of(const Value& input, const Args&, Budget& budget) {
  if (input.is_undefined()) return Value::generator({});
  if (!input.is(Kind::kDict)) fail("items needs a dict.");
  return Value::generator(call_method(input, "items", {}, budget).items());
}

Value batch(const Value& input, const Args& args, Budget& budget) {
  const int64_t size = args.integer(0, "linecount", 0);
  if (size < 1) fail("batch needs a count of at least 1.");
  const Value* fill = args.find(1, "fill_with");
  List out, line;
  for (const Value& one : iterate(input, budget)) {
    line.push_back(one);
    if (static_cast<int64_t>(line.size()) == size)
      out.push_back(Value::list(std::exchange(line, {})));
  }
  while (fill != nullptr && !line.empty() && static_cast<int64_t>(line.size()) < size) {
    budget.spend(1);
    line.push_back(*fill);
  }
  if (!line.empty()) out.push_back(Value::list(line));
  return Value::generator(std::move(out));
}

const std::map<std::string, Filter, std::less<>>& filters() {
  const auto text_of = [](auto function) {
    return [=](const Value& v, const Args&, Budget&) { return Value(function(v.to_text())); };
  };
  const auto identity = [](const Value& v, const Args&, Budget&) { return Value(v.to_text()); };
  const auto count = [](const Value& v, const Args&, Budget&) { return Value(length(v)); };
  static const std::map<std::string, Filter, std::less<>> all = {
      {"trim", trim},
      {"default", fallback},
      {"d", fallback},
      {"join", join},
      {"replace", replace},
      {"tojson", to_json_filter},
      {"length", count},
      {"count", count},
      {"string", identity},
      {"safe", identity},
      {"upper", text_of(upper_text)},
      {"lower", text_of(lower_text)},
      {"title", text_of(titled)},
      {"capitalize", text_of(capitalized)},
      {"escape", text_of(base::escape_entities)},
      {"e", text_of(base::escape_entities)},
      {"list", [](auto& v, auto&, Budget& b) { return Value::list(iterate(v, b)); }},
      {"map", map},
      {"select", choosing(true, false)},
      {"reject", choosing(false, false)},
      {"selectattr", choosing(true, true)},
      {"rejectattr", choosing(false, true)},
      {"sort", sort},
      {"unique", unique},
      {"dictsort", dictsort},
      {"items", items_of},
      {"batch", batch},
      {"first", first},
      {"last", last},
      {"reverse", reverse},
      {"min", extreme(true)},
      {"max", extreme(false)},
      {"sum", sum},
      {"int", to_integer},
      {"float", to_float},
      {"round", round},
      {"abs", absolute},
      {"indent", indent},
      {"attr", [](auto& v, auto& a, auto&) { return attribute(v, a.text(0, "name", "")); }},
      {"format",
       [](auto& v, auto& a, auto&) { return Value(percent_format(v.to_text(), a.positional)); }},
      {"wordcount",
       [](auto& v, auto&, auto&) {
         return Value(static_cast<int64_t>(split(v.to_text(), "", -1).size()));
       }},
  };
  return all;
}

}  // namespace

const Value* Args::find(size_t index, std::string_view name) const {
  if (index < positional.size()) return &positional[index];
  for (const auto& [key, value] : keyword) {
    if (!name.empty() && key == name) return &value;
  }
  return nullptr;
}

std::string Args::text(size_t index, std::string_view name, std::string_view otherwise) const {
  const Value* value = find(index, name);
  return value != nullptr && !value->is(Kind::kNone) ? value->to_text() : std::string(otherwise);
}

int64_t Args::integer(size_t index, std::string_view name, int64_t otherwise) const {
  const Value* value = find(index, name);
  if (value == nullptr || value->is(Kind::kNone)) return otherwise;
  if (!value->is_integer()) {
    fail("The argument \"" + std::string(name) + "\" must be an integer, not " +
         value->type_name() + ".");
  }
  return value->integer();
}

bool Args::truth(size_t index, std::string_view name, bool otherwise) const {
  const Value* value = find(index, name);
  return value != nullptr ? value->truth() : otherwise;
}

void Args::at_most(size_t most, std::string_view what) const {
  if (count() > most) {
    fail(std::string(what) + " takes at most " + std::to_string(most) + " arguments, not " +
         std::to_string(count()) + ".");
  }
}

Value apply_filter(const std::string& name, const Value& input, const Args& args, Budget& budget) {
  const auto found = filters().find(name);
  if (found == filters().end()) unknown("The filter \"" + name + "\"");
  budget.spend(1);
  Value out = found->second(input, args, budget);
  if (out.is_string()) budget.check_text(out.text().size());
  return out;
}

}  // namespace mortise::engine::jinja
