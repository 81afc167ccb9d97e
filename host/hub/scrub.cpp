// See scrub.h.
#include "hub/scrub.h"

#include <algorithm>

namespace mortise::hub {
namespace {

using base::Code;
using base::Error;
using base::Json;
using base::Result;
using base::Status;

constexpr uint64_t kSecondsOfCall = 2;

// "DOMAIN:CURSOR OF THE STORE"; the second is empty where a domain begins.
struct ScrubPlace {
  std::string domain, within;
  std::string text() const { return domain + ":" + within; }
};

Result<ScrubPlace> parse_scrub_place(const std::string& text) {
  if (text.empty()) return ScrubPlace{};
  const size_t colon = text.find(':');
  if (colon != std::string::npos && colon > 0) {
    return ScrubPlace{.domain = text.substr(0, colon), .within = text.substr(colon + 1)};
  }
  return Error(Code::kInvalidArgument, "The cursor is none of ours.",
               "Give the one that the last answer had, or none.")
      .at_field("/cursor");
}

uint64_t bytes_of_segments(Hub& hub, const std::string& domain) {
  uint64_t bytes = 0;
  const auto files = hub.files().list(hub.store().folder_of(domain));
  if (!files.ok()) return 0;  // of a total for eyes; reading will say why
  for (const base::FileInfo& file : *files) bytes += file.size_bytes;
  return bytes;
}

class ScrubWalk {  // [serial]
 public:
  ScrubWalk(Hub& hub, const ScrubOptions& options, ScrubReport& report)
      : hub_(hub), report_(report), limits_{options.bytes_max, options.bytes_per_second} {
    if (limits_.bytes_per_second == 0) return;
    limits_.bytes_max = std::min(limits_.bytes_max, limits_.bytes_per_second * kSecondsOfCall);
  }

  bool is_spent() const { return report_.bytes_read >= limits_.bytes_max; }

  // A domain from `within` on; answers where to go on, "" when it was read to its end.
  Result<std::string> read(const std::string& id, const std::string& within) {
    auto report = read_segments(id, within);
    if (!report.ok()) {
      const Code code = report.error().code;
      const bool says_nothing_of_it =
          code == Code::kFailedPrecondition || code == Code::kResourceExhausted ||
          (code == Code::kInvalidArgument && !within.empty());  // the cursor
      if (says_nothing_of_it) return std::move(report).error();
      MORTISE_ASSIGN(const bool has_key, hub_.keyring().contains(id));
      if (has_key) note(id, report.error());  // else shredded meanwhile
      return std::string();
    }
    report_.chunks_ok += report->chunks_ok;
    report_.bytes_read += report->bytes_read;
    for (store::ScrubFinding& finding : report->findings) {
      report_.findings.push_back({id, std::move(finding)});
    }
    return std::move(report->cursor);
  }

 private:
  Result<store::ScrubReport> read_segments(const std::string& id, const std::string& within) {
    MORTISE_ASSIGN(const auto domain, hub_.domains().open(id));
    const Status finished = within.empty() ? domain->finish_segment() : Status();
    if (!finished.ok()) note(id, finished.error());  // the others can be read all the same
    store::ScrubLimits left = limits_;
    left.bytes_max -= report_.bytes_read;
    return store::scrub(*domain, within, left);
  }
  void note(const std::string& domain, const Error& error) {
    ScrubFinding finding{.domain = domain, .found = {}};
    finding.found.message = error.text();
    report_.findings.push_back(std::move(finding));
  }

  Hub& hub_;
  ScrubReport& report_;
  store::ScrubLimits limits_;
};

const char* state_of(const store::ScrubFinding& finding) {
  if (finding.segment.empty()) return "unreadable";
  return finding.is_missing ? "missing" : "corrupt";
}

}  // namespace

Json ScrubReport::to_json() const {
  Json all = Json::array();
  for (const auto& [domain, found] : findings) {
    all.push_back(Json::object({{"domain", domain},
                                {"segment", found.segment},
                                {"chunk", base::to_hex(found.chunk)},
                                {"byte_offset", found.byte_offset},
                                {"state", state_of(found)},
                                {"message", found.message}}));
  }
  return Json::object({{"domains", domains},
                       {"domains_total", domains_total},
                       {"chunks_ok", chunks_ok},
                       {"bytes_read", bytes_read},
                       {"bytes_total", bytes_total},
                       {"findings", std::move(all)},
                       {"cursor", cursor.empty() ? Json() : Json(cursor)}});
}

Result<ScrubReport> scrub(Hub& hub, const ScrubOptions& options) {
  MORTISE_ASSIGN(const ScrubPlace from, parse_scrub_place(options.cursor));
  MORTISE_ASSIGN(auto ids, hub.keyring().list());
  std::ranges::sort(ids);
  ScrubReport report;
  report.domains_total = ids.size();
  for (const std::string& id : ids) report.bytes_total += bytes_of_segments(hub, id);
  ScrubWalk walk(hub, options, report);
  for (auto id = std::ranges::lower_bound(ids, from.domain); id != ids.end(); ++id) {
    if (walk.is_spent()) {
      report.cursor = ScrubPlace{*id, ""}.text();
      return report;
    }
    MORTISE_ASSIGN(const std::string within,
                   walk.read(*id, *id == from.domain ? from.within : std::string()));
    if (!within.empty()) {
      report.cursor = ScrubPlace{*id, within}.text();
      return report;
    }
    ++report.domains;
  }
  return report;
}

}  // namespace mortise::hub
