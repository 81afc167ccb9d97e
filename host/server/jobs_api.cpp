// /api/v1/jobs and /api/v1/endpoints. See api.h.
#include "base/clock.h"
#include "base/file_ops.h"
#include "hub/made_files.h"
#include "job/status.h"
#include "job/task.h"
#include "server/api.h"

namespace mortise::server {
namespace {

using base::Code;
using base::Error;
using base::Json;
using base::Result;
using base::Status;

constexpr int64_t kFollowPollMs = 200;
constexpr int64_t kHeartbeatNs = 15'000'000'000;
constexpr size_t kLogBytesMax = 1u << 20;

std::string attempt_folder(Api& api, const hub::Job& job) {
  return api.hub->task_folder(job.id, std::max<int64_t>(job.attempt, 1));
}

// What a job names must be there when it is submitted, and is what it runs on, whatever is released
// while it waits: names become name@n.
Result<job::Manifest> pin_references(Api& api, const job::Manifest& manifest) {
  if (manifest.kind == "pipeline" || manifest.kind == "ingest") return manifest;
  Json pinned = manifest.json;
  const auto pin_model = [&](Json& place) -> Status {
    if (place.as_string().empty()) return {};
    MORTISE_ASSIGN(const hub::Model model, api.hub->models().resolve(place.as_string()));
    place = Json(model.reference());
    return {};
  };
  for (const char* key : {"model", "adapter"}) {
    if (Json* place = pinned.find(key)) MORTISE_TRY(pin_model(*place));
  }
  if (Json* method = pinned.find("method")) {
    if (Json* first = method->find("init_adapter")) MORTISE_TRY(pin_model(*first));
  }
  if (!manifest.dataset.empty()) {
    MORTISE_ASSIGN(const hub::Version version, api.hub->datasets().resolve(manifest.dataset));
    pinned["dataset"] = version.dataset + "@" + std::to_string(version.number);
  }
  return job::check_manifest(std::move(pinned), "request body");
}

// Writes the server's device into a manifest, and into a pipeline's steps, that name none.
void add_device(Json& manifest, const std::string& device) {
  if (!manifest.is_object()) return;
  Json* resources = manifest.find("resources");
  if (resources == nullptr) manifest["resources"] = Json::object({{"device", device}});
  if (resources != nullptr && resources->is_object() && !resources->contains("device")) {
    (*resources)["device"] = device;
  }
  if (Json* steps = manifest.find("steps")) {
    for (Json& step : steps->items()) add_device(step, device);
  }
}

std::string event_text(const char* type, const Json& data, int64_t id = 0) {
  std::string text = id > 0 ? "id: " + std::to_string(id) + "\n" : "";
  return text + "event: " + type + "\ndata: " + data.dump() + "\n\n";
}

// Follows one job for one client.
class Follower {
 public:
  Follower(Api& api, std::string id, int64_t after_event)
      : api_(&api), id_(std::move(id)), event_(after_event) {}

  Status run(Sink& sink) {
    int64_t beat_ns = base::system_clock().monotonic_ns();
    // The headers and proof of life at once.
    if (!sink.write(": here\n\n")) return {};
    for (;;) {
      MORTISE_ASSIGN(const hub::Job job, api_->hub->jobs().get(id_));
      MORTISE_ASSIGN(const std::string text, news_of(job));
      const int64_t now = base::system_clock().monotonic_ns();
      if (!text.empty() || now - beat_ns > kHeartbeatNs) {
        if (!sink.write(text.empty() ? ": still here\n\n" : text)) return {};
        beat_ns = now;
      }
      if (job.is_final() || sink.is_stopping()) return {};
      base::system_clock().sleep_ms(kFollowPollMs);
    }
  }

 private:
  Result<std::string> news_of(const hub::Job& job) {
    std::string text;
    MORTISE_ASSIGN(const auto events, api_->hub->jobs().events(id_, event_));
    std::string states;
    for (const hub::JobEvent& event : events) {
      event_ = event.id;
      states += event_text("state", event.to_json(), event.id);
    }
    if (job.attempt != attempt_) {
      attempt_ = job.attempt;
      lines_ = std::make_unique<job::LineFollower>(
          api_->hub->files(), base::join_path(attempt_folder(*api_, job), job::kMetricsFile));
    }
    MORTISE_ASSIGN(const auto lines, lines_->read());
    for (const std::string& line : lines) {
      const auto value = base::parse_json(line);
      if (value.ok()) text += event_text("metrics", *value);
    }
    if (!job.progress.is_null() && !(job.progress == progress_)) {
      progress_ = job.progress;
      text += event_text("progress", progress_);
    }
    text += states;
    if (job.is_final()) text += event_text("end", job.to_json());
    return text;
  }

