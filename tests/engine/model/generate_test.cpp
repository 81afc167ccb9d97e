// Generation: the cache changes nothing, sequences beside each other change nothing, limits are
// kept.
#include "engine/infer/generate.h"

#include <ATen/ops/tensor.h>
#include <gtest/gtest.h>

#include "engine/infer/forward.h"
#include "engine/model/presets.h"
#include "engine/op/node.h"
#include "tests/engine/op/random_tensor.h"
#include "tests/support/temp_folder.h"

namespace mortise::engine {
namespace {

using base::posix_file_ops;
using tests::TempFolder;

std::unique_ptr<Model> fresh_model(const char* preset) {
  const TempFolder folder;
  NewModelRequest request{.preset = preset, .seed = 4};
  if (std::string(preset) == "llama-tiny") {  // larger weights, so that answers differ
    request.overrides = base::Json::object({{"initializer_range", 0.2}});
  }
  EXPECT_TRUE(new_model(posix_file_ops(), request, folder.path()).ok());
  return load_model(posix_file_ops(), folder.path()).value();
}

GenerateRequest request_of(std::vector<int32_t> prompt, int64_t count) {
  GenerateRequest request;
  request.prompt = std::move(prompt);
  request.new_tokens_max = count;
  return request;
}

// The greedy continuation by a whole forward pass for each token.
std::vector<int32_t> without_cache(const Model& model, std::vector<int32_t> ids, int count) {
  Device device;
  std::vector<int32_t> added;
  for (int i = 0; i < count; ++i) {
    const at::Tensor input = at::tensor(at::ArrayRef<int32_t>(ids), at::kInt).unsqueeze(0);
    const auto out = forward_tensors(device, model, {{"input_ids", input}}, {});
    const TensorMap map(out.value().begin(), out.value().end());
    const at::Tensor last = map.at("logits").select(1, static_cast<int64_t>(ids.size()) - 1);
    added.push_back(static_cast<int32_t>(last.argmax().item<int64_t>()));
    ids.push_back(added.back());
  }
  return added;
}

TEST(Generate, TheCacheGivesWhatWholePassesGive) {
  const auto model = fresh_model("llama-tiny");
  Device device;
  const auto result = generate(device, *model, request_of({3, 1, 4, 1, 5}, 12));
  ASSERT_TRUE(result.ok()) << result.error().text();
  EXPECT_EQ(result->ids(), without_cache(*model, {3, 1, 4, 1, 5}, 12));
}

TEST(Generate, SequencesTogetherGiveWhatEachGivesAlone) {
  const auto model = fresh_model("llama-tiny");
  Device device;
  const std::vector<std::vector<int32_t>> prompts = {{3, 1, 4}, {2}, {7, 7, 7, 7, 7, 7}};
  std::vector<std::unique_ptr<Sequence>> owners;
  std::vector<Sequence*> sequences;
  for (size_t i = 0; i < prompts.size(); ++i) {
    owners.push_back(
        Sequence::create(*model, request_of(prompts[i], 6 + static_cast<int64_t>(i))).value());
    sequences.push_back(owners.back().get());
    // The next one joins while the ones before it are already under way.
    ASSERT_TRUE(generate_step(device, *model, sequences).ok());
  }
  for (int step = 0; step < 8; ++step) {
    ASSERT_TRUE(generate_step(device, *model, sequences).ok());
  }

  for (size_t i = 0; i < prompts.size(); ++i) {
    const auto alone =
        generate(device, *model, request_of(prompts[i], 6 + static_cast<int64_t>(i)));
    EXPECT_EQ((GenerateResult{sequences[i]->tokens(), Finish::kNone}).ids(), alone->ids());
    EXPECT_EQ(sequences[i]->finish(), Finish::kLength);
  }
}

TEST(Generate, EndsAtAStopIdWithoutGivingIt) {
  const auto model = fresh_model("llama-tiny");
  Device device;
  const auto whole = generate(device, *model, request_of({3, 1, 4}, 8));
  GenerateRequest request = request_of({3, 1, 4}, 8);
  request.stop_ids = {whole->ids()[3]};

  const auto result = generate(device, *model, request);

  EXPECT_EQ(result->finish, Finish::kStop);
  EXPECT_LE(result->tokens.size(), 3u);
  for (const int32_t id : result->ids()) EXPECT_NE(id, request.stop_ids[0]);
}

TEST(Generate, CallsBackForEachTokenAndStopsWhenTold) {
  const auto model = fresh_model("llama-tiny");
  Device device;
  int calls = 0;
  const auto result = generate(device, *model, request_of({3}, 8),
                               [&](const GeneratedToken&) { return ++calls < 3; });
  EXPECT_EQ(calls, 3);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, base::Code::kCancelled);
}

TEST(Generate, SamplesTheSameAnswerFromTheSameSeed) {
  const auto model = fresh_model("llama-tiny");
  Device device;
  GenerateRequest request = request_of({3, 1}, 16);
  request.sampling = {.temperature = 1.5, .seed = 11};
  const auto a = generate(device, *model, request), b = generate(device, *model, request);
  request.sampling.seed = 12;
  const auto c = generate(device, *model, request);
  EXPECT_EQ(a->ids(), b->ids());
  EXPECT_NE(a->ids(), c->ids());
}

TEST(Generate, TheImageChangesTheAnswer) {
  const auto model = fresh_model("llava-tiny");
  Device device;
  std::vector<int32_t> prompt(16, static_cast<int32_t>(model->config.image_token_id));
  prompt.push_back(5);
  GenerateRequest request = request_of(prompt, 1);
  request.logprobs = 3;
  request.pixels = random_tensor({1, 3, 56, 56}, 1);
  const auto a = generate(device, *model, request);
  request.pixels = random_tensor({1, 3, 56, 56}, 2);
  const auto b = generate(device, *model, request);
  ASSERT_TRUE(a.ok()) << a.error().text();
  ASSERT_TRUE(b.ok()) << b.error().text();
  EXPECT_NE(a->tokens[0].best[0].second, b->tokens[0].best[0].second);
}

TEST(Generate, AFailedStepLeavesEverySequenceAsItWas) {
  const auto model = fresh_model("llava-tiny");
  Device device;
  const auto expected = generate(device, *model, request_of({3, 1, 4}, 6));
  const auto good = Sequence::create(*model, request_of({3, 1, 4}, 6)).value();
  Sequence* const alone[] = {good.get()};
  ASSERT_TRUE(generate_step(device, *model, alone).ok());
  GenerateRequest request = request_of(std::vector<int32_t>(16, 2047), 2);
  request.pixels = random_tensor({1, 3, 42, 56}, 1);  // not the tower's size
  const auto bad = Sequence::create(*model, std::move(request)).value();
  Sequence* const both[] = {good.get(), bad.get()};
  EXPECT_FALSE(generate_step(device, *model, both).ok());
  EXPECT_FALSE(generate_step(device, *model, both).ok());
  while (good->finish() == Finish::kNone) ASSERT_TRUE(generate_step(device, *model, alone).ok());
  EXPECT_EQ((GenerateResult{good->tokens(), Finish::kNone}).ids(), expected->ids());
}

TEST(Generate, NamesTheCountsWhenImagesAndPlaceholdersDoNotFit) {
  const auto model = fresh_model("llava-tiny");
  Device device;
  GenerateRequest request = request_of({5, static_cast<int32_t>(model->config.image_token_id)}, 2);
  request.pixels = random_tensor({1, 3, 56, 56}, 1);

  const auto result = generate(device, *model, request);

  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, base::Code::kInvalidArgument);
  EXPECT_NE(result.error().message.find("1 image tokens"), std::string::npos);
  EXPECT_NE(result.error().message.find("16 features"), std::string::npos);
}

