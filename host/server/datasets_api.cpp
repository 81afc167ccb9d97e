// /api/v1/datasets. See api.h.
#include "job/manifest.h"
#include "server/api.h"

namespace mortise::server {
namespace {

using base::Code;
using base::Error;
using base::Json;
using base::Status;

constexpr uint64_t kRowBytesMax = 32u << 20;  // of one answer of list_rows
constexpr size_t kSendBytes = 256u << 10;

// Rows [offset, offset + limit) joined by commas.
base::Result<std::string> read_rows(const store::RowTable& rows, int64_t offset, int64_t limit) {
  std::string joined;
  MORTISE_TRY(rows.visit(static_cast<uint64_t>(offset), static_cast<uint64_t>(limit),
                         [&](uint64_t, std::string_view row) -> Status {
                           joined += joined.empty() ? "" : ",";
                           joined += row;
                           if (joined.size() <= kRowBytesMax) return {};
                           return Error(Code::kResourceExhausted,
                                        "The rows asked for have more than 32 MiB.",
                                        "Ask for fewer with limit, or fetch rows.jsonl.");
                         }));
  return joined;
}

}  // namespace

Answer list_datasets(Api& api, Request& request) {
  MORTISE_ASSIGN(const hub::PageRequest page, page_of(request));
  MORTISE_ASSIGN(const auto found, api.hub->datasets().list(request.query_value("q"), page));
  return page_response(found);
}

Answer show_dataset(Api& api, Request& request) {
  const std::string reference = request.parameter("reference");
  const auto version = api.hub->datasets().resolve(reference);
  if (reference.find('@') != std::string::npos) {
    MORTISE_TRY(version);
    return Response::json(version->to_json());
  }
  auto dataset = api.hub->datasets().get(reference);
  if (!dataset.ok() && version.ok()) return Response::json(version->to_json());  // a version's id
  MORTISE_TRY(dataset);
  Json json = dataset->to_json();
  json["newest"] = version.ok() ? version->to_json() : Json();
  return Response::json(json);
}

Answer change_dataset(Api& api, Request& request) {
  MORTISE_ASSIGN(const Json body, request.read_json());
  for (const auto& [key, value] : body.members()) {
    const bool good =
        (key == "description" && value.is_string() && value.as_string().size() <= 4096) ||
        (key == "labels" && value.is_object() && value.size() <= 64);
    if (!good) {
      return Error(Code::kInvalidArgument, "This member cannot be changed so.",
                   "description takes a text, labels an object of texts.")
          .at_field("/" + key);
    }
  }
  for (const auto& [key, value] : body["labels"].members()) {
    if (!value.is_string() && !value.is_null()) {
      return Error(Code::kInvalidArgument, "A label is a text, or null to remove it.")
          .at_field("/labels/" + key);
    }
  }
  const std::string name = request.parameter("reference");
  MORTISE_TRY(api.hub->datasets().describe(name, body["description"], body["labels"]));
  MORTISE_ASSIGN(const hub::Dataset dataset, api.hub->datasets().get(name));
  return Response::json(dataset.to_json());
}

Answer delete_dataset(Api& api, Request& request) {
  MORTISE_TRY(api.hub->datasets().remove(request.parameter("reference")));
  return no_content();
}

Answer list_versions(Api& api, Request& request) {
  MORTISE_ASSIGN(const auto versions, api.hub->datasets().versions(request.parameter("reference")));
  hub::Page<hub::Version> page;
  page.items = versions;
  return page_response(page);
}

Answer release_version(Api& api, Request& request) {
  const std::string reference = request.parameter("reference");
  MORTISE_TRY(api.hub->datasets().release(reference));
  MORTISE_ASSIGN(const hub::Version version, api.hub->datasets().resolve(reference));
  return Response::json(version.to_json());
}

Answer restore_version(Api& api, Request& request) {
  const std::string reference = request.parameter("reference");
  MORTISE_ASSIGN(const job::Reference wanted, job::parse_reference(reference));
  MORTISE_TRY(api.hub->datasets().restore(wanted.name, wanted.version));
  MORTISE_ASSIGN(const hub::Version version, api.hub->datasets().resolve(reference));
  return Response::json(version.to_json());
}

Answer list_rows(Api& api, Request& request) {
  MORTISE_ASSIGN(const hub::Version version,
                 api.hub->datasets().resolve(request.parameter("reference")));
  MORTISE_ASSIGN(const int64_t offset, request.query_integer("offset", 0, 0, INT64_C(1) << 40));
  MORTISE_ASSIGN(const int64_t limit, request.query_integer("limit", 50, 1, 1000));
  MORTISE_ASSIGN(const store::RowTable table, api.hub->datasets().rows(version));
  MORTISE_ASSIGN(const std::string rows, read_rows(table, offset, limit));
  Response response;
  response.body =
      "{\"reference\":" + base::json_quote(version.dataset + "@" + std::to_string(version.number)) +
      ",\"offset\":" + std::to_string(offset) +
      ",\"row_count\":" + std::to_string(version.row_count) + ",\"items\":[" + rows + "]}\n";
  return response;
}

Answer download_rows(Api& api, Request& request) {
  MORTISE_ASSIGN(const hub::Version version,
                 api.hub->datasets().resolve(request.parameter("reference")));
  Response response;
  response.content_type = "application/jsonl";
  MORTISE_ASSIGN(const store::RowTable table, api.hub->datasets().rows(version));
  response.stream = [table](Sink& sink) -> Status {
    std::string text;
    MORTISE_TRY(
        table.visit(0, table.row_count(), [&](uint64_t, std::string_view row) -> Status {
          text += row;
          text += '\n';
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

Answer list_media(Api& api, Request& request) {
  MORTISE_ASSIGN(const hub::Version version,
                 api.hub->datasets().resolve(request.parameter("reference")));
  MORTISE_ASSIGN(const hub::PageRequest page, page_of(request));
  MORTISE_ASSIGN(const store::NameTable table, api.hub->datasets().media(version));
  MORTISE_ASSIGN(const auto media, hub::page_of_names(table, page));
  return names_response(media);
}

Answer download_media(Api& api, Request& request) {
  MORTISE_ASSIGN(const hub::Version version,
                 api.hub->datasets().resolve(request.parameter("reference")));
  MORTISE_ASSIGN(const store::NameTable table, api.hub->datasets().media(version));
  const std::string name = request.parameter("name");
  MORTISE_ASSIGN(const auto found, table.find(name));
  if (!found) return hub::not_found("media file", name);
  Response response;
  response.content_type = "application/octet-stream";  // a page of ours never runs what users sent
  MORTISE_ASSIGN(response.content, sealed_content(api, version.domain, to_text(*found)));
  return response;
}

}  // namespace mortise::server