  Api* api_;
  std::string id_;
  int64_t event_ = 0, attempt_ = -1;
  std::unique_ptr<job::LineFollower> lines_;
  Json progress_;
};

}  // namespace

Answer list_jobs(Api& api, Request& request) {
  MORTISE_ASSIGN(const hub::PageRequest page, page_of(request));
  const hub::JobFilter filter{request.query_value("state"), request.query_value("kind"),
                              request.query_value("parent")};
  MORTISE_ASSIGN(const auto found, api.hub->jobs().list(filter, page));
  return page_response(found);
}

Answer create_job(Api& api, Request& request) {
  MORTISE_ASSIGN(Json body, request.read_json());
  add_device(body, api.device);
  MORTISE_ASSIGN(const job::Manifest manifest,
                 job::check_manifest(std::move(body), "request body"));
  for (const auto& [kind, path] : {std::pair{"ingest", "/api/v1/uploads/{id}/commit"},
                                   {"serve", "/api/v1/endpoints"},
                                   {"search", "/api/v1/datasets/{reference}/search"}}) {
    if (manifest.kind != kind) continue;
    return Error(Code::kInvalidArgument,
                 "A job of kind " + manifest.kind + " is not submitted by hand.",
                 std::string("POST ") + path + " makes it.")
        .at_field("/kind");
  }
  MORTISE_ASSIGN(const job::Manifest pinned, pin_references(api, manifest));
  MORTISE_ASSIGN(const hub::Job job, api.hub->jobs().submit({pinned, "", "", ""}));
  Response response = Response::json(job.to_json(), 201);
  response.headers.emplace_back("Location", "/api/v1/jobs/" + job.id);
  return response;
}

Answer show_job(Api& api, Request& request) {
  MORTISE_ASSIGN(const hub::Job job, api.hub->jobs().get(request.parameter("id")));
  Json json = job.to_json();
  json["manifest"] = job.manifest;
  json["record"] = job.record;
  json["events"] = Json::array();
  MORTISE_ASSIGN(const auto events, api.hub->jobs().events(job.id));
  for (const hub::JobEvent& event : events) json["events"].push_back(event.to_json());
  MORTISE_ASSIGN(const auto artifacts, api.hub->jobs().artifacts(job.id));
  json["artifacts"] = Json::array();
  for (const job::Artifact& artifact : artifacts) {
    json["artifacts"].push_back(Json::object({{"name", artifact.name},
                                              {"sha256", artifact.sha256},
                                              {"size_bytes", artifact.size_bytes}}));
  }
  return Response::json(json);
}

Answer cancel_job(Api& api, Request& request) {
  MORTISE_ASSIGN(const hub::Job before, api.hub->jobs().get(request.parameter("id")));
  MORTISE_TRY(api.hub->jobs().cancel(before.id));
  MORTISE_ASSIGN(const hub::Job job, api.hub->jobs().get(before.id));
  return Response::json(job.to_json(), 202);
}

// A new job with the manifest of one that ended, which starts from its last checkpoint.
Answer resume_job(Api& api, Request& request) {
  MORTISE_ASSIGN(const hub::Job before, api.hub->jobs().get(request.parameter("id")));
  if (before.state != "failed" && before.state != "cancelled") {
    return Error(Code::kFailedPrecondition, "Job " + before.id + " is " + before.state +
                                                ", only a failed or cancelled one "
                                                "can be resumed.");
  }
  if (before.kind != "train") {
    return Error(Code::kFailedPrecondition,
                 "Job " + before.id + " is of kind " + before.kind + " and has no checkpoints.",
                 "Submit it again.");
  }
  MORTISE_ASSIGN(const job::Manifest manifest,
                 job::check_manifest(before.manifest, "the manifest of job " + before.id));
  MORTISE_ASSIGN(const hub::Job job, api.hub->jobs().submit({manifest, "", before.id, ""}));
  Response response = Response::json(job.to_json(), 201);
  response.headers.emplace_back("Location", "/api/v1/jobs/" + job.id);
  return response;
}

Answer follow_job(Api& api, Request& request) {
  MORTISE_ASSIGN(const hub::Job job, api.hub->jobs().get(request.parameter("id")));
  int64_t after = 0;
  const std::string last = request.header("last-event-id");
  for (const char c : last) {
    if (c < '0' || c > '9' || last.size() > 17) {
      return Error(Code::kInvalidArgument, "Last-Event-ID is not an id of this stream.");
    }
    after = after * 10 + (c - '0');
  }
  Response response;
  response.content_type = "text/event-stream";
  response.stream = [&api, id = job.id, after](Sink& sink) {
    return Follower(api, id, after).run(sink);
  };
  return response;
}

// The log from byte `offset`; at most 1 MiB, the offset to go on with in X-Next-Offset.
Answer show_log(Api& api, Request& request) {
  MORTISE_ASSIGN(const hub::Job job, api.hub->jobs().get(request.parameter("id")));
  MORTISE_ASSIGN(const int64_t offset, request.query_integer("offset", 0, 0, INT64_C(1) << 50));
  Response response;
  response.content_type = "text/plain; charset=utf-8";
  auto file = api.hub->files().open(base::join_path(attempt_folder(api, job), job::kLogFile),
                                    base::OpenMode::kRead);
  if (file.ok()) {
    response.body.resize(kLogBytesMax);
    MORTISE_ASSIGN(const size_t got,
                   (*file)->read_at(static_cast<uint64_t>(offset),
                                    std::as_writable_bytes(std::span(response.body))));
    response.body.resize(got);
  } else if (file.error().code != Code::kNotFound) {
    return std::move(file).error();
  }
  response.headers.emplace_back(
      "X-Next-Offset", std::to_string(offset + static_cast<int64_t>(response.body.size())));
  return response;
}

Answer list_metrics(Api& api, Request& request) {
  MORTISE_ASSIGN(const hub::Job job, api.hub->jobs().get(request.parameter("id")));
  MORTISE_ASSIGN(int64_t after, request.query_integer("after_step", -1, -1, INT64_MAX));
  MORTISE_ASSIGN(after, request.query_integer("cursor", after, -1, INT64_MAX));
  MORTISE_ASSIGN(const int64_t limit, request.query_integer("limit", 10'000, 1, 10'000));
  job::LineFollower lines(api.hub->files(),
                          base::join_path(attempt_folder(api, job), job::kMetricsFile));
  Json items = Json::array();
  for (;;) {
    MORTISE_ASSIGN(const auto some, lines.read());
    if (some.empty()) break;
    for (const std::string& line : some) {
      auto value = base::parse_json(line);
      if (!value.ok() || (*value)["step"].as_int() <= after) continue;
      if (static_cast<int64_t>(items.size()) == limit) {
        const Json last = items.at(items.size() - 1)["step"];
        return Response::json(
            Json::object({{"items", std::move(items)}, {"next_cursor", last.dump()}}));
      }
      items.push_back(std::move(*value));
    }
  }
  return Response::json(Json::object({{"items", std::move(items)}, {"next_cursor", Json()}}));
}

Answer list_artifacts(Api& api, Request& request) {
  MORTISE_ASSIGN(const hub::Job job, api.hub->jobs().get(request.parameter("id")));
  MORTISE_ASSIGN(const auto artifacts, api.hub->jobs().artifacts(job.id));
  Json items = Json::array();
  for (const job::Artifact& artifact : artifacts) {
    items.push_back(Json::object({{"name", artifact.name},
                                  {"sha256", artifact.sha256},
                                  {"size_bytes", artifact.size_bytes}}));
  }
  return Response::json(Json::object({{"items", std::move(items)}, {"next_cursor", Json()}}));
}

Answer download_artifact(Api& api, Request& request) {
  MORTISE_ASSIGN(const hub::Job job, api.hub->jobs().get(request.parameter("id")));
  const std::string name = request.parameter("name");
  for (const Json& object : job.record["objects"].items()) {
    if (object["name"].as_string() != name) continue;
    Response response;
    response.content_type = "application/octet-stream";
    MORTISE_ASSIGN(response.content,
                   sealed_content(api, object["domain"].as_string(), object["object"].as_string()));
    return response;
  }
  MORTISE_ASSIGN(const auto artifacts, api.hub->jobs().artifacts(job.id));
  for (const job::Artifact& artifact : artifacts) {
    if (artifact.name != name) continue;
    Response response;
    response.content_type = "application/octet-stream";
    response.headers.emplace_back("X-Content-SHA256", artifact.sha256);
    MORTISE_ASSIGN(hub::MadeFiles made, hub::files_of_attempt(*api.hub, job.id, job.attempt));
    MORTISE_ASSIGN(
        response.content,
        file_content(made.files, base::join_path(base::join_path(attempt_folder(api, job),
                                                                 job::kArtifactsFolder),
                                                 artifact.path)));
    return response;
  }
  return hub::not_found("artifact", name, "mortise job show lists them.");
}

Answer list_endpoints(Api& api, Request&) {
  hub::Page<hub::Endpoint> page;
  MORTISE_ASSIGN(page.items, api.hub->endpoints().list());
  return page_response(page);
}

// {"name", "model", "adapter"?, "generation"?, "resources"?}
Answer create_endpoint(Api& api, Request& request) {
  MORTISE_ASSIGN(Json body, request.read_json());
  body["kind"] = "serve";
  add_device(body, api.device);
  MORTISE_ASSIGN(const job::Manifest manifest,
                 job::check_manifest(std::move(body), "request body"));
  MORTISE_ASSIGN(const job::Manifest pinned, pin_references(api, manifest));
  MORTISE_ASSIGN(const hub::Endpoint endpoint, api.hub->endpoints().start(pinned.name, pinned));
  Response response = Response::json(endpoint.to_json(), 201);
  response.headers.emplace_back("Location", "/api/v1/endpoints/" + endpoint.name);
  return response;
}

Answer show_endpoint(Api& api, Request& request) {
  MORTISE_ASSIGN(const hub::Endpoint endpoint, api.hub->endpoints().get(request.parameter("name")));
  return Response::json(endpoint.to_json());
}

Answer delete_endpoint(Api& api, Request& request) {
  MORTISE_TRY(api.hub->endpoints().stop(request.parameter("name")));
  return no_content();
}

}  // namespace mortise::server
