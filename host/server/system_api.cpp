// Health, figures, the description of the API, and the parts that all topics share. See api.h.
#include "base/file_ops.h"
#include "schemas/schemas.h"
#include "server/api.h"

namespace mortise::server {
namespace {

using base::Json;

constexpr uint64_t kHeadroomBytes = 256u << 20;

uint64_t free_bytes(const std::string& folder) {
  const auto disk = base::disk_space(folder);
  return disk.ok() ? disk->free_bytes : 0;
}

Response plain(std::string text, std::string type, int status = 200) {
  Response response;
  response.status = status;
  response.content_type = std::move(type);
  response.body = std::move(text);
  return response;
}

}  // namespace

base::Result<hub::PageRequest> page_of(const Request& request) {
  hub::PageRequest page;
  MORTISE_ASSIGN(page.limit, request.query_integer("limit", 50, 1, 1000));
  page.cursor = request.query_value("cursor");
  return page;
}

Response names_response(const hub::Page<store::NamedObject>& page) {
  Json items = Json::array();
  for (const store::NamedObject& entry : page.items) {
    items.push_back(Json::object({{"name", entry.name},
                                  {"object", to_text(entry.ref)},
                                  {"size_bytes", entry.ref.size_bytes}}));
  }
  return Response::json(
      Json::object({{"items", std::move(items)},
                    {"next_cursor", page.next_cursor.empty() ? Json() : Json(page.next_cursor)}}));
}

base::Result<Content> sealed_content(Api& api, const std::string& domain,
                                     const std::string& object) {
  MORTISE_ASSIGN(const store::ObjectRef ref, store::parse_object_ref(object));
  MORTISE_ASSIGN(const auto opened, api.hub->domains().open(domain));
  MORTISE_ASSIGN(auto made, opened->open_object(ref));
  const auto reader = std::make_shared<store::ObjectReader>(std::move(made));
  return Content{reader->size_bytes(), [reader](uint64_t offset, std::span<std::byte> buffer) {
                   return reader->read_at(offset, buffer);
                 }};
}

Response no_content() {
  Response response;
  response.status = 204;
  return response;
}

Answer healthz(Api&, Request&) {
  return plain("ok\n", "text/plain");
}

Answer readyz(Api& api, Request&) {
  hub::Database& database = api.hub->database();
  const bool answers = database.read([](hub::Connection&) { return base::Status(); }).ok();
  const bool writes = answers && !database.is_degraded();
  const bool disk = free_bytes(api.hub->home()) > kHeadroomBytes;
  const bool keys = api.hub->key_lock().is_unlocked();
  const Json state =
      Json::object({{"ready", writes && disk && keys},
                    {"database", writes ? "ok" : (answers ? "takes no writes" : "does not answer")},
                    {"disk", disk ? "ok" : "full"},
                    {"keys", keys ? "unlocked" : "locked"},
                    {"isolation_level", "L0"}});
  return Response::json(state, writes && disk && keys ? 200 : 503);
}

Answer metrics(Api& api, Request&) {
  MORTISE_ASSIGN(const Json jobs, api.hub->jobs().counts());
  std::string text = "# TYPE mortise_jobs gauge\n";
  for (const auto& [state, count] : jobs.members()) {
    text += "mortise_jobs{state=\"" + state + "\"} " + count.dump() + "\n";
  }
  if (api.http != nullptr) {
    text += "# TYPE mortise_http_requests_total counter\nmortise_http_requests_total " +
            std::to_string(api.http->requests_count()) + "\n";
  }
  text += "# TYPE mortise_disk_free_bytes gauge\nmortise_disk_free_bytes " +
          std::to_string(free_bytes(api.hub->home())) + "\n";
  return plain(std::move(text), "text/plain; version=0.0.4");
}

Answer openapi(Api&, Request&) {
  return plain(std::string(schemas::text("openapi.yaml")), "application/yaml");
}

Answer show_server(Api& api, Request& request) {
  return Response::json(Json::object({{"version", api.version},
                                      {"subject", request.subject},
                                      {"profile", "solo"},
                                      {"isolation_level", "L0"}}));
}

}  // namespace mortise::server
