// See verify.h.
#include "hub/verify.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "hub/verify_files.h"

namespace mortise::hub {
namespace {

using base::Code;
using base::Error;
using base::Json;
using base::Result;
using base::Status;

constexpr std::array<const char*, 4> kParts = {"rows", "media", "originals", "report"};
constexpr uint64_t kNamesAtOnce = 256;
constexpr std::string_view kFiles = "files:";  // a cursor behind the last version

struct Subject {
  std::string id, version, manifest, digest, domain;
  int64_t row_count = 0, media_count = 0;
  std::array<std::string, 4> refs;    // of kParts
  std::array<std::string, 4> before;  // of the version before; empty when there is none
};

// Where the next call goes on: a version, one of kParts, and the group or name in it.
struct Place {
  std::string version;
  size_t part = 0;
  uint64_t index = 0;
  std::string text() const {
    return version + ":" + std::to_string(part) + ":" + std::to_string(index);
  }
};

Result<Place> parse_place(const std::string& text) {
  Place place;
  const size_t colon = text.find(':'), second = text.find(':', colon + 1);
  const auto number = [&](size_t begin, size_t end, auto& value) {
    const auto read = std::from_chars(text.data() + begin, text.data() + end, value);
    return read.ec == std::errc() && read.ptr == text.data() + end;
  };
  if (colon == std::string::npos || second == std::string::npos ||
      !number(colon + 1, second, place.part) || !number(second + 1, text.size(), place.index) ||
      place.part >= kParts.size()) {
    return Error(Code::kInvalidArgument, "The cursor is none of ours.",
                 "Give the one that the last answer had, or none.")
        .at_field("/cursor");
  }
  place.version = text.substr(0, colon);
  return place;
}

constexpr std::string_view kVersionColumns =
    "SELECT v.id, d.name, v.number, v.manifest, v.digest, v.row_count, v.media_count, v.domain,"
    " v.rows_ref, v.media_ref, v.originals_ref, v.report_ref"
    " FROM versions v JOIN datasets d ON d.id = v.dataset_id ";
constexpr std::string_view kFirst =
    "WHERE v.state <> 'shredded' AND ?1 = '' ORDER BY v.dataset_id, v.number LIMIT 1";
constexpr std::string_view kAt = "WHERE v.id = ?1 AND v.state <> 'shredded'";
constexpr std::string_view kNext =
    "JOIN versions p ON p.id = ?1 WHERE (v.dataset_id, v.number) > (p.dataset_id, p.number)"
    " AND v.state <> 'shredded' ORDER BY v.dataset_id, v.number LIMIT 1";
constexpr const char* kBefore =
    "SELECT b.rows_ref, b.media_ref, b.originals_ref, b.report_ref FROM versions v"
    " JOIN versions b ON b.dataset_id = v.dataset_id WHERE v.id = ?1 AND b.number < v.number AND"
    " b.domain = v.domain AND b.state <> 'shredded' ORDER BY b.number DESC LIMIT 1";

Result<std::optional<Subject>> find_subject(Database& database, std::string_view which,
                                            const std::string& id) {
  std::optional<Subject> found;
  MORTISE_TRY(database.read([&](Connection& connection) -> Status {
    MORTISE_TRY(connection.run(
        std::string(kVersionColumns) + std::string(which), {id}, [&](const Row& row) {
          found = Subject{.id = row.text(0),
                          .version = row.text(1) + "@" + std::to_string(row.integer(2)),
                          .manifest = row.text(3),
                          .digest = row.text(4),
                          .domain = row.text(7),
                          .row_count = row.integer(5),
                          .media_count = row.integer(6),
                          .refs = {row.text(8), row.text(9), row.text(10), row.text(11)},
                          .before = {}};
        }));
    if (!found) return {};
    MORTISE_TRY(connection.run(kBefore, {found->id}, [&](const Row& row) {
      found->before = {row.text(0), row.text(1), row.text(2), row.text(3)};
    }));
    return {};
  }));
  return found;
}

// Reads from a place on until the budget is spent.
class Walk {  // [serial]
 public:
  Walk(Hub& hub, VerifyReport& report, uint64_t bytes_max)
      : hub_(&hub), report_(&report), bytes_max_(bytes_max) {}

  bool is_spent() const { return report_->bytes_read >= bytes_max_; }

  // Whether the version was read to its end; else `place` is where to go on.
  Result<bool> version(const Subject& subject, bool alone, Place& place) {
    subject_ = &subject;
    if (place.part == 0 && place.index == 0) check_manifest();
    auto domain = hub_->domains().open(subject.domain);
    if (!domain.ok()) {
      MORTISE_TRY(note("key", "", std::move(domain.error())));
      return true;
    }
    domain_ = *domain;
    for (; place.part < kParts.size(); ++place.part, place.index = 0) {
      const std::string& ref = subject.refs[place.part];
      const auto same = std::find(subject.refs.begin(), subject.refs.begin() + place.part, ref);
      const bool is_read = same != subject.refs.begin() + place.part ||
                           (!alone && ref == subject.before[place.part]);
      if (ref.empty() || is_read) continue;
      MORTISE_ASSIGN(const bool is_done, part(ref, place));
      if (!is_done) return false;
    }
    return true;
  }

