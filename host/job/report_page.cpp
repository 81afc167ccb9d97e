// See report_page.h.
#include "job/report_page.h"

#include <algorithm>
#include <map>
#include <vector>

#include "base/markup.h"
#include "schemas/schemas.h"

namespace mortise::job {

using base::Json;

namespace {

constexpr size_t kRowsShown = 50;  // of one code
constexpr size_t kBarsShown = 40;

constexpr const char* kHead = R"(<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Report of a check</title>
<style>
body{font:15px/1.5 system-ui,"Noto Sans CJK SC",sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;color:#222;background:#fff}
h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}
table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid #ddd;padding:.25rem .5rem;text-align:left;vertical-align:top;overflow-wrap:anywhere}
td.n{text-align:right;white-space:nowrap}code{background:#f3f3f3;padding:0 .2rem}
details{border:1px solid #ddd;border-radius:4px;margin:.5rem 0;padding:.25rem .75rem}
summary{cursor:pointer}.error{color:#a40000}.warning{color:#7a5200}.good{color:#06613a}
svg{width:100%;height:auto}svg rect{fill:#3568a8}svg text{font-size:11px;fill:#333}
#en:checked~main .zh,#zh:checked~main .en{display:none}
label{margin-right:1rem}
</style></head><body>
<input type="radio" name="language" id="en" checked><label for="en">English</label>
<input type="radio" name="language" id="zh"><label for="zh" lang="zh">中文</label>
<main>
)";

// Both languages; the reader's choice hides one.
std::string both(std::string_view en, std::string_view zh) {
  return "<span class=\"en\">" + base::escape_markup(en) +
         "</span><span class=\"zh\" lang=\"zh\">" + base::escape_markup(zh) + "</span>";
}

std::string shown(const Json& value) {
  return base::escape_markup(value.is_string() ? value.as_string() : value.dump());
}

std::string line(const std::string& name, const std::string& value) {
  return "<tr><th>" + name + "</th><td>" + value + "</td></tr>\n";
}

struct Bar {
  std::string name;
  double value = 0;
};

// Bars side by side: names below, the value of each as its title.
std::string histogram(const std::vector<Bar>& bars) {
  double most = 1;
  for (const Bar& bar : bars) most = std::max(most, bar.value);
  const double step = 900.0 / static_cast<double>(std::max<size_t>(bars.size(), 1));
  std::string out = "<svg viewBox=\"0 0 900 180\" role=\"img\">\n";
  for (size_t i = 0; i < bars.size(); ++i) {
    const double height = 140 * bars[i].value / most, x = step * static_cast<double>(i);
    out += "<rect x=\"" + Json(x + 1).dump() + "\" y=\"" + Json(150 - height).dump() +
           "\" width=\"" + Json(std::max(step - 2, 1.0)).dump() + "\" height=\"" +
           Json(height).dump() + "\"><title>" + base::escape_markup(bars[i].name) + ": " +
           Json(bars[i].value).dump() + "</title></rect>\n";
    const bool is_named = bars.size() <= 12 || i % (bars.size() / 8) == 0;
    if (!is_named) continue;
    out += "<text x=\"" + Json(x + 1).dump() + "\" y=\"166\">" +
           base::escape_markup(bars[i].name.substr(0, 24)) + "</text>\n";
  }
  return out + "</svg>\n";
}

std::string summary(const Json& report) {
  const int64_t rows = report["rows_count"].as_int(), bad = report["bad_rows_count"].as_int();
  const bool is_good = report["accepted"].as_bool();
  std::string out = "<h1>" + both("Report of a check", "检查报告") + "</h1>\n<p class=\"" +
                    (is_good ? "good" : "error") + "\"><strong>" +
                    (is_good ? both("The data set is accepted.", "数据集通过检查。")
                             : both("The data set is not accepted.", "数据集未通过检查。")) +
                    "</strong></p>\n<table>\n";
  out += line(both("Rows file", "行文件"), shown(report["rows_file"]));
  out += line(both("Task", "任务"), shown(report["task_type"]));
  out += line(both("Rows", "行数"), std::to_string(rows));
  out += line(both("Bad rows", "有错的行"), std::to_string(bad));
  out += line(both("Media files", "媒体文件"), shown(report["media_count"]));
  for (const auto& [target, source] : report["mapping"].members()) {
    out += line(both("Field ", "字段 ") + base::escape_markup(target), shown(source));
  }
  return out + "</table>\n";
}

std::string findings_of(const Json& report, const Json& check, int64_t count) {
  const std::string& code = check["code"].as_string();
  const std::string& severity = check["severity"].as_string();
  std::string out = "<details" + std::string(severity == "error" ? " open" : "") +
                    "><summary><strong class=\"" + base::escape_markup(severity) + "\">" +
                    base::escape_markup(code) + "</strong> (" + std::to_string(count) + ") " +
                    both(check["means"]["en"].as_string(), check["means"]["zh"].as_string()) +
                    "</summary>\n<p>" +
                    both(check["mend"]["en"].as_string(), check["mend"]["zh"].as_string()) +
                    "</p>\n<table><tr><th>" + both("Row", "行") + "</th><th>" +
                    both("Field", "字段") + "</th><th>" + both("What", "内容") + "</th></tr>\n";
  size_t rows = 0;
  for (const Json& finding : report["findings"].items()) {
    if (finding["code"].as_string() != code || rows++ >= kRowsShown) continue;
    const std::string file = finding["file"].as_string();
    out += "<tr><td class=\"n\">" + base::escape_markup(file.empty() ? "" : file + " ") +
           (finding.contains("row") ? shown(finding["row"]) : "") + "</td><td><code>" +
           shown(finding["field"]) + "</code></td><td>" + shown(finding["message"]) +
           "<br><small>" + shown(finding["hint"]) + "</small></td></tr>\n";
  }
  return out + "</table></details>\n";
}

std::string findings(const Json& report) {
  std::string text(schemas::text("checks.json"));
  size_t at = 0;  // the table names its placeholder for programs; people read the task
  while ((at = text.find("{task}", at)) != text.npos) {
    text.replace(at, 6, report["task_type"].as_string());
  }
  const auto table = base::parse_json(text);
  std::string out = "<h2>" + both("Findings", "问题") + "</h2>\n";
  if (report["codes"].size() == 0) out += "<p>" + both("None.", "没有。") + "</p>\n";
  if (!table.ok()) return out;
  for (const Json& check : (*table)["checks"].items()) {
    const int64_t count = report["codes"][check["code"].as_string()].as_int();
    if (count > 0) out += findings_of(report, check, count);
  }
  return out;
}

std::string lengths(const Json& lengths) {
  if (lengths.is_null()) return "";
  std::vector<Bar> bars;
  for (const Json& bar : lengths["histogram"].items()) {
    bars.push_back({bar["from"].dump(), bar["count"].as_double()});
  }
  std::string out =
      "<h2>" + both("Tokens a row", "每行词元数") + "</h2>\n" + histogram(bars) + "<table>\n";
  for (const char* name : {"min", "p50", "p90", "p99", "max", "length_max", "too_long_count"}) {
    out += line(std::string("<code>") + name + "</code>", shown(lengths[name]));
  }
  return out + "</table>\n";
}

std::string labels(const Json& labels) {
  if (labels.is_null()) return "";
  std::vector<Bar> bars;
  for (const auto& [name, count] : labels["labels"].members()) {
    bars.push_back({name, count.as_double()});
  }
  std::stable_sort(bars.begin(), bars.end(),
                   [](const Bar& a, const Bar& b) { return a.value > b.value; });
  if (bars.size() > kBarsShown) bars.resize(kBarsShown);
  std::string out = "<h2>" + both("Labels", "标签") + "</h2>\n" + histogram(bars) + "<table>\n";
  for (const char* name : {"rows_count", "labels_count", "entropy", "entropy_max"}) {
    out += line(std::string("<code>") + name + "</code>", shown(labels[name]));
  }
  return out + "</table>\n";
}

std::string copies(const Json& statistics) {
  if (statistics.is_null()) return "";
  const Json &duplicates = statistics["duplicates"], &leakage = statistics["leakage"];
  std::string out = "<h2>" + both("Copies and leaks", "重复与泄漏") + "</h2>\n<table>\n";
  out += line(both("The same rows", "完全相同的行"), shown(duplicates["exact_count"]));
  out += line(both("Nearly the same rows", "几乎相同的行"), shown(duplicates["near_count"]));
  out += line(both("Copies on both sides of the holdout", "分属训练集与保留集的副本"),
              shown(leakage["rows_count"]));
  out += line(both("Pictures on both sides of the holdout", "分属训练集与保留集的图片"),
              shown(leakage["pictures_count"]));
  const Json& license = statistics["license"];
  std::string told = shown(license["file"]);
  for (const auto& [name, count] : license["rows"].members()) {
    told += " " + base::escape_markup(name) + " (" + count.dump() + ")";
  }
  out += line(both("Licence", "许可"), told.empty() ? both("unknown", "未知") : told);
  return out + "</table>\n";
}

}  // namespace

std::string report_page(const Json& report) {
  const Json& statistics = report["statistics"];
  return kHead + summary(report) + findings(report) + copies(statistics) +
         lengths(statistics["lengths"]) + labels(statistics["labels"]) + "</main></body></html>\n";
}

}  // namespace mortise::job
