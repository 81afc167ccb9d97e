// What the checks of formats and of their writers share.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "plugin/format.h"
#include "plugin/kit/case.h"

namespace mortise::plugin::kit {

struct FormatBench {
  std::shared_ptr<Plugin> plugin;
  base::Json config;
  SampleFile sample;

  base::Result<Format> open() const { return Format::open(plugin, {sample.name}, config); }
};

base::Result<FormatBench> format_bench(Case& at);

// Rows as JSON texts, up to the end. Errors: the stream's; OUT_OF_RANGE when it does not end.
base::Result<std::vector<std::string>> read_rows(FormatStream& stream);
base::Result<std::vector<std::string>> read_shard(const Format& format, const ScanOptions& options);
base::Result<std::vector<std::string>> read_all(const Format& format, uint64_t batch_rows_max = 0);

}  // namespace mortise::plugin::kit
