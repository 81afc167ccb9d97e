// Nanoseconds a call: through the plugin's own table (direct), through the host's traced table, and
// through the guarded one. Prints one JSON line; exit code 1 when traced - direct is over 10 ns
// (median).
#include <mortise/draft/device_ops.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "base/crypto.h"
#include "plugin/error_box.h"
#include "plugin/plugin.h"

namespace mortise::plugin {
namespace {

pack::Decision decision() {
  pack::Decision decision;
  decision.library_path = MORTISE_BENCH_PLUGIN;
  decision.library.sha256 = base::to_hex(base::sha256_file(MORTISE_BENCH_PLUGIN).value());
  decision.manifest.version = "1.0.0";
  decision.manifest.root = "/";
  decision.plugin.id = "com.example.nothing";
  return decision;
}

std::shared_ptr<Plugin> plugin(bool is_guarded) {
  static HostServices services;
  LoadOptions options;
  options.is_guarded = is_guarded;
  auto loaded = load(decision(), services, options);
  if (loaded.ok()) return *loaded;
  std::fprintf(stderr, "%s\n", loaded.error().text().c_str());
  std::exit(1);
}

constexpr int kCalls = 200'000, kRounds = 31;
constexpr double kOverheadMaxNs = 10;

// One operation of one table, prepared.
class Launch {
 public:
  explicit Launch(const mortise_device_ops* table) : table_(table) {
    mortise_op_query query{};
    query.struct_size = sizeof query;
    table_->prepare(&query, &op_, error_.get());
    call_.struct_size = sizeof call_;
  }
  ~Launch() { table_->op_destroy(op_); }
  double nanoseconds() {
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < kCalls; ++i) {
      if (table_->launch(op_, &call_, error_.get()) != MORTISE_STATUS_OK) std::abort();
    }
    const std::chrono::duration<double, std::nano> spent = std::chrono::steady_clock::now() - begin;
    return spent.count() / kCalls;
  }

 private:
  const mortise_device_ops* table_;
  mortise_op* op_ = nullptr;
  mortise_op_call call_{};
  ErrorBox error_;
};

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + values.size() / 2, values.end());
  return values[values.size() / 2];
}

// The three in turn, so that whatever else the machine does meets them all.
int run() {
  const auto bare = plugin(false), watched = plugin(true);
  Launch direct(static_cast<const mortise_device_ops*>(bare->raw_interface(MORTISE_DEVICE_OPS)));
  Launch traced(bare->get_interface<mortise_device_ops>(MORTISE_DEVICE_OPS).value());
  Launch guarded(watched->get_interface<mortise_device_ops>(MORTISE_DEVICE_OPS).value());
  std::vector<double> direct_ns, overhead_ns, guarded_ns;
  for (int round = 0; round < kRounds; ++round) {
    direct_ns.push_back(direct.nanoseconds());
    overhead_ns.push_back(traced.nanoseconds() - direct_ns.back());
    guarded_ns.push_back(guarded.nanoseconds());
  }
  const double overhead = median(overhead_ns);
  std::printf(
      "{\"bench\": \"abi_call\", \"direct_ns\": %.2f, \"overhead_ns\": %.2f, \"overhead_ns_max\": "
      "%.0f, "
      "\"guarded_ns\": %.2f, \"calls\": %d, \"rounds\": %d}\n",
      median(direct_ns), overhead, kOverheadMaxNs, median(guarded_ns), kCalls, kRounds);
  return overhead <= kOverheadMaxNs ? 0 : 1;
}

}  // namespace
}  // namespace mortise::plugin

int main() {
  return mortise::plugin::run();
}
