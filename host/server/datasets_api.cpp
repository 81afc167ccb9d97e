// /api/v1/datasets. See api.h.
#include "base/file_ops.h"
#include "job/manifest.h"
#include "server/api.h"

namespace mortise::server {
namespace {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

constexpr uint64_t kRowBytesMax = 32u << 20;  // of one answer of list_rows

// The lines offset .. offset+limit of a file of rows, as JSON texts joined by commas.
Result<std::string> read_lines(base::FileOps& files, const std::string& path, int64_t offset,
                               int64_t limit) {
  MORTISE_ASSIGN(auto file, files.open(path, base::OpenMode::kRead));
  std::string joined, line;
  std::vector<std::byte> piece(256u << 10);
  int64_t number = 0;
  for (uint64_t at = 0; number < offset + limit;) {
    MORTISE_ASSIGN(const size_t got, file->read_at(at, piece));
    if (got == 0) break;
    at += got;
    for (const char c : base::as_text({piece.data(), got})) {
      if (c != '\n') {
        if (number >= offset) line += c;
        continue;
      }
      if (number >= offset && number < offset + limit) {
        joined += (joined.empty() ? "" : ",") + line;
        if (joined.size() > kRowBytesMax) {
          return Error(Code::kResourceExhausted, "The rows asked for have more than 32 MiB.",
                       "Ask for fewer with limit, or fetch rows.jsonl.");
        }
      }
      line.clear();
      ++number;
    }
  }
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
  MORTISE_ASSIGN(const std::string path, api.hub->blobs().path_of(version.rows));
  MORTISE_ASSIGN(const std::string rows, read_lines(api.hub->files(), path, offset, limit));
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
  MORTISE_ASSIGN(response.file_path, api.hub->blobs().path_of(version.rows));
  return response;
}

Answer list_media(Api& api, Request& request) {
  MORTISE_ASSIGN(const hub::Version version,
                 api.hub->datasets().resolve(request.parameter("reference")));
  MORTISE_ASSIGN(const hub::PageRequest page, page_of(request));
  MORTISE_ASSIGN(const auto media, api.hub->datasets().media_page(version.id, page));
  return page_response(media);
}

Answer download_media(Api& api, Request& request) {
  MORTISE_ASSIGN(const hub::Version version,
                 api.hub->datasets().resolve(request.parameter("reference")));
  MORTISE_ASSIGN(const hub::Medium medium,
                 api.hub->datasets().medium(version.id, request.parameter("name")));
  Response response;
  response.content_type = "application/octet-stream";  // a page of ours never runs what users sent
  MORTISE_ASSIGN(response.file_path, api.hub->blobs().path_of(medium.blob));
  return response;
}

}  // namespace mortise::server