TEST(Generate, RefusesPlaceholdersWithoutAnImage) {
  const auto model = fresh_model("llava-tiny");
  Device device;
  const auto result =
      generate(device, *model, request_of({static_cast<int32_t>(model->config.image_token_id)}, 2));
  ASSERT_FALSE(result.ok());
  EXPECT_NE(result.error().message.find("no image was given"), std::string::npos);
}

TEST(Generate, RefusesAnImageOfAnotherSize) {
  const auto model = fresh_model("llava-tiny");
  Device device;
  GenerateRequest request = request_of(std::vector<int32_t>(16, 2047), 2);
  request.pixels = random_tensor({1, 3, 42, 56}, 1);
  const auto result = generate(device, *model, request);
  ASSERT_FALSE(result.ok());
  EXPECT_NE(result.error().message.find("[1, 3, 42, 56]"), std::string::npos);
}

TEST(Generate, RefusesWhatDoesNotFitThePositionsOfTheModel) {
  const auto model = fresh_model("llama-tiny");
  Device device;
  const auto result = generate(device, *model, request_of({1, 2, 3}, 1022));
  ASSERT_FALSE(result.ok());
  EXPECT_NE(result.error().message.find("1024 positions"), std::string::npos);
  EXPECT_FALSE(generate(device, *model, request_of({}, 3)).ok());
  EXPECT_FALSE(generate(device, *model, request_of({1}, 0)).ok());
}

TEST(Generate, NamesAnIdOutsideTheVocabulary) {
  const auto model = fresh_model("llama-tiny");
  Device device;
  const auto result = generate(device, *model, request_of({1, 99999}, 3));
  ASSERT_FALSE(result.ok());
  EXPECT_NE(result.error().message.find("99999"), std::string::npos);
}

}  // namespace
}  // namespace mortise::engine
