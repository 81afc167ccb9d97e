// A run that is small enough for tests: a llama of two layers with seeded weights, eight rows of
// tokens, in a folder of its own.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/file_ops.h"
#include "base/json.h"
#include "engine/model/layout.h"
#include "engine/op/counter_rng.h"
#include "engine/op/device.h"
#include "engine/op/node.h"
#include "engine/train/train.h"
#include "engine/weights/safetensors.h"

namespace mortise::engine {

class TinyRun : public ::testing::Test {
 protected:
  void SetUp() override {
    set_compute_threads(1);
    const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
    folder_ = (std::filesystem::temp_directory_path() /
               ("mortise_train_" + std::to_string(getpid()) + "_" + info->name()))
                  .string();
    std::filesystem::create_directories(folder_ + "/model");
    write_model();
    write_rows(8);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void write_model() {
    base::Json config = *base::parse_json(R"({
      "architectures": ["LlamaForCausalLM"], "model_type": "llama",
      "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2,
      "num_attention_heads": 2, "num_key_value_heads": 1, "max_position_embeddings": 64,
      "rms_norm_eps": 1e-6, "rope_theta": 10000.0, "tie_word_embeddings": false,
      "torch_dtype": "float32", "hidden_act": "silu", "bos_token_id": 1, "eos_token_id": 2})");
    config["vocab_size"] = vocabulary_;
    std::ofstream(folder_ + "/model/config.json") << config.dump(2);
    const auto parsed = parse_config(config);
    ASSERT_TRUE(parsed.ok()) << parsed.error().text();
    std::vector<TensorBytes> tensors;
    std::vector<std::vector<float>> values;
    const auto layout = layout_of(*parsed);
    values.reserve(layout.size());
    for (size_t i = 0; i < layout.size(); ++i) {
      int64_t count = 1;
      for (const int64_t side : layout[i].shape) count *= side;
      const CounterRng random(5, i);
      auto& v = values.emplace_back();
      for (int64_t j = 0; j < count; ++j) {
        const double noise = random.normal(static_cast<uint64_t>(j)) * 0.2;
        v.push_back(static_cast<float>(layout[i].init == Init::kOnes ? 1 : noise));
      }
      tensors.push_back({layout[i].name, "F32", layout[i].shape,
                         std::as_bytes(std::span<const float>(values.back()))});
    }
    ASSERT_TRUE(write_safetensors(base::posix_file_ops(), folder_ + "/model/model.safetensors",
                                  tensors, {{"format", "pt"}})
                    .ok());
  }

  void write_rows(int count) {
    std::ofstream rows(folder_ + "/rows.jsonl");
    const CounterRng random(9);
    uint64_t draw = 0;
    for (int r = 0; r < count; ++r) {
      base::Json ids = base::Json::array();
      for (int t = 0; t < 6 + r % 3; ++t) {
        ids.push_back(static_cast<int64_t>(random.below(draw++, 40)));
      }
      rows << base::Json::object({{"input_ids", ids}}).dump() << "\n";
    }
    std::ofstream(folder_ + "/dataset.json")
        << R"({"rows_file": "rows.jsonl", "task_type": "tokens", "media": {}})";
  }

  // train: fields that differ from what these tests usually want.
  base::Json manifest(const char* train, const char* method = R"({"type": "lora", "r": 4,
                      "lora_alpha": 8, "lora_dropout": 0.1, "target_modules": "all-linear"})") {
    base::Json settings = *base::parse_json(R"({"max_steps": 7,
        "per_device_train_batch_size": 2, "learning_rate": 0.01, "precision": "fp32",
        "lr_scheduler_type": "linear", "warmup_ratio": 0.1, "weight_decay": 0.01,
        "save_steps": 2, "freeze": []})");
    const base::Json changes = *base::parse_json(train);
    for (const auto& [name, value] : changes.members()) settings[name] = value;
    return base::Json::object({{"kind", "train"},
                               {"method", *base::parse_json(method)},
                               {"train", settings},
                               {"holdout", base::Json::object({{"ratio", 0.0}})}});
  }

  base::Result<TrainResult> run(const base::Json& manifest, const std::string& output,
                                const TrainHooks& hooks = {},
                                base::FileOps& files = base::posix_file_ops()) {
    Device device(ops_);
    TrainRequest request;
    request.manifest = manifest;
    request.model_folder = folder_ + "/model";
    request.dataset_file = folder_ + "/dataset.json";
    request.output_folder = folder_ + "/" + output;
    request.device = &device;
    request.facts = facts_;
    request.encoder = encoder_;
    request.preference = preference_;
    auto result = run_training(files, base::system_clock(), request, hooks);
    counts_ = device.counts();
    return result;
  }

  std::string bytes_of(const std::string& path) const {
    std::ifstream file(folder_ + "/" + path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  std::vector<base::Json> metrics_of(const std::string& output) const {
    std::vector<base::Json> out;
    std::ifstream lines(folder_ + "/" + output + "/metrics.jsonl");
    for (std::string line; std::getline(lines, line);) out.push_back(*base::parse_json(line));
    return out;
  }
  void expect_same_run(const std::string& a, const std::string& b) const {
    const auto left = metrics_of(a), right = metrics_of(b);
    ASSERT_EQ(left.size(), right.size());
    for (size_t s = 0; s < left.size(); ++s) {
      for (const char* field : {"step", "epoch", "loss", "grad_norm", "learning_rate", "tokens",
                                "labelled_tokens", "examples", "rewards/margins"}) {
        EXPECT_EQ(left[s][field].dump(), right[s][field].dump()) << field << " of step " << s + 1;
      }
    }
    for (const char* file : {"/adapter/adapter_model.safetensors", "/model/model.safetensors"}) {
      EXPECT_TRUE(bytes_of(a + file) == bytes_of(b + file)) << file;
    }
  }

  // A run killed in any of its seven steps and started again leaves what the whole run leaves.
  void expect_exact_resume(const base::Json& manifest) {
    base::Json unthreaded = manifest;
    unthreaded["train"]["dataloader_num_workers"] = 0;
    const auto whole = run(manifest, "whole");
    ASSERT_TRUE(whole.ok()) << whole.error().text();
    for (int64_t at = 1; at < 7; ++at) {
      const std::string output = "killed" + std::to_string(at);
      const pid_t child = fork();
      if (child == 0) {  // dies in the middle of step `at` + 1, with nothing cleaned up
        TrainHooks hooks;
        hooks.progress = [&](const TrainProgress& p) {
          if (p.step == at) kill(getpid(), SIGKILL);
        };
        (void)run(unthreaded, output, hooks);
        _exit(0);
      }
      int status = 0;
      waitpid(child, &status, 0);
      ASSERT_TRUE(WIFSIGNALED(status));

      const auto result = run(manifest, output);

      ASSERT_TRUE(result.ok()) << result.error().text();
      EXPECT_EQ(result->resumed_at, (at - 1) / 2 * 2);  // step 2, 4, 6: saved after its report
      expect_same_run("whole", output);
    }
  }

  int64_t vocabulary_ = 40;
  const Encoder* encoder_ = nullptr;                    // of rows of text
  const plugin::PreferenceLoss* preference_ = nullptr;  // of rows of preference or kto
  std::string folder_;
  base::Json facts_;                         // of the worker: packs and tokenizer
  const mortise_device_ops* ops_ = nullptr;  // of the device; none: libtorch composes
  std::map<std::string, OpCounts> counts_;   // of the last run
};

}  // namespace mortise::engine
