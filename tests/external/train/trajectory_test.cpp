// Whole runs on the goldens' batches, as jobs on rows of tokens: loss, gradient norm and rate of
// every step, and the weights at the end.
#include <ATen/TensorOperators.h>
#include <ATen/ops/abs.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <sstream>

#ifdef MORTISE_WITH_DEVICE_CPU
#include "tests/support/cpu_pack.h"
#endif
#include "engine/train/train.h"
#include "tests/external/engine/golden_case.h"

namespace mortise::engine {
namespace {

using base::Json;

class Trajectory : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    MORTISE_NEED_FIXTURES();
    const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
    std::string name = "mortise_trajectory_" + std::to_string(getpid()) + "_" + info->name();
    for (char& c : name) c = c == '/' ? '_' : c;
    folder_ = (std::filesystem::temp_directory_path() / name).string();
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override {
    if (!folder_.empty()) std::filesystem::remove_all(folder_);
  }

  // The batches [D, micro-batch, row, token] as rows in the order of training.
  void write_rows(const at::Tensor& ids_in, const at::Tensor& mask_in, const at::Tensor& labels_in,
                  const at::Tensor& pixels) {
    const int64_t tokens = ids_in.size(-1);
    const at::Tensor ids = ids_in.reshape({-1, tokens}), mask = mask_in.reshape({-1, tokens}),
                     labels = labels_in.reshape({-1, tokens});
    std::ofstream rows(folder_ + "/rows.jsonl");
    Json media = Json::object();
    int64_t image = 0;
    for (int64_t r = 0; r < ids.size(0); ++r) {
      Json row = Json::object({{"input_ids", Json::array()}, {"labels", Json::array()}});
      for (int64_t t = 0; t < tokens; ++t) {
        if (mask[r][t].item<int64_t>() == 0) continue;
        row["input_ids"].push_back(ids[r][t].item<int64_t>());
        row["labels"].push_back(labels[r][t].item<int64_t>());
      }
      if (sounds_ != nullptr) {
        add_sound(row, media, r);
      } else if (pictures_ != nullptr) {
        add_pictures(row, media, ids[r], r);
      } else if (pixels.defined()) {
        add_pixels(row, media, ids[r], pixels, image);
      }
      rows << row.dump() << "\n";
    }
    std::ofstream(folder_ + "/dataset.json")
        << Json::object({{"rows_file", "rows.jsonl"}, {"task_type", "tokens"}, {"media", media}})
               .dump();
  }

  // A row's own images, as many as its runs of placeholders say.
  void add_pixels(Json& row, Json& media, const at::Tensor& ids, const at::Tensor& pixels,
                  int64_t& image) {
    const auto count = ids.eq(image_token_).sum().item<int64_t>() / tokens_per_image_;
    if (count == 0) return;
    const std::string name = "pixels" + std::to_string(image) + ".safetensors";
    ASSERT_TRUE(save_tensors(base::posix_file_ops(), folder_ + "/" + name,
                             {{"pixel_values", pixels.narrow(0, image, count)}})
                    .ok());
    image += count;
    row["tensors"] = name;
    media[name] = name;
  }

  // The one clip of a row.
  void add_sound(Json& row, Json& media, int64_t r) {
    const std::string name = "sound" + std::to_string(r) + ".safetensors";
    NamedTensors tensors;
    for (const char* key : {"input_features", "feature_attention_mask"}) {
      tensors.emplace_back(key, sounds_->tensor(std::string("in.") + key).narrow(0, r, 1));
    }
    ASSERT_TRUE(save_tensors(base::posix_file_ops(), folder_ + "/" + name, tensors).ok());
    row["tensors"] = name;
    media[name] = name;
  }

  // The pictures of Qwen-VL that a row's placeholders stand for, both kinds in one file.
  void add_pictures(Json& row, Json& media, const at::Tensor& ids, int64_t r) {
    NamedTensors tensors;
    for (PictureKind& kind : kinds_) {
      const at::Tensor grids = pictures_->tensor(std::string("in.") + kind.grids);
      const auto tokens = ids.eq(kind.token).sum().item<int64_t>();
      int64_t patches = 0, count = 0;
      for (; patches / 4 < tokens; ++count) {  // a merged cell is 2 x 2 patches
        patches += grids[kind.next_grid + count].prod().item<int64_t>();
      }
      ASSERT_EQ(patches, 4 * tokens);
      if (count == 0) continue;
      const at::Tensor pixels = pictures_->tensor(std::string("in.") + kind.pixels);
      tensors.emplace_back(kind.pixels, pixels.narrow(0, kind.next_patch, patches));
      tensors.emplace_back(kind.grids, grids.narrow(0, kind.next_grid, count));
      kind.next_patch += patches;
      kind.next_grid += count;
      if (kind.grids == std::string("video_grid_thw") && pictures_->has("in.second_per_grid_ts")) {
        tensors.emplace_back("second_per_grid_ts", pictures_->tensor("in.second_per_grid_ts"));
      }
    }
    if (tensors.empty()) return;
    const std::string name = "pictures" + std::to_string(r) + ".safetensors";
    ASSERT_TRUE(save_tensors(base::posix_file_ops(), folder_ + "/" + name, tensors).ok());
    row["tensors"] = name;
    media[name] = name;
  }

