// The handlers of all routes, by topic. Each takes what it needs from Api and answers with values;
// routes.cpp is the one table that names them.
#pragma once

#include <memory>
#include <string>

#include "hub/hub.h"
#include "server/http.h"

namespace mortise::server {

class TransferLocks;

struct Api {
  hub::Hub* hub = nullptr;
  std::string token;  // the owner's; empty: ENABLE_AUTH=false
  std::string version;
  std::string device;                // of jobs that name none
  int64_t started_ns = 0;            // monotonic
  int64_t headroom_bytes = -1;       // of the disk, kept free of uploads; -1: 5 %, at most 10 GiB
  const HttpServer* http = nullptr;  // for its figures
  std::shared_ptr<TransferLocks> locks;
};

using Answer = base::Result<Response>;

// limit and cursor of a list.
base::Result<hub::PageRequest> page_of(const Request& request);
// {"items": [...], "next_cursor": text or null}
template <class T>
base::Json page_json(const hub::Page<T>& page) {
  base::Json items = base::Json::array();
  for (const T& item : page.items) items.push_back(item.to_json());
  return base::Json::object(
      {{"items", std::move(items)},
       {"next_cursor", page.next_cursor.empty() ? base::Json() : base::Json(page.next_cursor)}});
}
template <class T>
Response page_response(const hub::Page<T>& page) {
  return Response::json(page_json(page));
}
Response names_response(const hub::Page<store::NamedObject>& page);
// An object of the store as it is sent. Errors: NOT_FOUND, DATA_LOSS.
base::Result<Content> sealed_content(Api& api, const std::string& domain,
                                     const std::string& object);
Response no_content();
// The report of a check, as the query's "format" says: json or html (one page, no script).
Answer report_answer(Api& api, const Request& request, const std::string& domain,
                     const std::string& object);

Answer healthz(Api& api, Request& request);
Answer readyz(Api& api, Request& request);
Answer metrics(Api& api, Request& request);
Answer openapi(Api& api, Request& request);
Answer show_server(Api& api, Request& request);

Answer list_datasets(Api& api, Request& request);
Answer show_dataset(Api& api, Request& request);
Answer show_version_report(Api& api, Request& request);
Answer change_dataset(Api& api, Request& request);
Answer delete_dataset(Api& api, Request& request);
Answer list_versions(Api& api, Request& request);
Answer create_version(Api& api, Request& request);
Answer release_version(Api& api, Request& request);
Answer withdraw_version(Api& api, Request& request);
Answer restore_version(Api& api, Request& request);
Answer list_rows(Api& api, Request& request);
Answer download_rows(Api& api, Request& request);
Answer search_version(Api& api, Request& request);
Answer list_media(Api& api, Request& request);
Answer download_media(Api& api, Request& request);
Answer list_originals(Api& api, Request& request);
Answer download_original(Api& api, Request& request);
Answer show_lineage(Api& api, Request& request);
Answer diff_datasets(Api& api, Request& request);

Answer care_for_store(Api& api, Request& request);

Answer list_uploads(Api& api, Request& request);
Answer create_upload(Api& api, Request& request);
Answer show_upload(Api& api, Request& request);
Answer show_upload_report(Api& api, Request& request);
Answer delete_upload(Api& api, Request& request);
Answer list_upload_files(Api& api, Request& request);
Answer delete_upload_file(Api& api, Request& request);
Answer commit_upload(Api& api, Request& request);

bool is_tus(const Request& request);  // by its headers
Answer tus_options(Api& api, Request& request);
Answer create_transfer(Api& api, Request& request);
Answer head_transfer(Api& api, Request& request);
Answer patch_transfer(Api& api, Request& request);
Answer delete_transfer(Api& api, Request& request);

Answer list_models(Api& api, Request& request);
Answer create_model(Api& api, Request& request);
Answer show_model(Api& api, Request& request);
Answer delete_model(Api& api, Request& request);
Answer download_model_file(Api& api, Request& request);

Answer list_jobs(Api& api, Request& request);
Answer create_job(Api& api, Request& request);
Answer show_job(Api& api, Request& request);
Answer cancel_job(Api& api, Request& request);
Answer resume_job(Api& api, Request& request);
Answer follow_job(Api& api, Request& request);
Answer show_log(Api& api, Request& request);
Answer list_metrics(Api& api, Request& request);
Answer list_artifacts(Api& api, Request& request);
Answer download_artifact(Api& api, Request& request);

Answer list_endpoints(Api& api, Request& request);
Answer create_endpoint(Api& api, Request& request);
Answer show_endpoint(Api& api, Request& request);
Answer delete_endpoint(Api& api, Request& request);

Answer create_file(Api& api, Request& request);
Answer list_stored_files(Api& api, Request& request);
Answer show_file(Api& api, Request& request);
Answer download_file(Api& api, Request& request);
Answer delete_file(Api& api, Request& request);
Answer create_assembly(Api& api, Request& request);
Answer create_part(Api& api, Request& request);
Answer complete_assembly(Api& api, Request& request);
Answer cancel_assembly(Api& api, Request& request);
Answer add_stored_file(Api& api, Request& request);

Answer openai_models(Api& api, Request& request);
Answer openai_model(Api& api, Request& request);
Answer openai_chat(Api& api, Request& request);

}  // namespace mortise::server
