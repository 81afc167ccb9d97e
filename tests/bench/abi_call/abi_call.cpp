// Nanoseconds a call: through the plugin's own table (direct), through the host's traced table, and
// through the guarded one. The promise is traced - direct <= 10 ns (median of repetitions).
#include <benchmark/benchmark.h>
#include <mortise/draft/device_ops.h>

#include <cstdio>
#include <cstdlib>

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

void run(benchmark::State& state, const mortise_device_ops* table) {
  mortise_op_query query{};
  query.struct_size = sizeof query;
  mortise_op* op = nullptr;
  ErrorBox error;
  table->prepare(&query, &op, error.get());
  mortise_op_call call{};
  call.struct_size = sizeof call;
  for (auto _ : state) benchmark::DoNotOptimize(table->launch(op, &call, error.get()));
  table->op_destroy(op);
}

void direct(benchmark::State& state) {
  run(state,
      static_cast<const mortise_device_ops*>(plugin(false)->raw_interface(MORTISE_DEVICE_OPS)));
}
void traced(benchmark::State& state) {
  run(state, plugin(false)->get_interface<mortise_device_ops>(MORTISE_DEVICE_OPS).value());
}
void guarded(benchmark::State& state) {
  run(state, plugin(true)->get_interface<mortise_device_ops>(MORTISE_DEVICE_OPS).value());
}
BENCHMARK(direct);
BENCHMARK(traced);
BENCHMARK(guarded);

}  // namespace
}  // namespace mortise::plugin

BENCHMARK_MAIN();