  Json manifest(const Json& t, const Json& method, int64_t batch) const {
    return Json::object(
        {{"kind", "train"},
         {"method", method},
         {"train", Json::object({{"max_steps", t["steps"]},
                                 {"per_device_train_batch_size", batch},
                                 {"gradient_accumulation_steps", t["gradient_accumulation_steps"]},
                                 {"learning_rate", t["lr"]},
                                 {"lr_scheduler_type", t["schedule"]},
                                 {"warmup_steps", t["warmup_steps"]},
                                 {"weight_decay", t["weight_decay"]},
                                 {"max_grad_norm", t["max_grad_norm"]},
                                 {"packing", packing_},
                                 {"shuffle", false},
                                 {"precision", bf16_ ? "bf16" : "fp32"},
                                 {"gradient_checkpointing", recompute_},
                                 {"freeze", Json::array()}})},
         {"holdout", Json::object({{"ratio", 0.0}})}});
  }

  void train(const GoldenCase& parent, const Json& manifest, const std::string& adapter) {
    TrainRequest request;
    request.manifest = manifest;
    request.model_folder = parent.model_folder();
    request.adapter_folder = adapter;
    request.dataset_file = folder_ + "/dataset.json";
    request.output_folder = folder_ + "/out";
#ifdef MORTISE_WITH_DEVICE_CPU
    Device device(native_ ? tests::cpu_pack_ops() : nullptr);
#else
    Device device;
#endif
    request.device = &device;
    const auto result =
        run_training(base::posix_file_ops(), base::system_clock(), request, TrainHooks{});
    ASSERT_TRUE(result.ok()) << result.error().text();
    if (native_) {
      EXPECT_GT(result->ops.at("adamw").native, 0u);
      EXPECT_GT(result->ops.at("sum_squares").native, 0u);
    }
    std::ifstream lines(folder_ + "/out/metrics.jsonl");
    for (std::string line; std::getline(lines, line);) {
      metrics_.push_back(*base::parse_json(line));
    }
  }

  void expect_metrics(const GoldenCase& golden, const std::string& prefix, double loss_atol,
                      double norm_rtol) {
    const at::Tensor loss = golden.tensor(prefix + "loss"), lr = golden.tensor(prefix + "lr"),
                     norm = golden.tensor(prefix + "grad_norm");
    ASSERT_EQ(static_cast<int64_t>(metrics_.size()), loss.size(0));
    for (int64_t s = 0; s < loss.size(0); ++s) {
      const Json& m = metrics_[static_cast<size_t>(s)];
      EXPECT_EQ(m["step"].as_int(), s + 1);
      EXPECT_NEAR(m["loss"].as_double(), loss[s].item<double>(), loss_atol) << "step " << s;
      EXPECT_NEAR(m["learning_rate"].as_double(), lr[s].item<double>(), 1e-12) << "step " << s;
      const double want = norm[s].item<double>();
      EXPECT_NEAR(m["grad_norm"].as_double(), want, norm_rtol * want) << "step " << s;
    }
  }