 private:
  void add(std::string part, std::string name, std::string message) {
    report_->findings.push_back(
        {subject_->version, std::move(part), std::move(name), std::move(message)});
  }
  Status note(std::string part, std::string name, Error error) {
    if (!is_damage(error.code)) return error;
    add(std::move(part), std::move(name), error.text());
    return {};
  }

  void check_manifest() {
    const auto manifest = base::parse_json(subject_->manifest);
    if (!manifest.ok()) return add("manifest", "", manifest.error().text());
    const std::string digest =
        "sha256:" + base::to_hex(base::sha256(base::as_bytes(manifest->canonical())));
    if (digest != subject_->digest) {
      return add("manifest", "",
                 "It has the digest " + digest + ", the database says " + subject_->digest + ".");
    }
    for (size_t i = 0; i < 3; ++i) {
      if ((*manifest)[kParts[i]]["object"].as_string() != subject_->refs[i]) {
        add("manifest", kParts[i], "It names another object than the database.");
      }
    }
    if ((*manifest)["domain"].as_string() != subject_->domain) {
      add("manifest", "domain", "It names another domain than the database.");
    }
  }

  // One object from its first byte to its last.
  Status object(const char* part, const std::string& name, const store::ObjectRef& ref) {
    ++report_->objects;
    report_->bytes_read += ref.size_bytes;
    const Status read = domain_->verify(ref);
    return read.ok() ? read : note(part, name, read.error());
  }

  Result<bool> part(const std::string& text, Place& place) {
    const char* const name = kParts[place.part];
    const auto ref = store::parse_object_ref(text);
    if (!ref.ok()) {
      MORTISE_TRY(note(name, "", ref.error()));
      return true;
    }
    if (place.index == 0) MORTISE_TRY(object(name, "", *ref));
    if (place.part == 3) return true;
    auto done = place.part == 0 ? rows(*ref, place) : names(*ref, place);
    if (done.ok()) return done;
    MORTISE_TRY(note(name, "", std::move(done.error())));
    return true;
  }

  Result<bool> rows(const store::ObjectRef& ref, Place& place) {
    MORTISE_ASSIGN(const store::RowTable table, store::RowTable::open(domain_, ref));
    if (place.index == 0 && table.row_count() != static_cast<uint64_t>(subject_->row_count)) {
      add("rows", "",
          "The table has " + std::to_string(table.row_count()) + " rows, the database says " +
              std::to_string(subject_->row_count) + ".");
    }
    MORTISE_ASSIGN(const store::DomainKey key, hub_->store().key_of(subject_->domain));
    const store::RowHash hash(key);
    while (place.index < table.groups().size()) {
      const store::RowGroup& group = table.groups()[place.index];
      const std::string name = "rows " + std::to_string(group.first_row + 1) + "-" +
                               std::to_string(group.first_row + group.row_count);
      const Status read = check_group(table, group, hash);
      ++report_->objects;
      report_->bytes_read += group.ref.size_bytes;
      if (!read.ok()) MORTISE_TRY(note("rows", name, read.error()));
      if (++place.index < table.groups().size() && is_spent()) return false;
    }
    return true;
  }

  static Status check_group(const store::RowTable& table, const store::RowGroup& group,
                            const store::RowHash& hash) {
    MORTISE_ASSIGN(const auto ids, table.ids(group.first_row, group.row_count));
    return table.visit(
        group.first_row, group.row_count, [&](uint64_t row, std::string_view text) -> Status {
          if (hash.of(text) == ids[row - group.first_row]) return {};
          return Error(Code::kDataLoss,
                       "Row " + std::to_string(row + 1) + " is not the one that its id names.");
        });
  }

  Result<bool> names(const store::ObjectRef& ref, Place& place) {
    const char* const part = kParts[place.part];
    MORTISE_ASSIGN(const store::NameTable table, store::NameTable::open(domain_, ref));
    const bool is_counted = place.part == 1 && place.index == 0;
    if (is_counted && table.count() != static_cast<uint64_t>(subject_->media_count)) {
      add(part, "",
          "The table has " + std::to_string(table.count()) + " names, the database says " +
              std::to_string(subject_->media_count) + ".");
    }
    while (place.index < table.count()) {
      MORTISE_ASSIGN(const auto entries, table.entries(place.index, kNamesAtOnce));
      for (const store::NamedObject& entry : entries) {
        MORTISE_TRY(object(part, entry.name, entry.ref));
        if (++place.index < table.count() && is_spent()) return false;
      }
    }
    return true;
  }

