// `mortise metric score` in the worker: predictions and references, line by line, through the
// metric pack.
#include "app/mortise-worker/context.h"
#include "plugin/guard.h"

namespace mortise::worker {
namespace {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

constexpr size_t kScoredRows = 4096;

Result<std::vector<Json>> read_lines(Context& context, const std::string& path) {
  MORTISE_ASSIGN(const std::string text, base::read_file(context.files, path));
  std::vector<Json> out;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    if (end > begin) {
      auto value = base::parse_json(std::string_view(text).substr(begin, end - begin));
      if (!value.ok()) {
        Error error = std::move(value.error());
        error.byte_offset += static_cast<int64_t>(begin);
        return error.at_file(path).at_row(static_cast<int64_t>(out.size()) + 1);
      }
      out.push_back(std::move(*value));
    }
    begin = end + 1;
  }
  return out;
}

// {"text"} and {"texts": [...]} as the columns of a metric.
Json scored_row(const Json& prediction, const Json& reference) {
  Json references = reference["texts"];
  if (!references.is_array()) {
    references = Json::array();
    references.push_back(reference["text"]);
  }
  const Json first = references.at(0);
  return Json::object({{"prediction", prediction["text"]},
                       {"reference", first},
                       {"references", std::move(references)}});
}

}  // namespace

// arguments: {metric, config {}, predictions, references, per_row?}
Result<job::TaskResult> metric_score(Context& context) {
  MORTISE_ASSIGN(const auto predictions, read_lines(context, context.text("predictions")));
  MORTISE_ASSIGN(const auto references, read_lines(context, context.text("references")));
  if (predictions.size() != references.size()) {
    return Error(Code::kInvalidArgument,
                 "There are " + std::to_string(predictions.size()) + " predictions and " +
                     std::to_string(references.size()) + " references.",
                 "Give one line of each for every row.")
        .at_file(context.text("predictions"));
  }
  MORTISE_ASSIGN(plugin::Metric metric,
                 context.registry.open_metric(context.text("metric"), context.argument("config")));
  std::vector<double> scores;
  std::vector<double>* wanted = context.text("per_row").empty() ? nullptr : &scores;
  for (size_t begin = 0; begin < predictions.size(); begin += kScoredRows) {
    std::vector<Json> rows;
    for (size_t i = begin; i < std::min(begin + kScoredRows, predictions.size()); ++i) {
      rows.push_back(scored_row(predictions[i], references[i]));
    }
    const plugin::InputNote note(context.text("predictions") + " from row " +
                                 std::to_string(begin + 1));
    auto updated = metric.update(rows, wanted);
    if (!updated.ok()) {
      if (updated.error().row >= 0) updated.error().row += static_cast<int64_t>(begin);
      return std::move(updated.error());
    }
  }
  MORTISE_ASSIGN(const auto rows, metric.finalize());
  Json listed = Json::array();
  for (const plugin::MetricRow& row : rows) listed.push_back(row.json());
  if (wanted != nullptr) {
    std::string lines;
    for (const double score : scores) lines += Json(score).dump() + "\n";
    MORTISE_TRY(base::write_file_durably(context.files, context.text("per_row"), lines));
  }
  MORTISE_TRY(context.print(Json::object({{"rows", listed}}).dump() + "\n"));
  job::TaskResult result;
  result.ok = true;
  result.scores = std::move(listed);
  return result;
}

}  // namespace mortise::worker