  std::string folder_;
  std::vector<Json> metrics_;
  int64_t image_token_ = -1, tokens_per_image_ = 1;
  struct PictureKind {
    const char *pixels, *grids;
    int64_t token = -1, next_patch = 0, next_grid = 0;
  };
  std::array<PictureKind, 2> kinds_ = {
      {{"pixel_values", "image_grid_thw"}, {"pixel_values_videos", "video_grid_thw"}}};
  const GoldenCase* pictures_ = nullptr;  // of Qwen-VL
  const GoldenCase* sounds_ = nullptr;    // of Qwen2-Audio
  bool packing_ = true;
  bool bf16_ = false;
  bool recompute_ = false;
  bool native_ = false;  // through the kernels of device_cpu
};

class LoraTrajectory : public Trajectory {
 protected:
  void follow();
};

TEST_P(LoraTrajectory, FollowsPeftStepByStep) {
  follow();
}

TEST_P(LoraTrajectory, FollowsPeftWithLayersThatAreRecomputed) {
  recompute_ = true;
  follow();
}

#ifdef MORTISE_WITH_DEVICE_CPU
TEST_P(LoraTrajectory, FollowsPeftThroughDeviceCpu) {
  native_ = true;
  follow();
}
#endif

void LoraTrajectory::follow() {
  const GoldenCase golden(GetParam());
  const std::string name = GetParam();
  const GoldenCase parent(name.substr(0, name.find('/')));
  const Json& t = golden.info()["trajectory"];
  bf16_ = parent.is_bf16();
  const bool own = golden.has("traj.input_ids");
  const std::string prefix = own ? "traj." : "in.";
  const GoldenCase& from = own ? golden : parent;
  const auto model = parent.load();
  image_token_ = model->config.image_token_id;
  tokens_per_image_ = model->config.has_fixed_images() ? model->config.tokens_per_image() : 1;
  kinds_[0].token = model->config.image_token_id;
  kinds_[1].token = model->config.video_token_id;
  if (model->qwen_vision) pictures_ = &from;
  if (model->audio) sounds_ = &from;
  const at::Tensor ids = from.tensor(prefix + "input_ids");
  write_rows(
      ids, from.tensor(prefix + "attention_mask"), from.tensor(prefix + "labels"),
      from.has(prefix + "pixel_values") ? from.tensor(prefix + "pixel_values") : at::Tensor());

  train(parent, manifest(t, Json::object({{"type", "lora"}}), ids.size(-2)),
        golden.folder() + "/adapter");

  expect_metrics(golden, "traj.", golden.tolerance("traj.loss").atol,
                 golden.tolerance("traj.grad_norm").rtol);
  const std::string final_path = golden.folder() + "/adapter_final/adapter_model.safetensors";
  if (!std::filesystem::exists(final_path)) return;
  const auto want = Checkpoint::open_file(base::posix_file_ops(), final_path);
  const auto got = Checkpoint::open_file(base::posix_file_ops(),
                                         folder_ + "/out/adapter/adapter_model.safetensors");
  ASSERT_TRUE(want.ok() && got.ok());
  ASSERT_EQ(want->names(), got->names());
  for (const std::string& key : want->names()) {
    expect_close(key, *got->tensor(key), *want->tensor(key), golden.tolerance("adapter_final"));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Goldens, LoraTrajectory,
    ::testing::Values("llama-1/lora-r8-all7", "llama-1/lora-r64-qv", "llama-1/lora-all-linear",
                      "llama-1/lora-rslora", "llama-1/lora-layers-1", "llama-1/lora-save-head",
                      "llama-1/lora-patterns", "llama-1/lora-dora", "llama-1/lora-embed",
                      "qwen2-1/lora-r8-all7", "qwen2-1/lora-r64-qv", "qwen2-1/lora-rslora",
                      "qwen2-1/lora-bias-lora", "llama-2/lora-rslora", "qwen2-2/lora-all-linear",
                      "llava-1/lora-all-linear", "llava-1/lora-llm-r8", "qwen2_vl-1/lora-llm-r8",
                      "qwen2_vl-1/lora-all-linear", "qwen2_5_vl-1/lora-llm-r8",
                      "qwen2_5_vl-1/lora-all-linear", "qwen2_audio-1/lora-llm-r8",
                      "llama-3-bf16/lora-r8-all7"),
    [](const auto& info) {
      std::string name = info.param;
      for (char& c : name) c = c == '/' || c == '-' ? '_' : c;
      return name;
    });

class FullTrajectory : public Trajectory {};

TEST_P(FullTrajectory, FollowsTheTrainerStepByStep) {
  const std::string variant = GetParam();
  packing_ = variant != "unpacked";
  recompute_ = variant == "recomputed";
  native_ = variant == "native";
  const GoldenCase golden("qwen2-1");
  const Json& t = golden.info()["full_finetune"];
  const at::Tensor ids = golden.tensor("full.input_ids");
  write_rows(ids, golden.tensor("full.attention_mask"), golden.tensor("full.labels"), {});

  train(golden, manifest(t, Json::object({{"type", "full"}}), ids.size(-2)), "");

  expect_metrics(golden, "full.", t["tolerance"]["loss"]["atol"].as_double(),
                 t["tolerance"]["grad_norm"]["rtol"].as_double());
  const auto want =
      Checkpoint::open_file(base::posix_file_ops(), golden.folder() + "/full_final.safetensors");
  const auto got = Checkpoint::open(base::posix_file_ops(), folder_ + "/out/model");
  ASSERT_TRUE(want.ok() && got.ok());
  EXPECT_EQ(want->names(), got->names());
  const double atol = t["tolerance"]["final_weights"]["atol"].as_double();
  int64_t all = 0, near = 0;
  double worst = 0;
  for (const std::string& key : want->names()) {
    const at::Tensor off = (*want->tensor(key) - *got->tensor(key)).abs();
    all += off.numel();
    near += off.le(atol).sum().item<int64_t>();
    worst = std::max(worst, off.max().item<double>());
  }
  EXPECT_GE(static_cast<double>(near), 0.999 * static_cast<double>(all));
  EXPECT_LE(worst, 2 * t["lr"].as_double());
}

#ifdef MORTISE_WITH_DEVICE_CPU
#define MORTISE_FULL_VARIANTS "packed", "unpacked", "recomputed", "native"
#else
#define MORTISE_FULL_VARIANTS "packed", "unpacked", "recomputed"
#endif
INSTANTIATE_TEST_SUITE_P(Goldens, FullTrajectory, ::testing::Values(MORTISE_FULL_VARIANTS),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace mortise::engine
