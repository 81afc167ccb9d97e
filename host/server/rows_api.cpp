// /api/v1/datasets/{reference}/rows and /search: the rows of a version, all of them or those that
// a filter takes. See api.h.
#include "hub/row_search.h"
#include "server/api.h"
#include "store/row_search.h"

namespace mortise::server {
namespace {

using base::Code;
using base::Error;
using base::Json;
using base::Result;
using base::Status;

constexpr size_t kRowBytesMax = 32u << 20;  // of one answer of list_rows
constexpr size_t kSendBytes = 256u << 10;
constexpr uint64_t kQueryBytesMax = 64u << 10;
constexpr uint64_t kRowsScanned = 200'000;  // of one answer of list_rows with a filter

Result<job::RowMatcher> matcher_of(const Request& request) {
  job::RowFilter filter;
  filter.split = request.query_value("split");
  filter.grep = request.query_value("grep");
  for (const auto& [name, value] : request.query) {
    if (name == "where") filter.where.push_back(value);
  }
  MORTISE_ASSIGN(const int64_t seed, request.query_integer("seed", 7, 0, INT64_MAX));
  filter.seed = static_cast<uint64_t>(seed);
  const auto ratio = base::parse_json(request.query_value("ratio", "0.1"));
  filter.ratio = ratio.ok() && ratio->is_number() ? ratio->as_double() : -1;
  return job::RowMatcher::make(filter);
}

// A page of rows as it grows: their texts, ids and numbers, each joined by commas.
struct RowPage {
  std::string rows, ids, numbers;
  int64_t count = 0;

  Status add(const store::RowTable& table, uint64_t index, std::string_view row) {
    MORTISE_ASSIGN(const auto id, table.ids(index, 1));
    const char* const comma = count++ == 0 ? "" : ",";
    rows += comma;
    rows += row;
    ids += comma + base::json_quote(store::to_text(id.at(0)));
    numbers += comma + std::to_string(index + 1);
    if (rows.size() <= kRowBytesMax) return {};
    return Error(Code::kResourceExhausted, "The rows asked for have more than 32 MiB.",
                 "Ask for fewer with limit, or fetch rows.jsonl.");
  }
};

}  // namespace

Answer list_rows(Api& api, Request& request) {
  MORTISE_ASSIGN(const hub::Version version,
                 api.hub->datasets().resolve(request.parameter("reference")));
  MORTISE_ASSIGN(const int64_t offset, request.query_integer("offset", 0, 0, INT64_C(1) << 40));
  MORTISE_ASSIGN(const int64_t limit, request.query_integer("limit", 50, 1, 1000));
  MORTISE_ASSIGN(job::RowMatcher matcher, matcher_of(request));
  MORTISE_ASSIGN(const store::RowTable table, api.hub->datasets().rows(version));
  RowPage page;
  const store::SearchBounds bounds{static_cast<uint64_t>(offset), kRowsScanned,
                                   static_cast<uint64_t>(limit)};
  MORTISE_ASSIGN(
      const store::SearchEnd end,
      store::search_rows(table, matcher, bounds, [&](uint64_t index, std::string_view row) {
        return page.add(table, index, row);
      }));
  Response response;
  response.body = "{\"reference\":" + base::json_quote(version.reference()) +
                  ",\"offset\":" + std::to_string(offset) + ",\"next_offset\":" +
                  (end.next_row < table.row_count() ? std::to_string(end.next_row) : "null") +
                  ",\"row_count\":" + std::to_string(version.row_count) + ",\"items\":[" +
                  page.rows + "],\"ids\":[" + page.ids + "],\"row_numbers\":[" + page.numbers +
                  "]}\n";
  return response;
}

Answer download_rows(Api& api, Request& request) {
  MORTISE_ASSIGN(const hub::Version version,
                 api.hub->datasets().resolve(request.parameter("reference")));
  MORTISE_ASSIGN(job::RowMatcher made, matcher_of(request));
  MORTISE_ASSIGN(const bool with_ids, request.query_flag("ids"));
  const auto matcher = std::make_shared<job::RowMatcher>(std::move(made));
  Response response;
  response.content_type = "application/jsonl";
  MORTISE_ASSIGN(const store::RowTable table, api.hub->datasets().rows(version));
  response.stream = [table, matcher, with_ids](Sink& sink) -> Status {
    std::string text;
    MORTISE_TRY(
        table.visit(0, table.row_count(), [&](uint64_t index, std::string_view row) -> Status {
          if (index % 4096 == 0 && sink.is_stopping()) {
            return Error(Code::kUnavailable, "The server ends.", "Ask again in a moment.");
          }
          MORTISE_ASSIGN(const bool is_wanted, matcher->matches(row));
          if (!is_wanted) return {};
          if (with_ids) {
            MORTISE_ASSIGN(const auto id, table.ids(index, 1));
            text += "{\"id\":\"" + store::to_text(id.at(0)) + "\",\"row\":";
          }
          text += row;
          text += with_ids ? "}\n" : "\n";
          if (text.size() < kSendBytes) return {};
          const bool sent = sink.write(text);
          text.clear();
          return sent ? Status() : Status(Error(Code::kCancelled, "The client has gone."));
        }));
    sink.write(text);
    return {};
  };
  return response;
}

// {"grep", "where", "split", "ratio", "seed", "limit"}: a job that searches all rows.
Answer search_version(Api& api, Request& request) {
  MORTISE_ASSIGN(Json body, request.read_json(kQueryBytesMax));
  const Json limit = body.contains("limit") ? body["limit"] : Json(hub::kMatchesDefault);
  body.erase("limit");
  MORTISE_ASSIGN(const job::RowFilter filter, job::RowFilter::from_json(body));
  MORTISE_ASSIGN(const hub::Job job,
                 hub::begin_row_search(*api.hub, request.parameter("reference"), filter,
                                       limit.is_integer() ? limit.as_int() : 0));
  Response response = Response::json(job.to_json(), 202);
  response.headers.emplace_back("Location", "/api/v1/jobs/" + job.id);
  return response;
}

}  // namespace mortise::server
