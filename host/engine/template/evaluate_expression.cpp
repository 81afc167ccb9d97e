// Expressions and calls.
#include <array>
#include <cmath>
#include <cstdio>

#include "engine/template/evaluate.h"
#include "engine/template/failure.h"

namespace mortise::engine::jinja {

using Kind = Value::Kind;

namespace {

constexpr std::array<std::string_view, 5> kGlobals = {"range", "namespace", "dict",
                                                      "raise_exception", "strftime_now"};
constexpr int64_t kRangeMax = 100'000;  // as in Jinja's sandbox

}  // namespace

Value Evaluator::eval(const Node& node) {
  budget_.spend(1);
  if (++depth_ > 16 * limits_.depth_max) {
    --depth_;
    fail_at(node.place, "The template calls itself too deeply.", base::Code::kResourceExhausted);
  }
  try {
    Value value = eval_node(node);
    --depth_;
    return value;
  } catch (TemplateFailure& failure) {
    --depth_;
    failure.set_place(node.place);
    throw;
  }
}

Value Evaluator::lookup(const Node& node) const {
  for (const Scope* scope = scope_.get(); scope != nullptr; scope = scope->parent.get()) {
    if (const Value* value = scope->find(node.text)) return *value;
  }
  for (const std::string_view name : kGlobals) {
    if (node.text == name) {
      return Value::callable({.what = Callable::What::kGlobal,
                              .name = node.text,
                              .self = {},
                              .node = nullptr,
                              .scope = {}});
    }
  }
  return Value::undefined("The variable \"" + node.text + "\" is undefined.");
}

Value Evaluator::eval_node(const Node& node) {
  const auto kid = [&](size_t i) { return eval(*node.kids[i]); };
  switch (node.kind) {
    case NodeKind::kConst:
      return node.value;
    case NodeKind::kName:
      return lookup(node);
    case NodeKind::kList:
    case NodeKind::kTuple: {
      List items;
      for (const NodePtr& one : node.kids) items.push_back(eval(*one));
      return node.kind == NodeKind::kList ? Value::list(std::move(items))
                                          : Value::tuple(std::move(items));
    }
    case NodeKind::kDict: {
      Dict dict;
      for (size_t i = 0; i < node.kids.size(); i += 2) dict.set(kid(i), kid(i + 1));
      return Value::dict(std::move(dict));
    }
    case NodeKind::kAttribute:
      return attribute(kid(0), node.text);
    case NodeKind::kItem:
      return item(kid(0), kid(1));
    case NodeKind::kSlice: {
      const Value object = kid(0);
      std::array<Value, 3> bounds;
      std::array<const Value*, 3> given{};
      for (size_t i = 0; i < 3; ++i) {
        if (!node.kids[i + 1]) continue;
        bounds[i] = kid(i + 1);
        given[i] = &bounds[i];
      }
      return slice(object, given[0], given[1], given[2]);
    }
    case NodeKind::kCall:
      return call(node);
    case NodeKind::kFilter:
      return filter(node, kid(0));
    case NodeKind::kTest: {
      const Value value = kid(0);
      return Value(apply_test(node.text, value, args_of(node, 1)) != node.flag);
    }
    default:
      return eval_operator(node);
  }
}

Value Evaluator::eval_operator(const Node& node) {
  const auto kid = [&](size_t i) { return eval(*node.kids[i]); };
  switch (node.kind) {
    case NodeKind::kNot:
      return Value(!kid(0).truth());
    case NodeKind::kNegative:
      return binary("-", Value(int64_t{0}), kid(0), budget_);
    case NodeKind::kPositive:
      return binary("+", Value(int64_t{0}), kid(0), budget_);
    case NodeKind::kAnd: {
      Value left = kid(0);
      return left.truth() ? kid(1) : left;
    }
    case NodeKind::kOr: {
      Value left = kid(0);
      return left.truth() ? left : kid(1);
    }
    case NodeKind::kConditional:
      if (kid(1).truth()) return kid(0);
      return node.kids[2] ? kid(2)
                          : Value::undefined("The condition is false and there is no else.");
    case NodeKind::kBinary: {
      const Value left = kid(0);
      return binary(node.text, left, kid(1), budget_);
    }
    case NodeKind::kCompare:
      return compare(node);
    case NodeKind::kConcat: {
      std::string text;
      for (const NodePtr& one : node.kids) text += eval(*one).to_text();
      budget_.check_text(text.size());
      return Value(std::move(text));
    }
    default:
      fail("This part of the template is not an expression.");
  }
}

Value Evaluator::compare(const Node& node) {
  Value left = eval(*node.kids[0]);
  for (size_t i = 0; i < node.names.size(); ++i) {
    const std::string& sign = node.names[i];
    Value right = eval(*node.kids[i + 1]);
    bool holds = false;
    if (sign == "==") holds = left == right;
    if (sign == "!=") holds = !(left == right);
    if (sign == "<") holds = less(left, right);
    if (sign == ">") holds = less(right, left);
    if (sign == "<=") holds = left == right || less(left, right);
    if (sign == ">=") holds = left == right || less(right, left);
    if (sign == "in") holds = contains(right, left);
    if (sign == "not in") holds = !contains(right, left);
    if (!holds) return Value(false);
    left = std::move(right);
  }
  return Value(true);
}

Value Evaluator::filter(const Node& node, const Value& input) {
  try {
    return apply_filter(node.text, input, args_of(node, 1), budget_);
  } catch (TemplateFailure& failure) {
    failure.set_place(node.place);
    throw;
  }
}

Args Evaluator::args_of(const Node& node, size_t first) {
  Args args;
  for (size_t i = first; i < node.kids.size(); ++i) {
    const Node& one = *node.kids[i];
    if (one.kind == NodeKind::kKeyword) {
      args.keyword.emplace_back(one.text, eval(*one.kids[0]));
    } else {
      args.positional.push_back(eval(one));
    }
  }
  return args;
}

Value Evaluator::call(const Node& node) {
  const Value callee = eval(*node.kids[0]);
  const Args args = args_of(node, 1);
  if (callee.is_undefined()) fail(callee.text());
  if (callee.is(Kind::kLoop) && callee.loop()->recursive != nullptr) {  // loop(children)
    if (args.positional.size() != 1) fail("loop() needs the list to walk.");
    const Node& again = *callee.loop()->recursive;
    return Value(captured([&] { loop(again, args.positional[0], callee.loop()->depth0 + 1); }));
  }
  if (!callee.is(Kind::kCallable)) {
    fail(std::string("A value of type ") + callee.type_name() + " cannot be called.");
  }
  return invoke(callee.call(), args);
}

Value Evaluator::invoke(const Callable& callable, const Args& args) {
  switch (callable.what) {
    case Callable::What::kGlobal:
      return call_global(callable.name, args);
    case Callable::What::kMacro:
      return call_macro(callable, args);
    default:
      if (callable.self.is(Kind::kLoop)) return call_loop(callable, args);
      return call_method(callable.self, callable.name, args, budget_);
  }
}

Value Evaluator::call_loop(const Callable& callable, const Args& args) {
  Loop& loop = *callable.self.loop();
  if (callable.name == "cycle") {
    if (args.positional.empty()) fail("loop.cycle() needs values.");
    return args.positional[loop.index0 % args.positional.size()];
  }
  const Value now = Value::list(args.positional);
  const bool changed = !loop.has_changed || !(loop.last_changed == now);
  loop.has_changed = true;
  loop.last_changed = now;
  return Value(changed);
}

Value Evaluator::call_global(const std::string& name, const Args& args) {
  if (name == "raise_exception") fail(args.text(0, "message", ""));
  if (name == "range") return range(args);
  if (name == "strftime_now") return time_text(args);
  Dict dict;  // namespace(...) and dict(...)
  args.at_most(64, name + "()");
  for (const Value& from : args.positional) {
    if (!from.is(Kind::kDict)) fail(name + "() needs a dict or named values.");
    dict = from.entries();
  }
  for (const auto& [key, value] : args.keyword) dict.set(Value(key), value);
  return name == "dict" ? Value::dict(std::move(dict)) : Value::name_space(std::move(dict));
}

Value Evaluator::range(const Args& args) {
  const size_t count = args.positional.size();
  if (count < 1 || count > 3 || !args.keyword.empty()) fail("range() takes one to three integers.");
  const int64_t begin = count == 1 ? 0 : args.integer(0, "start", 0);
  const int64_t end = args.integer(count == 1 ? 0 : 1, "stop", 0);
  const int64_t step = count == 3 ? args.integer(2, "step", 1) : 1;
  if (step == 0) fail("The step of range() must not be 0.");
  List out;
  for (int64_t i = begin; step > 0 ? i < end : i > end; i += step) {
    if (static_cast<int64_t>(out.size()) >= kRangeMax) {
      throw TemplateFailure(base::Code::kResourceExhausted,
                            "range() is bounded to " + std::to_string(kRangeMax) + " numbers.");
    }
    out.emplace_back(i);
    if (std::abs(step) > (int64_t{1} << 60)) break;
  }
  budget_.spend(out.size());
  return Value::list(std::move(out));
}

namespace {

int weekday_of(const LocalTime& time) {  // 0 Sunday (Sakamoto's method)
  constexpr std::array kShift = {0, 3, 2, 5, 0, 3, 5, 1, 4, 6, 2, 4};
  const int year = time.month < 3 ? time.year - 1 : time.year;
  return (year + year / 4 - year / 100 + year / 400 + kShift[static_cast<size_t>(time.month - 1)] +
          time.day) %
         7;
}

int day_of_year(const LocalTime& time) {
  constexpr std::array kBefore = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
  const bool leap = (time.year % 4 == 0 && time.year % 100 != 0) || time.year % 400 == 0;
  return kBefore[static_cast<size_t>(time.month - 1)] + time.day + (leap && time.month > 2 ? 1 : 0);
}

std::string digits(int value, int width) {
  std::array<char, 16> buffer;
  std::snprintf(buffer.data(), buffer.size(), "%0*d", width, value);
  return buffer.data();
}

std::string time_part(char sort, const LocalTime& t) {
  constexpr std::array<std::string_view, 12> kMonths = {
      "January", "February", "March",     "April",   "May",      "June",
      "July",    "August",   "September", "October", "November", "December"};
  constexpr std::array<std::string_view, 7> kDays = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                     "Thursday", "Friday", "Saturday"};
  const std::string_view month = kMonths[static_cast<size_t>(t.month - 1)];
  const std::string_view day = kDays[static_cast<size_t>(weekday_of(t))];
  const int hour12 = t.hour % 12 == 0 ? 12 : t.hour % 12;
  switch (sort) {
    case 'Y':
      return digits(t.year, 4);
    case 'y':
      return digits(t.year % 100, 2);
    case 'm':
      return digits(t.month, 2);
    case 'd':
      return digits(t.day, 2);
    case 'H':
      return digits(t.hour, 2);
    case 'I':
      return digits(hour12, 2);
    case 'M':
      return digits(t.minute, 2);
    case 'S':
      return digits(t.second, 2);
    case 'j':
      return digits(day_of_year(t), 3);
    case 'p':
      return t.hour < 12 ? "AM" : "PM";
    case 'B':
      return std::string(month);
    case 'b':
      return std::string(month.substr(0, 3));
    case 'A':
      return std::string(day);
    case 'a':
      return std::string(day.substr(0, 3));
    case 'F':
      return digits(t.year, 4) + "-" + digits(t.month, 2) + "-" + digits(t.day, 2);
    case 'T':
      return digits(t.hour, 2) + ":" + digits(t.minute, 2) + ":" + digits(t.second, 2);
    case '%':
      return "%";
    default:
      unknown(std::string("strftime_now with %") + sort);
  }
}

}  // namespace

Value Evaluator::time_text(const Args& args) const {
  if (!now_) fail("strftime_now() is used, but no date was given.");
  const std::string format = args.text(0, "format", "");
  if (now_->month < 1 || now_->month > 12) fail("The date given to the template is not one.");
  std::string out;
  for (size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%' || i + 1 == format.size()) {
      out += format[i];
    } else if (format[i + 1] == '-' && i + 2 < format.size()) {  // without leading zeros
      std::string part = time_part(format[i + 2], *now_);
      while (part.size() > 1 && part[0] == '0') part.erase(0, 1);
      out += part;
      i += 2;
    } else {
      out += time_part(format[++i], *now_);
    }
  }
  return Value(std::move(out));
}

}  // namespace mortise::engine::jinja
