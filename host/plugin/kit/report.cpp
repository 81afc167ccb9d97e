// A report as text for people, as JSON and as JUnit XML for machines. See kit.h.
#include <algorithm>
#include <cstdio>
#include <map>

#include "base/markup.h"
#include "plugin/kit/kit.h"

namespace mortise::plugin::kit {
namespace {

using base::Json;

constexpr State kStates[] = {State::kPass, State::kWarn,  State::kFail,
                             State::kSkip, State::kCrash, State::kTimeout};

bool is_bad(State state) {
  return state == State::kFail || state == State::kCrash || state == State::kTimeout;
}

std::string seconds_text(double seconds) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3f", seconds);
  return text;
}

std::string junit_case(const ReportRow& row) {
  std::string out = "    <testcase classname=\"" + base::escape_markup(row.plugin_id) +
                    "\" name=\"" + base::escape_markup(row.check) + "\" time=\"" +
                    seconds_text(row.seconds) + "\"";
  const State state = row.outcome.state;
  if (state == State::kPass) return out + "/>\n";
  const char* element = state == State::kSkip   ? "skipped"
                        : state == State::kWarn ? "system-out"
                        : state == State::kFail ? "failure"
                                                : "error";
  out += ">\n      <" + std::string(element);
  if (state == State::kWarn) {
    out += ">warn: " + base::escape_markup(row.outcome.message) + "</system-out>\n";
  } else {
    out += " message=\"" + base::escape_markup(row.outcome.message) + "\"";
    if (is_bad(state)) out += " type=\"" + std::string(state_name(state)) + "\"";
    out += "/>\n";
  }
  return out + "    </testcase>\n";
}

}  // namespace

const char* state_name(State state) {
  switch (state) {
    case State::kPass:
      return "pass";
    case State::kWarn:
      return "warn";
    case State::kFail:
      return "fail";
    case State::kSkip:
      return "skip";
    case State::kCrash:
      return "crash";
    case State::kTimeout:
      return "time-out";
  }
  return "fail";
}

State state_of(std::string_view name) {
  for (const State state : kStates) {
    if (name == state_name(state)) return state;
  }
  return State::kFail;
}

int Report::count(State state) const {
  return static_cast<int>(std::count_if(
      rows.begin(), rows.end(), [&](const ReportRow& row) { return row.outcome.state == state; }));
}

bool Report::ok() const {
  return !rows.empty() && std::none_of(rows.begin(), rows.end(), [](const ReportRow& row) {
    return is_bad(row.outcome.state);
  });
}

const ReportRow* Report::find(std::string_view check) const {
  for (const ReportRow& row : rows) {
    if (row.check == check) return &row;
  }
  return nullptr;
}

std::string report_text(const Report& report) {
  size_t width = 0;
  for (const ReportRow& row : report.rows) width = std::max(width, row.check.size());
  std::string out, plugin = "-";
  for (const ReportRow& row : report.rows) {
    if (row.plugin_id != plugin) {
      plugin = row.plugin_id;
      out += (out.empty() ? "" : "\n") + (plugin.empty() ? report.root : plugin) + "\n";
    }
    std::string state = state_name(row.outcome.state);
    state.resize(10, ' ');
    std::string line = "  " + state + row.check;
    if (!row.outcome.message.empty()) {
      line.resize(12 + width + 2, ' ');
      line += row.outcome.message;
    }
    out += line + "\n";
    if (is_bad(row.outcome.state)) out += "            expected: " + row.sentence + "\n";
  }
  out += "\n" + (report.pack.empty() ? report.root : report.pack) + ": ";
  for (const State state : kStates) {
    const int count = report.count(state);
    if (count == 0 && state != State::kPass) continue;
    out += std::to_string(count) + " " + state_name(state) + ", ";
  }
  return out + "seed " + std::to_string(report.seed) + ", " + seconds_text(report.seconds) + " s\n";
}

Json report_json(const Report& report) {
  Json summary = Json::object();
  for (const State state : kStates) {
    summary[state_name(state)] = static_cast<int64_t>(report.count(state));
  }
  Json checks = Json::array();
  for (const ReportRow& row : report.rows) {
    checks.push_back(Json::object({{"plugin", row.plugin_id},
                                   {"check", row.check},
                                   {"sentence", row.sentence},
                                   {"outcome", state_name(row.outcome.state)},
                                   {"message", row.outcome.message},
                                   {"seconds", row.seconds}}));
  }
  return Json::object({{"pack", report.pack},
                       {"root", report.root},
                       {"ok", report.ok()},
                       {"seed", report.seed},
                       {"seconds", report.seconds},
                       {"summary", std::move(summary)},
                       {"checks", std::move(checks)}});
}

std::string report_junit(const Report& report) {
  std::map<std::string, std::vector<const ReportRow*>> suites;
  for (const ReportRow& row : report.rows) suites[row.plugin_id].push_back(&row);
  std::string out = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"" +
                    base::escape_markup(report.pack.empty() ? report.root : report.pack) + "\">\n";
  for (const auto& [plugin, rows] : suites) {
    const auto number = [&rows = rows](auto&& fits) {
      return std::to_string(std::count_if(rows.begin(), rows.end(), [&](const ReportRow* row) {
        return fits(row->outcome.state);
      }));
    };
    out += "  <testsuite name=\"" + base::escape_markup(plugin) + "\" tests=\"" +
           std::to_string(rows.size()) + "\" failures=\"" +
           number([](State s) { return s == State::kFail; }) + "\" errors=\"" +
           number([](State s) { return s == State::kCrash || s == State::kTimeout; }) +
           "\" skipped=\"" + number([](State s) { return s == State::kSkip; }) +
           "\">\n    <properties><property name=\"seed\" value=\"" + std::to_string(report.seed) +
           "\"/></properties>\n";
    for (const ReportRow* row : rows) out += junit_case(*row);
    out += "  </testsuite>\n";
  }
  return out + "</testsuites>\n";
}

}  // namespace mortise::plugin::kit
