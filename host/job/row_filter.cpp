// See row_filter.h.
#include "job/row_filter.h"

#include "job/split.h"

namespace mortise::job {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

namespace {

Error bad_condition(const std::string& condition, std::string message) {
  return Error(
             Code::kInvalidArgument, std::move(message),
             "Write FIELD=VALUE, FIELD!=VALUE, or FIELD>=NUMBER with >, >=, < or <=; a field is a "
             "name or a JSON pointer, as in /objects/0/label.")
      .at_field("where")
      .with("condition", condition);
}

}  // namespace

Json RowFilter::to_json() const {
  Json json = Json::object({{"split", split}, {"ratio", ratio}, {"seed", seed}, {"grep", grep}});
  json["where"] = Json::array();
  for (const std::string& condition : where) json["where"].push_back(condition);
  return json;
}

Result<RowFilter> RowFilter::from_json(const Json& value) {
  RowFilter filter;
  for (const auto& [key, member] : value.members()) {
    bool is_good = false;
    if (key == "split" || key == "grep") {
      is_good = member.is_string();
      (key == "split" ? filter.split : filter.grep) = member.as_string();
    } else if (key == "ratio") {
      is_good = member.is_number();
      filter.ratio = member.as_double();
    } else if (key == "seed") {
      is_good = member.is_integer() && member.as_int(-1) >= 0;
      filter.seed = member.as_uint();
    } else if (key == "where") {
      is_good = member.is_array();
      for (const Json& condition : member.items()) {
        is_good = is_good && condition.is_string();
        filter.where.push_back(condition.as_string());
      }
    }
    if (is_good) continue;
    return Error(Code::kInvalidArgument,
                 "This is no member of a filter of rows, or of a wrong kind.",
                 "split and grep are texts, where is a list of texts, ratio a number, seed a whole "
                 "number from 0.")
        .at_field("/" + key);
  }
  return filter;
}

Result<RowMatcher> RowMatcher::make(const RowFilter& filter) {
  RowMatcher matcher;
  matcher.filter_ = filter;
  if (!filter.split.empty() && filter.split != "train" && filter.split != "held_out") {
    return Error(Code::kInvalidArgument, "\"" + filter.split + "\" is no side of a split.",
                 "It is train or held_out.")
        .at_field("split");
  }
  if (!(filter.ratio >= 0 && filter.ratio < 1)) {
    return Error(Code::kInvalidArgument, "The ratio must be from 0 to less than 1.")
        .at_field("ratio");
  }
  if (!filter.grep.empty()) {
    const std::string quoted = base::json_quote(filter.grep);
    matcher.escaped_ = quoted.substr(1, quoted.size() - 2);
  }
  for (const std::string& text : filter.where) {
    const size_t at = text.find_first_of("=<>!");
    if (at == std::string::npos || at == 0) {
      return bad_condition(text, "The condition has no operator.");
    }
    Condition condition;
    condition.op = text.substr(at, 1);
    if (at + 1 < text.size() && text[at + 1] == '=' && condition.op != "=") condition.op += '=';
    if (condition.op == "!") return bad_condition(text, "\"!\" is no operator.");
    condition.pointer = text[0] == '/' ? text.substr(0, at) : "/" + text.substr(0, at);
    condition.text = text.substr(at + condition.op.size());
    const auto json = base::parse_json(condition.text);
    const bool is_literal = json.ok() && (json->is_number() || json->is_bool() || json->is_null());
    condition.value = is_literal ? *json : Json(condition.text);
    if (condition.op != "=" && condition.op != "!=" && !condition.value.is_number()) {
      return bad_condition(text, "Only numbers have an order.");
    }
    matcher.conditions_.push_back(std::move(condition));
  }
  return matcher;
}

bool RowMatcher::holds(const Condition& condition, const Json* found) {
  const bool is_equal =
      found != nullptr &&
      (*found == condition.value || (found->is_string() && found->as_string() == condition.text));
  if (condition.op == "=") return is_equal;
  if (condition.op == "!=") return !is_equal;
  if (found == nullptr || !found->is_number()) return false;
  const auto order = base::compare_numbers(*found, condition.value);
  if (condition.op == "<") return order < 0;
  if (condition.op == "<=") return order <= 0;
  return condition.op == ">" ? order > 0 : order >= 0;
}

Result<bool> RowMatcher::matches(std::string_view row) {
  if (!escaped_.empty() && row.find(escaped_) == std::string_view::npos) return false;
  if (!filter_.split.empty()) {
    const bool held_out = is_held_out(row, filter_.ratio, filter_.seed);
    if (held_out != (filter_.split == "held_out")) return false;
  }
  if (conditions_.empty()) return true;
  MORTISE_ASSIGN(const Json value, reader_.parse(row));
  for (const Condition& condition : conditions_) {
    if (!holds(condition, value.pointer(condition.pointer))) return false;
  }
  return true;
}

}  // namespace mortise::job
