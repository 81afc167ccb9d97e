// `mortise bench check`: how fast rows are checked, beside what bounds it, in one run. Rows are
// made here; nothing is read from the user. Prints one JSON line; figures are MB (10^6) of rows
// file per second of one core.
#include <sys/resource.h>
#include <unistd.h>

#include <cstring>
#include <fstream>

#include "app/mortise-worker/context.h"
#include "base/clock.h"
#include "base/json_read.h"
#include "base/version.h"
#include "ingest/duplicates.h"
#include "ingest/ingest.h"
#include "ingest/plugin_rows.h"
#include "ingest/row_check.h"
#include "ingest/tape_shape.h"

namespace mortise::worker {
namespace {

using base::Json;
using base::Result;
using base::Status;

double cpu_s() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// Resident memory now, from /proc/self/statm.
int64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  int64_t pages = 0, resident = 0;
  file >> pages >> resident;
  return resident * ::sysconf(_SC_PAGESIZE);
}

// The best of three: other programs may want the machine. Whole MB a second of CPU.
template <class Act>
Result<int64_t> rate(size_t size_bytes, const Act& act) {
  double best = 0;
  for (int round = 0; round < 3; ++round) {
    const double begin = cpu_s();
    MORTISE_TRY(act());
    best = std::max(best, static_cast<double>(size_bytes) / 1e6 / std::max(cpu_s() - begin, 1e-9));
  }
  return static_cast<int64_t>(best);
}

// Words drawn from a vocabulary of 20,000, a few of them Chinese; the same rows in every run.
class Words {
 public:
  std::string text(size_t count) {
    std::string out;
    for (size_t i = 0; i < count; ++i) {
      const uint64_t word = next() % 20'000;
      out += i == 0 ? "" : i % 17 == 0 ? ". " : " ";
      if (word % 19 == 0) {
        out += "\xE8\x82\xBA\xE9\x83\xA8";  // "lungs"
      } else {
        for (uint64_t left = word * word + 27; left > 0; left /= 26) {
          out += static_cast<char>('a' + left % 26);
        }
      }
    }
    return out;
  }

 private:
  uint64_t next() {  // splitmix64, Steele, Lea and Flood 2014
    uint64_t z = state_ += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
  }
  uint64_t state_ = 7;
};

// Conversations of one question and one answer, about 620 bytes a row.
std::string make_rows(int64_t count) {
  Words words;
  std::string rows;
  for (int64_t i = 0; i < count; ++i) {
    rows += R"({"messages":[{"role":"user","content":")" + words.text(20) +
            R"(?"},{"role":"assistant","content":")" + words.text(70) + "\"}]}\n";
  }
  return rows;
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = text.find('\n', begin);
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

// What a whole check is made of, one part at a time.
Result<Json> parts_of(const std::string& text, const ingest::FieldMap& map) {
  const std::vector<std::string_view> lines = lines_of(text);
  base::RowReader reader;
  ingest::TapeShape shape(map);
  MORTISE_ASSIGN(ingest::RowCheck check, ingest::RowCheck::open("sft"));
  const auto each = [&](const auto& act) -> Status {
    for (const std::string_view line : lines) {
      MORTISE_ASSIGN(const base::TapeValue value, reader.scan(line));
      MORTISE_TRY(act(value));
    }
    return {};
  };
  const auto bad = [] { return base::Error(base::Code::kInternal, "A bench row was refused."); };
  std::string copy(text.size(), '\0');
  MORTISE_ASSIGN(const int64_t copied, rate(text.size(), [&]() -> Status {
                   std::memcpy(copy.data(), text.data(), text.size());
                   return {};
                 }));
  MORTISE_ASSIGN(const int64_t parsed, rate(text.size(), [&] {
                   return each([](base::TapeValue) -> Status { return {}; });
                 }));
  MORTISE_ASSIGN(const int64_t judged, rate(text.size(), [&] {
                   return each([&](base::TapeValue value) -> Status {
                     const auto shaped = shape.shape(value);
                     if (!shaped || !check.surely_accepts(*shaped)) return bad();
                     return {};
                   });
                 }));
  MORTISE_ASSIGN(const int64_t compared, rate(text.size(), [&] {
                   ingest::Duplicates duplicates;
                   uint32_t number = 0;
                   return each([&](base::TapeValue value) -> Status {
                     (void)duplicates.add(value, number++);
                     return {};
                   });
                 }));
  return Json::object({{"memcpy_mb_s", copied},
                       {"parse_mb_s", parsed},
                       {"parse_schema_rules_mb_s", judged},
                       {"parse_copies_mb_s", compared}});
}

Result<ingest::IngestResult> check_file(Context& context, const std::string& name) {
  ingest::PluginRows rows(
      1, [&](size_t) { return context.registry.open_format("mortise.format_jsonl", {name}, {}); },
      "");
  const ingest::LocalFiles none(context.files, {});
  ingest::IngestRequest request;
  request.task_type = "sft";
  request.rows_names = {name};
  request.upload = &none;
  return ingest::run_ingest(rows, request, {});
}

}  // namespace

// arguments: {rows}
Result<job::TaskResult> bench_check(Context& context) {
  const int64_t count = context.argument("rows").as_int(100'000);
  MORTISE_TRY(context.services.grant("bench", context.task_folder));
  std::string text = make_rows(count);
  MORTISE_TRY(base::write_file_durably(context.files,
                                       base::join_path(context.task_folder, "rows.jsonl"), text));
  MORTISE_ASSIGN(const ingest::FieldMap map,
                 ingest::propose_field_map(
                     "sft", {base::parse_json(text.substr(0, text.find('\n'))).value()}, {}));
  MORTISE_ASSIGN(Json line, parts_of(text, map));
  const size_t size = text.size();
  text = {};
  MORTISE_ASSIGN(const int64_t read, rate(size, [&]() -> Status {
                   ingest::PluginRows rows(
                       1,
                       [&](size_t) {
                         return context.registry.open_format("mortise.format_jsonl",
                                                             {"bench/rows.jsonl"}, {});
                       },
                       "");
                   ingest::RowSource::Row row;
                   for (bool more = true; more;) {
                     MORTISE_ASSIGN(more, rows.next(row));
                   }
                   return {};
                 }));
  const int64_t before = resident_bytes();
  int64_t held = 0;
  MORTISE_ASSIGN(const int64_t whole, rate(size, [&]() -> Status {
                   MORTISE_ASSIGN(const auto done, check_file(context, "bench/rows.jsonl"));
                   held = std::max(held, resident_bytes());
                   if (done.report.bad_rows_count == 0) return {};
                   return base::Error(base::Code::kInternal, "A bench row was refused.");
                 }));
  line["format_mb_s"] = read;
  line["check_mb_s"] = whole;
  line["bench"] = "check";
  line["rows"] = count;
  line["size_bytes"] = static_cast<int64_t>(size);
  line["resident_before_bytes"] = before;
  line["resident_bytes"] = held;
  line["version"] = base::kVersion;
  MORTISE_TRY(context.print(line.dump() + "\n"));
  job::TaskResult result;
  result.ok = true;
  return result;
}

}  // namespace mortise::worker
