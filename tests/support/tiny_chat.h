// A model that talks, small enough for tests: llava-tiny with seeded weights over the example
// tokenizer (id = byte + 2; "<s>" is 0 and stands for an image, "</s>" is 1), in a folder of its
// own. MORTISE_PACKS names the folder of the packs, which must hold tokenizer_cpp.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <string>

#include "engine/chat/chat_model.h"
#include "engine/model/presets.h"
#include "engine/op/node.h"
#include "plugin/registry.h"
#include "tests/support/temp_folder.h"

namespace mortise::tests {

class TinyChat : public ::testing::Test {
 protected:
  static constexpr const char* kTemplate =
      "{% for m in messages %}{{ m.role[0] }}:{{ m.content }}</s>{% endfor %}a:";

  void SetUp() override {
    engine::set_compute_threads(1);
    const engine::NewModelRequest request{
        .preset = "llava-tiny",
        .seed = 4,
        .dtype = {},
        .overrides = *base::parse_json(
            R"({"image_token_index": 0, "text_config": {"vocab_size": 258, "hidden_size": 64,
                "intermediate_size": 96, "num_hidden_layers": 2, "head_dim": 16,
                "max_position_embeddings": 256, "initializer_range": 0.2},
                "image_seq_length": 4, "vision_config": {"image_size": 28}})")};
    const auto made = engine::new_model(base::posix_file_ops(), request, model_folder());
    ASSERT_TRUE(made.ok()) << made.error().text();
    write("chat_template.jinja", kTemplate);
    // Images stay as large as they are, so that one of another size can be sent.
    write("preprocessor_config.json",
          R"({"image_processor_type": "CLIPImageProcessor", "do_resize": false,
              "do_center_crop": false})");
    pack::Search search;
    for (const char* pack : {"tokenizer_cpp", "metric_cpp"}) {
      search.places.push_back({pack::Tier::kSystem, std::string(MORTISE_PACKS) + "/" + pack});
    }
    registry_ = std::make_unique<plugin::Registry>(search, services_);
  }

  base::Result<std::unique_ptr<engine::ChatModel>> open_chat(
      const std::string& tokenizer_id = "com.example.tokenizer_bytes") {
    engine::ChatModelRequest request;
    request.model_folder = model_folder();
    request.tokenizer_id = tokenizer_id;
    return engine::ChatModel::open(base::posix_file_ops(), *registry_, request);
  }
  void write(const std::string& name, const std::string& text) {
    std::ofstream(model_folder() + "/" + name, std::ios::binary) << text;
  }
  std::string model_folder() const { return folder_ / "model"; }

  TempFolder folder_;
  plugin::HostServices services_;
  std::unique_ptr<plugin::Registry> registry_;
  engine::Device device_;
};

}  // namespace mortise::tests
