// Tests: "value is name" and "value is name(argument)".
#include <functional>
#include <map>

#include "engine/template/builtin.h"
#include "engine/template/failure.h"
#include "engine/template/text.h"

namespace mortise::engine::jinja {
namespace {

using Kind = Value::Kind;
using Test = std::function<bool(const Value& value, const Args& args)>;

const Value& other(const Args& args) {
  if (args.positional.empty()) fail("This test needs a value to compare with.");
  return args.positional[0];
}

int64_t remainder(const Value& value, int64_t divisor) {
  if (!value.is_integer()) fail("This test needs an integer.");
  if (divisor == 0) fail("A division by zero.");
  return value.integer() % divisor;
}

bool is_true(const Value& v, bool wanted) {
  return v.is(Kind::kBool) && v.truth() == wanted;
}

const std::map<std::string, Test, std::less<>>& tests() {
  const auto equal = [](const Value& v, const Args& a) { return v == other(a); };
  const auto unequal = [](const Value& v, const Args& a) { return !(v == other(a)); };
  const auto smaller = [](const Value& v, const Args& a) { return less(v, other(a)); };
  const auto larger = [](const Value& v, const Args& a) { return less(other(a), v); };
  const auto at_most = [](const Value& v, const Args& a) { return !less(other(a), v); };
  const auto at_least = [](const Value& v, const Args& a) { return !less(v, other(a)); };
  const auto iterable = [](const Value& v, const Args&) {
    return v.is_undefined() || v.is_string() || v.is_sequence() || v.is(Kind::kGenerator) ||
           v.is(Kind::kDict);
  };
  const auto sequence = [](const Value& v, const Args&) {
    return v.is_undefined() || v.is_string() || v.is_sequence() || v.is(Kind::kDict);
  };
  static const std::map<std::string, Test, std::less<>> all = {
      {"defined", [](auto& v, auto&) { return !v.is_undefined(); }},
      {"undefined", [](auto& v, auto&) { return v.is_undefined(); }},
      {"none", [](auto& v, auto&) { return v.is(Kind::kNone); }},
      {"string", [](auto& v, auto&) { return v.is_string(); }},
      {"mapping", [](auto& v, auto&) { return v.is(Kind::kDict); }},
      {"sequence", sequence},
      {"iterable", iterable},
      {"number", [](auto& v, auto&) { return v.is_number(); }},
      {"integer", [](auto& v, auto&) { return v.is(Kind::kInt); }},
      {"float", [](auto& v, auto&) { return v.is(Kind::kFloat); }},
      {"boolean", [](auto& v, auto&) { return v.is(Kind::kBool); }},
      {"true", [](auto& v, auto&) { return is_true(v, true); }},
      {"false", [](auto& v, auto&) { return is_true(v, false); }},
      {"callable", [](auto& v, auto&) { return v.is(Kind::kCallable); }},
      {"odd", [](auto& v, auto&) { return remainder(v, 2) != 0; }},
      {"even", [](auto& v, auto&) { return remainder(v, 2) == 0; }},
      {"divisibleby", [](auto& v, auto& a) { return remainder(v, other(a).integer()) == 0; }},
      {"lower", [](auto& v, auto&) { return lower_text(v.to_text()) == v.to_text(); }},
      {"upper", [](auto& v, auto&) { return upper_text(v.to_text()) == v.to_text(); }},
      {"in", [](auto& v, auto& a) { return contains(other(a), v); }},
      {"sameas", [](auto& v, auto& a) { return v.kind() == other(a).kind() && v == other(a); }},
      {"eq", equal},
      {"equalto", equal},
      {"==", equal},
      {"ne", unequal},
      {"!=", unequal},
      {"lt", smaller},
      {"lessthan", smaller},
      {"<", smaller},
      {"gt", larger},
      {"greaterthan", larger},
      {">", larger},
      {"le", at_most},
      {"<=", at_most},
      {"ge", at_least},
      {">=", at_least},
  };
  return all;
}

}  // namespace

bool apply_test(const std::string& name, const Value& input, const Args& args) {
  const auto found = tests().find(name);
  if (found == tests().end()) unknown("The test \"" + name + "\"");
  return found->second(input, args);
}

}  // namespace mortise::engine::jinja
