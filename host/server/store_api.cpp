// POST /api/v1/store/{verb}: care for the sealed store. See api.h and hub/upkeep.h.
#include <array>

#include "hub/scrub.h"
#include "hub/upkeep.h"
#include "hub/verify.h"
#include "server/api.h"

namespace mortise::server {
namespace {

using base::Code;
using base::Error;
using base::Json;

constexpr int64_t kGraceSeconds = 24 * 3600, kGraceSecondsMax = INT64_C(366) * 24 * 3600;

Answer compact_store(Api& api, const Json& body) {
  store::CompactOptions options;
  const int64_t grace = body["grace_seconds"].as_int(kGraceSeconds);
  if (grace < 0 || grace > kGraceSecondsMax) {
    return Error(Code::kInvalidArgument, "The grace is " + std::to_string(grace) + " seconds.",
                 "Give 0 to " + std::to_string(kGraceSecondsMax) + ".")
        .at_field("/grace_seconds");
  }
  options.grace_ns = grace * INT64_C(1'000'000'000);
  options.dead_share_max = body["dead_share_max"].as_double(options.dead_share_max);
  MORTISE_ASSIGN(const hub::CompactFacts facts, hub::compact(*api.hub, options));
  return Response::json(Json::object({{"segments_rewritten", facts.segments_rewritten},
                                      {"segments_removed", facts.segments_removed},
                                      {"segments_young", facts.segments_young},
                                      {"segments_damaged", facts.segments_damaged},
                                      {"domains_busy", facts.domains_busy},
                                      {"chunks_kept", facts.chunks_kept},
                                      {"chunks_dropped", facts.chunks_dropped},
                                      {"bytes_freed", facts.bytes_freed}}));
}

Answer scrub_store(Api& api, const Json& body) {
  MORTISE_ASSIGN(const hub::ScrubReport report,
                 hub::scrub(*api.hub, {.cursor = body["cursor"].as_string(),
                                       .bytes_per_second = body["bytes_per_second"].as_uint(0)}));
  return Response::json(report.to_json());
}

Answer verify_store(Api& api, const Json& body) {
  MORTISE_ASSIGN(const hub::VerifyReport report,
                 hub::verify(*api.hub, {.reference = body["reference"].as_string(),
                                        .cursor = body["cursor"].as_string()}));
  return Response::json(report.to_json());
}

Answer unlock_store(Api& api, const Json& body) {
  MORTISE_TRY(
      api.hub->key_lock().unlock(body["passphrase"].as_string(), body["new"].as_bool(false)));
  return Response::json(Json::object({{"keys", "unlocked"}}));
}

Answer back_up_store(Api& api, const Json& body) {
  const std::string& target = body["target"].as_string();
  if (!target.starts_with('/')) {
    return Error(Code::kInvalidArgument, "The folder of a backup is an absolute path.",
                 "Give \"target\", as in \"/mnt/backup/mortise\".")
        .at_field("/target");
  }
  MORTISE_ASSIGN(const hub::BackupFacts facts, hub::backup(*api.hub, target));
  return Response::json(Json::object({{"target", target},
                                      {"domains", facts.domains},
                                      {"segments_copied", facts.segments_copied},
                                      {"segments_kept", facts.segments_kept},
                                      {"models", facts.models},
                                      {"jobs", facts.jobs},
                                      {"files_copied", facts.files_copied},
                                      {"files_kept", facts.files_kept},
                                      {"bytes_copied", facts.bytes_copied}}));
}

Answer rotate_keys(Api& api, const Json&) {
  MORTISE_ASSIGN(const store::RotationFacts facts, api.hub->keyring().rotate());
  return Response::json(Json::object({{"kek_version", int64_t{facts.kek_version}},
                                      {"rewrapped", facts.rewrapped},
                                      {"unreadable", facts.unreadable},
                                      {"keks_removed", facts.keks_removed}}));
}

Answer shred_dataset(Api& api, const Json& body) {
  MORTISE_ASSIGN(const Json certificate, hub::shred(*api.hub, body["dataset"].as_string()));
  return Response::json(certificate);
}

struct StoreVerb {
  std::string_view name;
  Answer (*run)(Api&, const Json&);
};
constexpr std::array<StoreVerb, 7> kVerbs = {{{"compact", compact_store},
                                              {"scrub", scrub_store},
                                              {"verify", verify_store},
                                              {"unlock", unlock_store},
                                              {"backup", back_up_store},
                                              {"rotate", rotate_keys},
                                              {"shred", shred_dataset}}};

}  // namespace

Answer care_for_store(Api& api, Request& request) {
  const std::string verb = request.parameter("verb");
  MORTISE_ASSIGN(const Json body, request.read_json());
  for (const StoreVerb& known : kVerbs) {
    if (known.name == verb) return known.run(api, body);
  }
  return hub::not_found("verb of the store", verb,
                        "compact, scrub, verify, backup, rotate, shred or unlock.");
}

}  // namespace mortise::server
