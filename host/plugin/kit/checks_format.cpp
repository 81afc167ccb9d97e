// Dataset formats: probing, shards, cursors, projection, damage.
#include <algorithm>
#include <map>
#include <set>
#include <thread>

#include "plugin/error_box.h"
#include "plugin/format.h"
#include "plugin/kit/check.h"
#include "plugin/kit/exercise.h"
#include "plugin/kit/format_bench.h"
#include "plugin/kit/kind_calls.h"

namespace mortise::plugin::kit {

using base::Code;
using base::Result;
using base::Status;

Result<FormatBench> format_bench(Case& at) {
  FormatBench bench;
  MORTISE_ASSIGN(bench.sample, format_sample(at));
  MORTISE_ASSIGN(bench.plugin, at.open());
  bench.config = at.config();
  return bench;
}

Result<std::vector<std::string>> read_rows(FormatStream& stream) {
  std::vector<std::string> rows;
  for (;;) {
    MORTISE_ASSIGN(const auto batch, stream.next_rows());
    if (!batch) return rows;
    for (const FormatRow& row : *batch) rows.push_back(row.json);
    if (rows.size() > 100'000) {
      return base::Error(Code::kOutOfRange, "The stream of a small sample does not end.");
    }
  }
}

Result<std::vector<std::string>> read_shard(const Format& format, const ScanOptions& options) {
  MORTISE_ASSIGN(FormatStream stream, format.scan(options));
  return read_rows(stream);
}

Result<std::vector<std::string>> read_all(const Format& format, uint64_t batch_rows_max) {
  std::vector<std::string> rows;
  for (uint32_t shard = 0; shard < format.shards_count(); ++shard) {
    ScanOptions options;
    options.shard_index = shard;
    options.batch_rows_max = batch_rows_max;
    MORTISE_ASSIGN(const auto part, read_shard(format, options));
    rows.insert(rows.end(), part.begin(), part.end());
  }
  return rows;
}

Result<std::string> exercise_format(Case& at, const std::shared_ptr<Plugin>& plugin) {
  MORTISE_ASSIGN(const SampleFile sample, format_sample(at));
  MORTISE_ASSIGN(const ProbeAnswer answer,
                 probe(*plugin, {sample.name, sample.text, sample.text.size()}));
  MORTISE_ASSIGN(const Format format, Format::open(plugin, {sample.name}, at.config()));
  std::string out = std::to_string(answer.score) + answer.reason;
  for (uint32_t shard = 0; shard < format.shards_count(); ++shard) {
    ScanOptions options;
    options.shard_index = shard;
    options.batch_rows_max = 1;
    MORTISE_ASSIGN(FormatStream stream, format.scan(options));
    MORTISE_ASSIGN(const std::string cursor, stream.cursor());
    MORTISE_ASSIGN(const auto rows, read_rows(stream));
    for (const std::string& row : rows) out += row + "\n";
    out += cursor + "\n";
  }
  return out;
}

namespace {

Outcome probe_takes_any_bytes(Case& at) {
  MORTISE_ASSIGN(const FormatBench bench, format_bench(at));
  Dice dice = at.dice(6);
  std::vector<std::string> heads = {"", "\n", std::string(65536, '\0'), std::string(65536, '{'),
                                    bench.sample.text.substr(0, bench.sample.text.size() / 2)};
  for (int i = 0; i < 60; ++i) {
    std::string bytes(dice.below(3000), '\0');
    for (char& byte : bytes) byte = static_cast<char>(dice.next());
    heads.push_back(std::move(bytes));
  }
  for (const std::string& head : heads) {
    MORTISE_ASSIGN(const ProbeAnswer answer, probe(*bench.plugin, {"x.bin", head, head.size()}));
    if (answer.score > 100) {
      return fail("probe is " + std::to_string(answer.score) + " sure; 100 is certain.");
    }
  }
  return {};
}

Outcome probe_knows_its_own(Case& at) {
  MORTISE_ASSIGN(const FormatBench bench, format_bench(at));
  std::vector<SampleFile> samples = at.samples();
  samples.resize(at.conformance()["samples"].size());  // "files" are what samples speak of
  for (const SampleFile& sample : samples) {
    MORTISE_ASSIGN(const ProbeAnswer answer,
                   probe(*bench.plugin, {sample.name, sample.text, sample.text.size()}));
    if (answer.score == 0) {
      return fail("probe does not know the pack's own sample " + sample.name + ": " +
                  answer.reason);
    }
    if (answer.reason.empty()) return fail("probe gives no reason.");
  }
  return {};
}

Outcome describe_fits_the_rows(Case& at) {
  MORTISE_ASSIGN(const FormatBench bench, format_bench(at));
  MORTISE_ASSIGN(const Format format, bench.open());
  if (format.schema().format != "+s") return fail("The schema is no struct of columns.");
  if (format.shards_count() == 0) return fail("There are 0 shards; 1 is the least.");
  MORTISE_ASSIGN(const auto rows, read_all(format));
  if (rows.empty()) return fail("The pack's own sample gives no rows.");
  const auto count = static_cast<int64_t>(rows.size());
  if (format.row_count_hint() >= 0 && format.row_count_hint() != count) {
    return warn("row_count_hint is " + std::to_string(format.row_count_hint()) + ", there are " +
                std::to_string(count) + " rows.");
  }
  const int64_t said = at.conformance()["samples"].at(0)["rows"].as_int(count);
  if (said == count) return {};
  return fail("x-conformance says " + std::to_string(said) + " rows, the stream gives " +
              std::to_string(count) + ".");
}

// Two files together are the rows of the one and the rows of the other, each once, whatever the
// shards are.
Outcome shards_unite_to_the_whole(Case& at) {
  MORTISE_ASSIGN(const FormatBench bench, format_bench(at));
  MORTISE_TRY(at.put("again_" + bench.sample.name, bench.sample.text));
  MORTISE_ASSIGN(const Format one, bench.open());
  MORTISE_ASSIGN(std::vector<std::string> expected, read_all(one));
  MORTISE_ASSIGN(
      const Format both,
      Format::open(bench.plugin, {bench.sample.name, "again_" + bench.sample.name}, bench.config));
  MORTISE_ASSIGN(std::vector<std::string> rows, read_all(both));
  if (std::set<std::string>(expected.begin(), expected.end()).size() != expected.size()) {
    return fail("The sample's rows come more than once from its " +
                std::to_string(one.shards_count()) + " shards.");
  }
  const std::vector<std::string> once = expected;
  expected.insert(expected.end(), once.begin(), once.end());
  std::sort(expected.begin(), expected.end());
  std::sort(rows.begin(), rows.end());
  if (rows == expected) return {};
  return fail("Two files hold " + std::to_string(expected.size()) + " rows, their " +
              std::to_string(both.shards_count()) + " shards together " +
              std::to_string(rows.size()) + " or others.");
}

Outcome resumes_from_any_cursor(Case& at) {
  MORTISE_ASSIGN(const FormatBench bench, format_bench(at));
  MORTISE_ASSIGN(const Format format, bench.open());
  for (uint32_t shard = 0; shard < format.shards_count(); ++shard) {
    ScanOptions options;
    options.shard_index = shard;
    options.batch_rows_max = 1;
    MORTISE_ASSIGN(const auto expected, read_shard(format, options));
    MORTISE_ASSIGN(FormatStream stream, format.scan(options));
    size_t seen = 0;
    for (;;) {
      MORTISE_ASSIGN(const std::string cursor, stream.cursor());
      if (cursor.size() > 4096) return fail("A cursor has more than 4 KiB.");
      ScanOptions later = options;
      later.cursor = cursor;
      MORTISE_ASSIGN(const auto rest, read_shard(format, later));
      const auto from = expected.begin() + static_cast<std::ptrdiff_t>(seen);
      if (!std::equal(rest.begin(), rest.end(), from, expected.end())) {
        return fail("From the cursor after row " + std::to_string(seen) + " of shard " +
                    std::to_string(shard) + " come " + std::to_string(rest.size()) +
                    " rows that are not the " + std::to_string(expected.size() - seen) +
                    " that are left.");
      }
      MORTISE_ASSIGN(const auto batch, stream.next_rows());
      if (!batch) break;
      seen += batch->size();
    }
  }
  return {};
}

Outcome damaged_cursor_is_refused(Case& at) {
  MORTISE_ASSIGN(const FormatBench bench, format_bench(at));
  MORTISE_ASSIGN(const Format format, bench.open());
  ScanOptions options;
  options.batch_rows_max = 1;
  MORTISE_ASSIGN(FormatStream stream, format.scan(options));
  MORTISE_ASSIGN(const auto first, stream.next_rows());
  MORTISE_ASSIGN(const std::string cursor, stream.cursor());
  if (cursor.empty()) return fail("The cursor after a batch is empty, which means the start.");
  for (const std::string& bad :
       {cursor.substr(0, cursor.size() / 2), "x" + cursor, std::string(64, '\xff'),
        std::string(5000, 'c'), std::string("\0\0\0\0\0\0\0\0", 8)}) {
    options.cursor = bad;
    const auto made = format.scan(options);
    if (!made.ok() && made.error().code == Code::kDataLoss) continue;
    return fail("A damaged cursor is answered with " +
                std::string(made.ok() ? "OK" : code_name(made.error().code)) +
                " instead of DATA_LOSS.");
  }
  const std::string name = "other_" + bench.sample.name;
  MORTISE_TRY(at.put(name, bench.sample.text + bench.sample.text));
  auto other = Format::open(bench.plugin, {name}, bench.config);
  if (!other.ok()) {  // a document that cannot be doubled: another file by its name only
    MORTISE_TRY(at.put(name, bench.sample.text));
    other = Format::open(bench.plugin, {name}, bench.config);
  }
  if (!other.ok()) return other.error();
  options.cursor = cursor;
  const auto made = other->scan(options);
  if (!made.ok() && made.error().code == Code::kDataLoss) return {};
  return fail("A cursor of another file is answered with " +
              std::string(made.ok() ? "OK" : code_name(made.error().code)) +
              " instead of DATA_LOSS.");
}

Outcome projection_gives_the_columns(Case& at) {
  MORTISE_ASSIGN(const FormatBench bench, format_bench(at));
  MORTISE_ASSIGN(const Format format, bench.open());
  ScanOptions options;
  options.columns = {"no such column"};
  const auto unknown = format.scan(options);
  if (unknown.ok() || unknown.error().code != Code::kInvalidArgument) {
    return fail("An unknown column is answered with " +
                std::string(unknown.ok() ? "OK" : code_name(unknown.error().code)) +
                " instead of INVALID_ARGUMENT.");
  }
  MORTISE_ASSIGN(FormatStream whole, format.scan());
  MORTISE_ASSIGN(const auto all, whole.next());
  for (const Column& column : format.schema().children) {
    options.columns = {column.name};
    MORTISE_ASSIGN(FormatStream stream, format.scan(options));
    if (stream.schema().children.size() != 1 || stream.schema().children[0].name != column.name) {
      return fail("The stream of the column " + column.name + " has another schema.");
    }
    MORTISE_ASSIGN(const auto part, stream.next());
    if (!all || !part) return fail("The first shard of the sample gives no batch.");
    const int64_t rows = std::min((*all)->length, (*part)->length);
    for (int64_t row = 0; row < rows; ++row) {
      const auto expected = row_of(whole.schema(), *all->get(), row)[column.name];
      if (row_of(stream.schema(), *part->get(), row)[column.name] == expected) continue;
      return fail("The column " + column.name + " alone has other values than among all.");
    }
  }
  return {};
}

Outcome batch_limit_is_kept(Case& at) {
  MORTISE_ASSIGN(const FormatBench bench, format_bench(at));
  MORTISE_ASSIGN(const Format format, bench.open());
  MORTISE_ASSIGN(const auto expected, read_all(format));
  ScanOptions options;
  options.batch_rows_max = 1;
  MORTISE_ASSIGN(FormatStream stream, format.scan(options));
  for (;;) {
    MORTISE_ASSIGN(const auto batch, stream.next_rows());
    if (!batch) break;
    if (batch->size() > 1) {
      return fail("batch_rows_max is 1, and a batch has " + std::to_string(batch->size()) +
                  " rows.");
    }
  }
  MORTISE_ASSIGN(const auto rows, read_all(format, 1));
  if (rows == expected) return {};
  return fail("Batches of one row hold other rows than the plugin's own batches.");
}

Outcome wrong_names_are_refused(Case& at) {
  MORTISE_ASSIGN(const FormatBench bench, format_bench(at));
  const auto missing = Format::open(bench.plugin, {"no_such_file.here"}, bench.config);
  if (missing.ok() || missing.error().code != Code::kNotFound) {
    return fail("A file that does not exist is answered with " +
                std::string(missing.ok() ? "OK" : code_name(missing.error().code)) +
                " instead of NOT_FOUND.");
  }
  MORTISE_ASSIGN(const Format format, bench.open());
  ScanOptions options;
  options.shard_index = format.shards_count();
  const auto beyond = format.scan(options);
  if (!beyond.ok() && beyond.error().code == Code::kInvalidArgument) return {};
  return fail("A shard that does not exist is answered with " +
              std::string(beyond.ok() ? "OK" : code_name(beyond.error().code)) +
              " instead of INVALID_ARGUMENT.");
}

// Any answer but a death, an endless stream, a broken array or INTERNAL.
Outcome hostile_files_are_survived(Case& at) {
  MORTISE_ASSIGN(const FormatBench bench, format_bench(at));
  const std::string& whole = bench.sample.text;
  Dice dice = at.dice(7);
  for (int round = 0; round < 150; ++round) {
    std::string bytes = whole.substr(0, round % 2 == 0 ? dice.below(whole.size()) : whole.size());
    const uint64_t changes = round % 2 == 0 ? 0 : 1 + dice.below(5);
    for (uint64_t i = 0; i < changes; ++i) {
      bytes[dice.below(bytes.size())] = static_cast<char>(dice.next());
    }
    const std::string name = "hostile_" + bench.sample.name;
    MORTISE_TRY(at.put(name, bytes));
    const auto format = Format::open(bench.plugin, {name}, bench.config);
    if (!format.ok() && format.error().code == Code::kInternal) return format.error();
    if (!format.ok()) continue;
    const auto rows = read_all(*format);
    if (rows.ok()) continue;
    if (rows.error().code == Code::kInternal || rows.error().code == Code::kOutOfRange) {
      return rows.error();
    }
    if (rows.error().message.find("no message") != std::string::npos) {
      return fail("A stream that fails on a damaged file gives no words: stream_error is empty.");
    }
  }
  return {};
}

// Two streams of one shard in turns.
Outcome streams_are_independent(Case& at) {
  MORTISE_ASSIGN(const FormatBench bench, format_bench(at));
  MORTISE_ASSIGN(const Format format, bench.open());
  ScanOptions options;
  options.batch_rows_max = 1;
  MORTISE_ASSIGN(const auto expected, read_shard(format, options));
  MORTISE_ASSIGN(FormatStream one, format.scan(options));
  MORTISE_ASSIGN(FormatStream other, format.scan(options));
  std::vector<std::string> rows;
  for (;;) {
    MORTISE_ASSIGN(const auto batch, one.next_rows());
    MORTISE_ASSIGN(const auto ignored, other.next_rows());
    if (!batch) break;
    for (const FormatRow& row : *batch) rows.push_back(row.json);
  }
  if (rows == expected) return {};
  return fail("Two streams of one shard, read in turns, take rows from each other.");
}

Outcome describe_is_repeatable(Case& at) {
  MORTISE_ASSIGN(const FormatBench bench, format_bench(at));
  MORTISE_ASSIGN(const Format one, bench.open());
  MORTISE_ASSIGN(FormatStream stream, one.scan());
  MORTISE_ASSIGN(const Format other, bench.open());
  const auto names = [](const Column& schema) {
    std::string text;
    for (const Column& column : schema.children) text += column.name + ":" + column.format + " ";
    return text;
  };
  if (names(one.schema()) != names(other.schema())) return fail("describe gives another schema.");
  if (names(one.schema()) == names(stream.schema())) return {};
  return fail("describe tells the columns " + names(one.schema()) + "and the stream has " +
              names(stream.schema()) + ".");
}

constexpr const char* kFormatKind = "dataset_format";
constexpr Check kFormatChecks[] = {
    {"format.probe_takes_any_bytes", "probe fails on no bytes and is at most 100 sure.",
     kFormatKind, "", Needs::kPlugin, probe_takes_any_bytes},
    {"format.probe_knows_its_own", "probe knows the pack's own samples and says why.", kFormatKind,
     "", Needs::kPlugin, probe_knows_its_own},
    {"format.describe_fits_the_rows", "What describe tells is what the streams give.", kFormatKind,
     "", Needs::kPlugin, describe_fits_the_rows},
    {"format.describe_is_repeatable", "The schema is the same each time and in the stream.",
     kFormatKind, "", Needs::kPlugin, describe_is_repeatable},
    {"format.shards_unite_to_the_whole", "All shards together give every row once.", kFormatKind,
     "", Needs::kPlugin, shards_unite_to_the_whole},
    {"format.resumes_from_any_cursor", "From each cursor exactly the remaining rows come.",
     kFormatKind, "", Needs::kPlugin, resumes_from_any_cursor},
    {"format.damaged_cursor_is_refused", "A damaged or foreign cursor is DATA_LOSS.", kFormatKind,
     "", Needs::kPlugin, damaged_cursor_is_refused},
    {"format.projection_gives_the_columns", "A projection gives its columns, an unknown one none.",
     kFormatKind, "", Needs::kPlugin, projection_gives_the_columns},
    {"format.batch_limit_is_kept", "No batch has more rows than asked for.", kFormatKind, "",
     Needs::kPlugin, batch_limit_is_kept},
    {"format.wrong_names_are_refused", "Missing files and shards are refused by the right code.",
     kFormatKind, "", Needs::kPlugin, wrong_names_are_refused},
    {"format.hostile_files_are_survived", "Cut and changed files do no harm.", kFormatKind, "",
     Needs::kPlugin, hostile_files_are_survived},
    {"format.streams_are_independent", "Two streams of one shard know nothing of each other.",
     kFormatKind, "", Needs::kPlugin, streams_are_independent},
};

}  // namespace

std::span<const Check> format_checks() {
  return kFormatChecks;
}

}  // namespace mortise::plugin::kit