  Hub* hub_;
  VerifyReport* report_;
  uint64_t bytes_max_;
  const Subject* subject_ = nullptr;
  std::shared_ptr<store::Domain> domain_;
};

// All that there is to read; answers the files beside the store.
Result<HomeFiles> count_all(Database& database, VerifyReport& report) {
  HomeFiles named;
  MORTISE_TRY(database.read([&](Connection& connection) -> Status {
    MORTISE_TRY(connection.run(
        "SELECT count(*) FROM versions WHERE state <> 'shredded'", {},
        [&](const Row& row) { report.versions_total = static_cast<uint64_t>(row.integer(0)); }));
    MORTISE_ASSIGN(named, read_home_files(connection));
    return {};
  }));
  report.models_total = named.models.size();
  report.jobs_total = static_cast<uint64_t>(std::ranges::count_if(
      named.jobs, [](const JobFiles& job) { return !job.artifacts.empty(); }));
  return named;
}

// From where versions ended, or from the place that a cursor of such a call says.
Status read_files(Hub& hub, const HomeFiles& named, const std::string& from, uint64_t bytes_max,
                  VerifyReport& report) {
  MORTISE_ASSIGN(const std::string rest, verify_files(hub, named, from, bytes_max, report));
  if (!rest.empty()) report.cursor = std::string(kFiles) + rest;
  return {};
}

}  // namespace

Json VerifyReport::to_json() const {
  Json found = Json::array();
  for (const VerifyFinding& finding : findings) {
    found.push_back(Json::object({{"version", finding.version},
                                  {"part", finding.part},
                                  {"name", finding.name},
                                  {"message", finding.message}}));
  }
  return Json::object({{"versions", versions},
                       {"versions_total", versions_total},
                       {"models", models},
                       {"models_total", models_total},
                       {"jobs", jobs},
                       {"jobs_total", jobs_total},
                       {"objects", objects},
                       {"bytes_read", bytes_read},
                       {"findings", std::move(found)},
                       {"cursor", cursor.empty() ? Json() : Json(cursor)}});
}

Result<VerifyReport> verify(Hub& hub, const VerifyOptions& options) {
  VerifyReport report;
  Database& database = hub.database();
  const bool alone = !options.reference.empty();
  HomeFiles named;
  report.versions_total = 1;
  if (!alone) {
    MORTISE_ASSIGN(named, count_all(database, report));
  }
  if (options.cursor.starts_with(kFiles) && !alone) {
    MORTISE_TRY(
        read_files(hub, named, options.cursor.substr(kFiles.size()), options.bytes_max, report));
    return report;
  }
  Place place;
  std::optional<Subject> subject;
  if (!options.cursor.empty()) {
    MORTISE_ASSIGN(place, parse_place(options.cursor));
    MORTISE_ASSIGN(subject, find_subject(database, kAt, place.version));
    if (!subject && !alone) {  // shredded since
      MORTISE_ASSIGN(subject, find_subject(database, kNext, place.version));
      place = {};
    }
  } else if (alone) {
    MORTISE_ASSIGN(const Version version, hub.datasets().resolve(options.reference));
    MORTISE_ASSIGN(subject, find_subject(database, kAt, version.id));
  } else {
    MORTISE_ASSIGN(subject, find_subject(database, kFirst, ""));
  }
  Walk walk(hub, report, options.bytes_max);
  while (subject) {
    place.version = subject->id;
    MORTISE_ASSIGN(const bool is_done, walk.version(*subject, alone, place));
    if (is_done) {
      ++report.versions;
      if (alone) break;
      MORTISE_ASSIGN(subject, find_subject(database, kNext, place.version));
      place = {};
      if (!subject) break;
      place.version = subject->id;
    }
    if (is_done && !walk.is_spent()) continue;
    report.cursor = place.text();
    return report;
  }
  if (alone) return report;
  if (walk.is_spent()) {
    report.cursor = kFiles;
  } else {
    MORTISE_TRY(read_files(hub, named, "", options.bytes_max, report));
  }
  return report;
}

Result<VerifyReport> verify_all(Hub& hub) {
  VerifyReport all;
  VerifyOptions options;
  do {
    MORTISE_ASSIGN(VerifyReport report, verify(hub, options));
    all.versions += report.versions;
    all.versions_total = report.versions_total;
    all.models += report.models;
    all.models_total = report.models_total;
    all.jobs += report.jobs;
    all.jobs_total = report.jobs_total;
    all.objects += report.objects;
    all.bytes_read += report.bytes_read;
    std::ranges::move(report.findings, std::back_inserter(all.findings));
    options.cursor = report.cursor;
  } while (!options.cursor.empty());
  return all;
}

}  // namespace mortise::hub
