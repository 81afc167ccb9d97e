// Exports of a tiny model: the adapter as it is, the base as it is, and the two merged.
#include "export/export.h"

#include <gtest/gtest.h>

#include <fstream>

#include "engine/lora/adapter.h"
#include "engine/model/model.h"
#include "engine/model/presets.h"
#include "tests/support/temp_folder.h"

namespace mortise::exporting {
namespace {

using base::Code;
using base::posix_file_ops;

class ExportTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const engine::NewModelRequest request{.preset = "llama-tiny", .seed = 4};
    ASSERT_TRUE(engine::new_model(posix_file_ops(), request, folder_ / "model").ok());
    std::ofstream(folder_ / "model/tokenizer.json") << "{}";
    std::filesystem::create_directories(folder_ / "model/unused");
    request_.model_folder = folder_ / "model";
    request_.output_folder = folder_ / "out";
  }
  // An adapter that changes something: its B is one everywhere.
  void make_adapter() {
    const auto model = engine::load_model(posix_file_ops(), request_.model_folder).value();
    auto config = engine::parse_adapter_config(
        *base::parse_json(R"({"peft_type": "LORA", "r": 2, "lora_alpha": 4,
                              "target_modules": ["q_proj"]})"));
    ASSERT_TRUE(config.ok()) << config.error().text();
    const auto adapter = engine::Adapter::create(*model, std::move(*config), 1);
    ASSERT_TRUE(adapter.ok()) << adapter.error().text();
    for (const engine::Parameter& parameter : (*adapter)->parameters()) {
      if (parameter.name.find("lora_B") == std::string::npos) continue;
      parameter.tensor->detach().fill_(1.0);  // the detached tensor has the same memory
    }
    ASSERT_TRUE((*adapter)->save(posix_file_ops(), folder_ / "adapter", "base").ok());
    request_.adapter_folder = folder_ / "adapter";
  }
  std::string bytes_of(const std::string& path) const {
    std::ifstream file(folder_ / path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  tests::TempFolder folder_;
  ExportRequest request_;
};

TEST_F(ExportTest, TheAdapterAsItIs) {
  make_adapter();
  request_.format = "peft";
  ASSERT_TRUE(export_model(posix_file_ops(), request_).ok());
  for (const char* name : {"adapter_config.json", "adapter_model.safetensors"}) {
    EXPECT_FALSE(bytes_of(std::string("out/") + name).empty()) << name;
    EXPECT_EQ(bytes_of(std::string("out/") + name), bytes_of(std::string("adapter/") + name));
  }
}

TEST_F(ExportTest, TheBaseAsItIs) {
  request_.format = "hf";
  ASSERT_TRUE(export_model(posix_file_ops(), request_).ok());
  for (const char* name : {"config.json", "model.safetensors", "tokenizer.json"}) {
    EXPECT_EQ(bytes_of(std::string("out/") + name), bytes_of(std::string("model/") + name)) << name;
  }
  EXPECT_FALSE(std::filesystem::exists(folder_ / "out/unused"));
}

TEST_F(ExportTest, TheBaseWithTheAdapterFoldedIn) {
  make_adapter();
  request_.format = "hf";
  const auto exported = export_model(posix_file_ops(), request_);
  ASSERT_TRUE(exported.ok()) << exported.error().text();
  EXPECT_EQ(bytes_of("out/tokenizer.json"), "{}");
  EXPECT_NE(bytes_of("out/model.safetensors"), bytes_of("model/model.safetensors"));
  // W + 2 * B A, with B of ones: each row of the change is twice the sum of A's rows.
  const auto merged = engine::load_model(posix_file_ops(), request_.output_folder).value();
  const auto base = engine::load_model(posix_file_ops(), request_.model_folder).value();
  const auto adapted = engine::load_model(posix_file_ops(), request_.model_folder).value();
  const auto adapter =
      engine::Adapter::load(posix_file_ops(), request_.adapter_folder, *adapted).value();
  const char* name = "model.layers.0.self_attn.q_proj.weight";
  const at::Tensor a = *adapter->parameters().at(0).tensor;  // [2, K]
  const at::Tensor want = base->find_parameter(name)->tensor->add(a.detach().sum(0).mul(2));
  EXPECT_TRUE(merged->find_parameter(name)->tensor->allclose(want, 1e-5, 1e-6));
}

TEST_F(ExportTest, PicturesArePreparedAsTheAdapterWasTrained) {
  make_adapter();
  request_.format = "hf";
  std::ofstream(folder_ / "model/preprocessor_config.json") << R"({"max_pixels": 9000})";
  ASSERT_TRUE(export_model(posix_file_ops(), request_).ok());
  EXPECT_EQ(bytes_of("out/preprocessor_config.json"), R"({"max_pixels": 9000})");
  std::ofstream(folder_ / "adapter/preprocessor_config.json") << R"({"max_pixels": 4000})";
  request_.output_folder = folder_ / "narrow";
  ASSERT_TRUE(export_model(posix_file_ops(), request_).ok());
  EXPECT_EQ(bytes_of("narrow/preprocessor_config.json"), R"({"max_pixels": 4000})");
}

TEST_F(ExportTest, RefusesWhatItCannotWrite) {
  request_.format = "peft";
  EXPECT_EQ(export_model(posix_file_ops(), request_).error().code, Code::kInvalidArgument);
  request_.format = "gguf";
  EXPECT_EQ(export_model(posix_file_ops(), request_).error().field, "/export");
  request_.format = "hf";
  request_.quantize = "int4";
  const auto quantised = export_model(posix_file_ops(), request_);
  EXPECT_EQ(quantised.error().code, Code::kUnimplemented);
  EXPECT_EQ(quantised.error().field, "/quantize");
}

TEST_F(ExportTest, WritesOverNothing) {
  request_.format = "hf";
  ASSERT_TRUE(export_model(posix_file_ops(), request_).ok());
  EXPECT_EQ(export_model(posix_file_ops(), request_).error().code, Code::kAlreadyExists);
}

TEST_F(ExportTest, NamesAModelThatIsNotThere) {
  request_.format = "hf";
  request_.model_folder = folder_ / "none";
  EXPECT_EQ(export_model(posix_file_ops(), request_).error().code, Code::kNotFound);
}

}  // namespace
}  // namespace mortise::exporting
