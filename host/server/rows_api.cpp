// /api/v1/datasets/{reference}/rows: the rows of a version, all of them or those that a filter
// takes. See api.h.
#include "hub/row_filter.h"
#include "server/api.h"

namespace mortise::server {
namespace {

using base::Code;
using base::Error;
using base::Json;
using base::Result;
using base::Status;

constexpr size_t kRowBytesMax = 32u << 20;  // of one answer of list_rows
constexpr size_t kSendBytes = 256u << 10;
constexpr uint64_t kRowsScanned = 200'000;  // of one answer of list_rows with a filter

Result<hub::RowMatcher> matcher_of(const Request& request) {
  hub::RowFilter filter;
  filter.split = request.query_value("split");
  filter.grep = request.query_value("grep");
  for (const auto& [name, value] : request.query) {
    if (name == "where") filter.where.push_back(value);
  }
  MORTISE_ASSIGN(const int64_t seed, request.query_integer("seed", 7, 0, INT64_MAX));
  filter.seed = static_cast<uint64_t>(seed);
  const auto ratio = base::parse_json(request.query_value("ratio", "0.1"));
  filter.ratio = ratio.ok() && ratio->is_number() ? ratio->as_double() : -1;
  return hub::RowMatcher::make(filter);
}

// A page of rows as it grows: their texts, ids and numbers, each joined by commas.
struct RowPage {
  std::string rows, ids, numbers;
  int64_t count = 0;
  uint64_t next = 0;  // where the next page begins

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
  MORTISE_ASSIGN(hub::RowMatcher matcher, matcher_of(request));
  MORTISE_ASSIGN(const store::RowTable table, api.hub->datasets().rows(version));
  RowPage page;
  page.next = static_cast<uint64_t>(offset);
  const uint64_t end = std::min(table.row_count(), page.next + kRowsScanned);
  while (page.next < end && page.count < limit) {
    const auto wanted = matcher.takes_all() ? static_cast<uint64_t>(limit) : uint64_t{256};
    MORTISE_TRY(table.visit(page.next, std::min(wanted, end - page.next),
                            [&](uint64_t index, std::string_view row) -> Status {
                              if (page.count == limit) return {};
                              page.next = index + 1;
                              MORTISE_ASSIGN(const bool is_wanted, matcher.matches(row));
                              return is_wanted ? page.add(table, index, row) : Status();
                            }));
  }
  Response response;
  response.body =
      "{\"reference\":" + base::json_quote(version.reference()) +
      ",\"offset\":" + std::to_string(offset) +
      ",\"next_offset\":" + (page.next < table.row_count() ? std::to_string(page.next) : "null") +
      ",\"row_count\":" + std::to_string(version.row_count) + ",\"items\":[" + page.rows +
      "],\"ids\":[" + page.ids + "],\"row_numbers\":[" + page.numbers + "]}\n";
  return response;
}

Answer download_rows(Api& api, Request& request) {
  MORTISE_ASSIGN(const hub::Version version,
                 api.hub->datasets().resolve(request.parameter("reference")));
  MORTISE_ASSIGN(hub::RowMatcher made, matcher_of(request));
  MORTISE_ASSIGN(const bool with_ids, request.query_flag("ids"));
  const auto matcher = std::make_shared<hub::RowMatcher>(std::move(made));
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

}  // namespace mortise::server
