// /api/v1/datasets. See api.h.
#include "hub/changes.h"
#include "hub/diff.h"
#include "hub/lineage.h"
#include "hub/upkeep.h"
#include "job/manifest.h"
#include "server/api.h"

namespace mortise::server {
namespace {

using base::Code;
using base::Error;
using base::Json;
using base::Status;

constexpr size_t kSendBytes = 256u << 10;

hub::DatasetQuery dataset_query(const Request& request) {
  hub::DatasetQuery query{request.query_value("q"), {}};
  for (const auto& [name, value] : request.query) {
    if (name == "label") query.labels.push_back(value);
  }
  return query;
}

// A label is a text, a number, true or false, or null to remove it; a tag a version's number or
// null.
Status check_change(const Json& body) {
  for (const auto& [key, value] : body.members()) {
    const bool good =
        (key == "description" && value.is_string() && value.as_string().size() <= 4096) ||
        ((key == "labels" || key == "tags") && value.is_object() && value.size() <= 64);
    if (!good) {
      return Error(Code::kInvalidArgument, "This member cannot be changed so.",
                   "description takes a text, labels an object of texts, numbers and booleans, "
                   "tags one of version numbers.")
          .at_field("/" + key);
    }
  }
  for (const auto& [key, value] : body["labels"].members()) {
    const bool is_short_text = value.is_string() && value.as_string().size() <= 256;
    if (is_short_text || value.is_number() || value.is_bool() || value.is_null()) continue;
    return Error(
               Code::kInvalidArgument,
               "A label is a text of at most 256 bytes, a number, true or false; null removes it.")
        .at_field("/labels/" + key);
  }
  return {};
}

}  // namespace

Answer list_datasets(Api& api, Request& request) {
  MORTISE_ASSIGN(const hub::PageRequest page, page_of(request));
  MORTISE_ASSIGN(const bool with_facets, request.query_flag("facets"));
  const hub::DatasetQuery query = dataset_query(request);
  MORTISE_ASSIGN(const auto found, api.hub->datasets().list(query, page));
  Json json = page_json(found);
  if (with_facets) {
    MORTISE_ASSIGN(const hub::Facets facets, api.hub->datasets().facets(query));
    json["facets"] = facets.to_json();
  }
  return Response::json(json);
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
  MORTISE_ASSIGN(json["shredded"], hub::certificates(*api.hub, reference));
  return Response::json(json);
}

Answer show_version_report(Api& api, Request& request) {
  MORTISE_ASSIGN(const hub::Version version,
                 api.hub->datasets().resolve(request.parameter("reference")));
  return report_answer(api, request, version.domain, to_text(version.report));
}

Answer change_dataset(Api& api, Request& request) {
  MORTISE_ASSIGN(const Json body, request.read_json());
  MORTISE_TRY(check_change(body));
  const std::string name = request.parameter("reference");
  if (body.contains("tags")) MORTISE_TRY(api.hub->datasets().move_tags(name, body["tags"]));
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

Answer withdraw_version(Api& api, Request& request) {
  MORTISE_ASSIGN(const hub::Version before,
                 api.hub->datasets().resolve(request.parameter("reference")));
  MORTISE_TRY(api.hub->datasets().withdraw(before.reference()));
  MORTISE_ASSIGN(const hub::Version version, api.hub->datasets().resolve(before.reference()));
  return Response::json(version.to_json());
}

Answer restore_version(Api& api, Request& request) {
  const std::string reference = request.parameter("reference");
  MORTISE_ASSIGN(const job::Reference wanted, job::parse_reference(reference));
  MORTISE_TRY(api.hub->datasets().restore(wanted.name, wanted.version));
  MORTISE_ASSIGN(const hub::Version version, api.hub->datasets().resolve(reference));
  return Response::json(version.to_json());
}

// Edits and deletions by row id; what saw a deleted row stands in the answer, for no deletion here
// reaches into a model.
Answer create_version(Api& api, Request& request) {
  MORTISE_ASSIGN(const Json body, request.read_json());
  hub::ChangeOptions change;
  change.dataset = request.parameter("reference");
  change.parent = body["parent"].as_string();
  for (const auto& [key, value] : body.members()) {
    if (key == "edits" || key == "parent") continue;
    if (key == "draft" && value.is_bool()) {
      change.options["draft"] = value;
      continue;
    }
    return Error(Code::kInvalidArgument, "This member is not known here.",
                 "edits, parent and draft are.")
        .at_field("/" + key);
  }
  std::vector<store::RowId> deleted;
  for (const Json& edit : body["edits"].items()) {
    if (!edit["delete"].as_bool()) continue;
    MORTISE_ASSIGN(const store::RowId id, store::parse_row_id(edit["id"].as_string()));
    deleted.push_back(id);
  }
  MORTISE_ASSIGN(Json seen, hub::lineage_of_rows(*api.hub, change.dataset, deleted));
  MORTISE_ASSIGN(const hub::Job job, hub::edit_rows(*api.hub, change, body["edits"]));
  Response response =
      Response::json(Json::object({{"job", job.to_json()}, {"seen_by", std::move(seen)}}), 202);
  response.headers.emplace_back("Location", "/api/v1/jobs/" + job.id);
  return response;
}

Answer show_lineage(Api& api, Request& request) {
  const std::string reference = request.parameter("reference");
  const std::string row = request.query_value("row");
  if (!row.empty()) {
    MORTISE_ASSIGN(const store::RowId id, store::parse_row_id(row));
    MORTISE_ASSIGN(const job::Reference wanted, job::parse_reference(reference));
    MORTISE_ASSIGN(const Json found, hub::lineage_of_rows(*api.hub, wanted.name, {id}));
    return Response::json(found.at(0));
  }
  MORTISE_ASSIGN(const hub::Version version, api.hub->datasets().resolve(reference));
  MORTISE_ASSIGN(const Json found, hub::lineage_of(*api.hub, version));
  return Response::json(found);
}

Answer diff_datasets(Api& api, Request& request) {
  hub::DiffRequest wanted;
  MORTISE_ASSIGN(wanted.from, api.hub->datasets().resolve(request.parameter("reference")));
  MORTISE_ASSIGN(wanted.to, api.hub->datasets().resolve(request.query_value("to")));
  wanted.key = request.query_value("key");
  Response response;
  response.content_type = "application/jsonl";
  response.stream = [&api, wanted](Sink& sink) -> Status {
    std::string text;
    const auto send = [&]() -> Status {
      const bool is_sent = text.empty() || sink.write(text);
      text.clear();
      return is_sent ? Status() : Status(Error(Code::kCancelled, "The client has gone."));
    };
    MORTISE_TRY(hub::diff_versions(*api.hub, wanted, [&](const Json& difference) -> Status {
      text += difference.dump() + "\n";
      return text.size() < kSendBytes ? Status() : send();
    }));
    return send();
  };
  return response;
}

namespace {

using OpenNames = base::Result<store::NameTable> (hub::Datasets::*)(const hub::Version&);

Answer list_names(Api& api, Request& request, OpenNames open) {
  MORTISE_ASSIGN(const hub::Version version,
                 api.hub->datasets().resolve(request.parameter("reference")));
  MORTISE_ASSIGN(const hub::PageRequest page, page_of(request));
  MORTISE_ASSIGN(const store::NameTable table, (api.hub->datasets().*open)(version));
  MORTISE_ASSIGN(const auto names, hub::page_of_names(table, page));
  return names_response(names);
}

Answer download_named(Api& api, Request& request, OpenNames open, const char* what) {
  MORTISE_ASSIGN(const hub::Version version,
                 api.hub->datasets().resolve(request.parameter("reference")));
  MORTISE_ASSIGN(const store::NameTable table, (api.hub->datasets().*open)(version));
  const std::string name = request.parameter("name");
  MORTISE_ASSIGN(const auto found, table.find(name));
  if (!found) return hub::not_found(what, name);
  Response response;
  response.content_type = "application/octet-stream";  // a page of ours never runs what users sent
  MORTISE_ASSIGN(response.content, sealed_content(api, version.domain, to_text(*found)));
  return response;
}

}  // namespace

Answer list_media(Api& api, Request& request) {
  return list_names(api, request, &hub::Datasets::media);
}

Answer download_media(Api& api, Request& request) {
  return download_named(api, request, &hub::Datasets::media, "media file");
}

// What was uploaded for this version itself.
Answer list_originals(Api& api, Request& request) {
  return list_names(api, request, &hub::Datasets::originals);
}

Answer download_original(Api& api, Request& request) {
  return download_named(api, request, &hub::Datasets::originals, "original file");
}

}  // namespace mortise::server
