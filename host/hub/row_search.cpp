// See row_search.h.
#include "hub/row_search.h"

namespace mortise::hub {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

Result<Job> begin_row_search(Hub& hub, const std::string& reference, const job::RowFilter& filter,
                             int64_t matches_max) {
  MORTISE_ASSIGN(const job::RowMatcher matcher, job::RowMatcher::make(filter));
  if (matcher.takes_all()) {
    return Error(Code::kInvalidArgument, "The filter takes every row.",
                 "Give grep, where or split, or fetch rows.jsonl.")
        .at_field("/grep");
  }
  if (matches_max < 1 || matches_max > kMatchesMax) {
    return Error(Code::kInvalidArgument, "The limit is " + std::to_string(matches_max) +
                                             ", it must be from 1 to " +
                                             std::to_string(kMatchesMax) + ".")
        .at_field("/limit");
  }
  MORTISE_ASSIGN(const Version version, hub.datasets().resolve(reference));
  if (version.state == "withdrawn") {
    return Error(Code::kFailedPrecondition, version.reference() + " was withdrawn.",
                 "Name another version; mortise dataset restore brings it back.");
  }
  MORTISE_ASSIGN(const auto domain, hub.domains().open_to_store(version.domain));
  MORTISE_ASSIGN(const store::ObjectRef query,
                 domain->put(base::as_bytes(filter.to_json().dump())));
  MORTISE_TRY(domain->sync());
  MORTISE_ASSIGN(const job::Manifest manifest,
                 job::check_manifest(
                     Json::object({{"kind", "search"},
                                   {"dataset", version.reference()},
                                   {"search", Json::object({{"domain", version.domain},
                                                            {"query", to_text(query)},
                                                            {"matches_max", matches_max}})}})));
  return hub.jobs().submit({manifest, "", "", ""});
}

}  // namespace mortise::hub
