// Tokens a second of one LoRA micro-batch (forward, loss, backward; no optimiser), through
// device_cpu and through the host's own composition, in turn, so that both see the same machine.
// Prints one JSON line. Rows are 200 tokens of which the last 60 are labelled, packed end to end.

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "engine/model/model.h"
#include "engine/model/presets.h"
#include "engine/op/counter_rng.h"
#include "engine/op/failure.h"
#include "tests/support/cpu_pack.h"

namespace {

using namespace mortise;
using namespace mortise::engine;
using base::Json;

constexpr int32_t kRow = 200, kAnswer = 60;
constexpr int64_t kRank = 16;
constexpr int kRounds = 4;  // the first is not counted

struct MicroBatch {
  TextInputs inputs;
  at::Tensor rows, labels;
};

MicroBatch make_batch(int64_t vocabulary, int32_t tokens) {
  const CounterRng random(17);
  std::vector<int32_t> ids, bounds = {0}, rows, labels;
  MicroBatch batch;
  for (int32_t t = 0; t < tokens; ++t) {
    ids.push_back(static_cast<int32_t>(
        random.below(static_cast<uint64_t>(t), static_cast<uint64_t>(vocabulary))));
    batch.inputs.positions.push_back(t % kRow);
    if (t % kRow >= kRow - kAnswer && t % kRow < kRow - 1) {
      rows.push_back(t);
      labels.push_back(ids.back());
    }
    if ((t + 1) % kRow == 0 || t + 1 == tokens) bounds.push_back(t + 1);
  }
  batch.inputs.ids = int_tensor(ids);
  batch.inputs.bounds = Bounds::of(std::move(bounds));
  batch.rows = int_tensor(rows);
  batch.labels = int_tensor(labels);
  return batch;
}

// Factors on every linear layer of every block, as the peers' scripts put them.
std::vector<std::unique_ptr<LoraFactors>> attach(Model& model) {
  std::vector<std::unique_ptr<LoraFactors>> all;
  for (Linear* linear : model.linears) {
    if (!linear->weight.defined() || linear->name == "lm_head") continue;
    auto factors = std::make_unique<LoraFactors>();
    const auto options = at::TensorOptions().dtype(at::kFloat);
    factors->a = linear->weight.narrow(0, 0, kRank).to(options).clone().set_requires_grad(true);
    factors->b = linear->weight.narrow(1, 0, kRank).to(options).clone().set_requires_grad(true);
    factors->scale = 2;
    linear->lora = factors.get();
    all.push_back(std::move(factors));
  }
  return all;
}

double seconds_of(Device& device, const Model& model, const MicroBatch& batch) {
  const auto start = std::chrono::steady_clock::now();
  Pass pass{.device = &device, .training = true};
  const TextOutputs out = run_text(pass, model, batch.inputs);
  loss_of(pass, model, out.last, batch.rows, batch.labels).backward();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

Json counts_of(const Device& device) {
  Json counts = Json::object();
  for (const auto& [name, value] : device.counts()) {
    counts[name] = Json::object(
        {{"native", value.native}, {"composed", value.composed}, {"fallback", value.fallback}});
  }
  return counts;
}

int run(const std::string& preset, int32_t tokens) {
  const std::string folder =
      std::filesystem::temp_directory_path() / ("mortise_bench_" + preset + "_seed17");
  base::FileOps& files = base::posix_file_ops();
  const auto made = new_model(files, {.preset = preset, .seed = 17}, folder);
  if (!made.ok() && made.error().code != base::Code::kAlreadyExists) take(made);
  const auto model = take(load_model(files, folder));
  const auto factors = attach(*model);
  const MicroBatch batch = make_batch(model->config.text->vocab_size, tokens);
  Device composed, native(tests::cpu_pack_ops());
  double best_composed = 1e9, best_native = 1e9;
  for (int round = 0; round < kRounds; ++round) {
    const double a = seconds_of(native, *model, batch), b = seconds_of(composed, *model, batch);
    if (round == 0) continue;
    best_native = std::min(best_native, a);
    best_composed = std::min(best_composed, b);
  }
  const Json line = Json::object({{"bench", "engine_step"},
                                  {"preset", preset},
                                  {"tokens", static_cast<int64_t>(tokens)},
                                  {"labelled", static_cast<int64_t>(batch.rows.size(0))},
                                  {"device_cpu_tokens_s", tokens / best_native},
                                  {"composed_tokens_s", tokens / best_composed},
                                  {"calls", counts_of(native)}});
  std::printf("%s\n", line.dump().c_str());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const auto status = guarded([&]() -> base::Status {
    (void)run(argc > 1 ? argv[1] : "qwen2-60m", argc > 2 ? std::atoi(argv[2]) : 1600);
    return {};
  });
  if (!status.ok()) std::fprintf(stderr, "%s\n", status.error().text().c_str());
  return status.ok() ? 0 : 1;
}
