// Task "search": all rows of a version through a filter. The filter comes sealed and the matches
// are sealed in the rows' own domain, one {"row_number", "id", "row"} a line; the status tells
// only how many rows were read.
#include <algorithm>

#include "app/mortise-worker/context.h"
#include "job/dataset_file.h"
#include "store/row_search.h"

namespace mortise::worker {
namespace {

using base::Code;
using base::Error;
using base::Json;
using base::Result;
using base::Status;

constexpr uint64_t kQueryBytesMax = 4u << 20;
constexpr size_t kMatchesBufferBytes = 1u << 20;
constexpr uint64_t kToldTimes = 200;

Result<job::RowMatcher> sealed_filter(const Json& search, store::Domain& domain) {
  MORTISE_ASSIGN(const auto query, store::parse_object_ref(search["query"].as_string()));
  MORTISE_ASSIGN(const std::string text, domain.read_all(query, kQueryBytesMax));
  MORTISE_ASSIGN(const Json json, base::parse_json(text));
  MORTISE_ASSIGN(const job::RowFilter filter, job::RowFilter::from_json(json));
  return job::RowMatcher::make(filter);
}

// The matches as one object.
class Matches {
 public:
  explicit Matches(const OpenDomain& sealed)
      : sealed_(&sealed), writer_(sealed.domain->begin(store::Cut::kByContent)) {}

  Status add(const store::RowTable& table, uint64_t index, std::string_view row) {
    MORTISE_ASSIGN(const auto id, table.ids(index, 1));
    text_ += "{\"row_number\":" + std::to_string(index + 1) + ",\"id\":\"" +
             store::to_text(id.at(0)) + "\",\"row\":";
    text_ += row;
    text_ += "}\n";
    return text_.size() < kMatchesBufferBytes ? Status() : flush();
  }
  Result<Json> finish() {
    MORTISE_TRY(flush());
    MORTISE_ASSIGN(const store::ObjectRef object, writer_.finish());
    return Json::object({{"name", "matches.jsonl"},
                         {"domain", sealed_->key.domain_id()},
                         {"object", to_text(object)},
                         {"size_bytes", object.size_bytes}});
  }

 private:
  Status flush() {
    MORTISE_TRY(writer_.write(base::as_bytes(text_)));
    text_.clear();
    return {};
  }
  const OpenDomain* sealed_;
  store::ObjectWriter writer_;
  std::string text_;
};

}  // namespace

Result<job::TaskResult> task_search(Context& context) {
  const Json& search = context.task.manifest["search"];
  MORTISE_ASSIGN(const OpenDomain* const sealed, context.sealed());
  MORTISE_ASSIGN(const job::DatasetFile dataset,
                 job::read_dataset_file(context.files, context.task.inputs.dataset_file));
  MORTISE_ASSIGN(const auto rows, store::parse_object_ref(dataset.rows_object));
  MORTISE_ASSIGN(const auto table, store::RowTable::open(sealed->domain, rows));
  MORTISE_ASSIGN(job::RowMatcher matcher, sealed_filter(search, *sealed->domain));
  const uint64_t rows_total = table.row_count();
  uint64_t told = 0;
  const auto tell = [&](uint64_t next) -> Status {
    if (context.is_cancelled) return Error(Code::kCancelled, "The search was cancelled.");
    if (next < rows_total && next - told < rows_total / kToldTimes) return {};
    told = next;
    context.progress("search", static_cast<int64_t>(next), static_cast<int64_t>(rows_total));
    return {};
  };
  Matches matches(*sealed);
  store::SearchBounds bounds;
  bounds.matches_max = search["matches_max"].as_uint();
  MORTISE_ASSIGN(const store::SearchEnd found, store::search_rows(
                                                   table, matcher, bounds,
                                                   [&](uint64_t index, std::string_view row) {
                                                     return matches.add(table, index, row);
                                                   },
                                                   tell));
  bounds = {found.next_row, UINT64_MAX, 1};  // whether there is another one
  MORTISE_ASSIGN(
      const store::SearchEnd more,
      store::search_rows(
          table, matcher, bounds, [](uint64_t, std::string_view) { return Status(); }, tell));
  job::TaskResult result = done(std::to_string(found.matches) + " rows match.");
  result.record["search"] = Json::object(
      {{"matches", found.matches}, {"has_more", more.matches > 0}, {"rows_read", more.next_row}});
  MORTISE_ASSIGN(const Json object, matches.finish());
  result.record["objects"] = Json::array({object});
  return result;
}

}  // namespace mortise::worker
