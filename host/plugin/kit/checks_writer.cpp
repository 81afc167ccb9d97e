// The other half of a format: what is written can be read, and nothing is seen before commit.
#include <filesystem>

#include "plugin/format_writer.h"
#include "plugin/kit/check.h"
#include "plugin/kit/format_bench.h"

namespace mortise::plugin::kit {
namespace {

using base::Code;
using base::Result;

// Rows of the sample as arrays, written to `name`.
Result<FormatWriter> write_sample(const FormatBench& bench, const std::string& name) {
  MORTISE_ASSIGN(const Format format, bench.open());
  MORTISE_ASSIGN(auto writer,
                 FormatWriter::open(bench.plugin, name, format.schema(), bench.config));
  for (uint32_t shard = 0; shard < format.shards_count(); ++shard) {
    ScanOptions options;
    options.shard_index = shard;
    MORTISE_ASSIGN(FormatStream stream, format.scan(options));
    for (;;) {
      MORTISE_ASSIGN(const auto batch, stream.next());
      if (!batch) break;
      MORTISE_TRY(writer.append(*batch->get()));
    }
  }
  return writer;
}

bool is_seen(const Case& at, const std::string& name) {
  std::error_code ignored;
  return std::filesystem::exists(at.folder() + "/data/" + name, ignored);
}

Outcome written_rows_are_read(Case& at) {
  MORTISE_ASSIGN(const FormatBench bench, format_bench(at));
  const std::string name = "written_" + bench.sample.name;
  MORTISE_ASSIGN(auto writer, write_sample(bench, name));
  MORTISE_TRY(writer.commit());
  MORTISE_ASSIGN(const Format before, bench.open());
  MORTISE_ASSIGN(const auto expected, read_all(before));
  MORTISE_ASSIGN(const Format after, Format::open(bench.plugin, {name}, bench.config));
  MORTISE_ASSIGN(const auto rows, read_all(after));
  if (rows == expected) return {};
  return fail("Of " + std::to_string(expected.size()) + " rows written, " +
              std::to_string(rows.size()) + " or others are read.");
}

Outcome nothing_is_seen_before_commit(Case& at) {
  MORTISE_ASSIGN(const FormatBench bench, format_bench(at));
  const std::string name = "aborted_" + bench.sample.name;
  {
    MORTISE_ASSIGN(const auto writer, write_sample(bench, name));
    if (is_seen(at, name)) return fail("The file is seen under its name before commit.");
  }
  if (is_seen(at, name)) return fail("abort left a file under its name.");
  return {};
}

Outcome taken_name_is_refused(Case& at) {
  MORTISE_ASSIGN(const FormatBench bench, format_bench(at));
  MORTISE_ASSIGN(const Format format, bench.open());
  auto writer = FormatWriter::open(bench.plugin, bench.sample.name, format.schema(), bench.config);
  base::Status done;
  if (!writer.ok()) done = writer.error();
  if (writer.ok()) done = writer->commit();
  if (!done.ok() && done.error().code == Code::kAlreadyExists) return {};
  return fail("Writing to a name that is taken is answered with " +
              std::string(done.ok() ? "OK" : code_name(done.error().code)) +
              " instead of ALREADY_EXISTS.");
}

constexpr const char* kWriterKind = "dataset_format";
constexpr const char* kWriter = MORTISE_KIND_DATASET_FORMAT_WRITER;
constexpr Check kWriterChecks[] = {
    {"writer.written_rows_are_read", "What is written and committed is read as it was.",
     kWriterKind, kWriter, Needs::kPlugin, written_rows_are_read},
    {"writer.nothing_is_seen_before_commit", "Before commit and after abort there is no file.",
     kWriterKind, kWriter, Needs::kPlugin, nothing_is_seen_before_commit},
    {"writer.taken_name_is_refused", "A name that is taken is ALREADY_EXISTS.", kWriterKind,
     kWriter, Needs::kPlugin, taken_name_is_refused},
};

}  // namespace

std::span<const Check> writer_checks() {
  return kWriterChecks;
}

}  // namespace mortise::plugin::kit
