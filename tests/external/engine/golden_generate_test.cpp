// Greedy generation against the ids and log-probabilities that the references chose.
#include "engine/infer/generate.h"

#include <ATen/TensorOperators.h>

#include "golden_case.h"

namespace mortise::engine {
namespace {

std::vector<int32_t> ids_of(const at::Tensor& tensor) {
  const at::Tensor numbers = tensor.to(at::kInt).contiguous();
  const int32_t* data = numbers.const_data_ptr<int32_t>();
  return {data, data + numbers.numel()};
}

class GoldenGeneration : public testing::TestWithParam<const char*> {};

TEST_P(GoldenGeneration, GreedyIdsAreExactAndLogProbabilitiesClose) {
  MORTISE_NEED_FIXTURES();
  const GoldenCase golden(GetParam());
  const auto model = golden.load(at::kFloat);  // bf16 cases state fp32 compute
  GenerateRequest request;
  request.prompt = ids_of(golden.tensor("gen.prompt_ids"));
  if (golden.has("gen.pixel_values")) request.pixels = golden.tensor("gen.pixel_values");
  if (golden.has("gen.image_grid_thw")) {  // the first patches of the batch
    const std::vector<int32_t> grid = ids_of(golden.tensor("gen.image_grid_thw"));
    request.images.grids = {{grid[0], grid[1], grid[2]}};
    request.images.patches =
        golden.tensor("in.pixel_values").narrow(0, 0, request.images.grids[0].patches());
  }
  const std::vector<int32_t> want = ids_of(golden.tensor("gen.ids"));
  request.new_tokens_max = static_cast<int64_t>(want.size());
  request.ignores_eos = true;
  request.logprobs = 5;
  Device device;

  const auto result = generate(device, *model, request);

  ASSERT_TRUE(result.ok()) << result.error().text();
  EXPECT_EQ(result->ids(), want);
  EXPECT_EQ(result->finish, Finish::kLength);
  const std::vector<int32_t> best_ids = ids_of(golden.tensor("gen.top5_ids").flatten());
  const at::Tensor best = golden.tensor("gen.top5_logprobs").flatten();
  for (size_t i = 0; i < best_ids.size(); ++i) {
    const auto& [id, logprob] = result->tokens[i / 5].best[i % 5];
    EXPECT_EQ(id, best_ids[i]) << "step " << i / 5 << " rank " << i % 5;
    EXPECT_NEAR(logprob, best[static_cast<int64_t>(i)].item<double>(), 1e-3);
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, GoldenGeneration,
                         testing::Values("llama-1", "llama-2", "llama-3-bf16", "qwen2-1", "qwen2-2",
                                         "qwen3-1", "qwen3-2", "mistral-1", "llava-1", "llava-2",
                                         "qwen2_vl-1", "qwen2_5_vl-1"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(Stories260K, GreedyTextOf200TokensIsExactAndLogProbabilitiesClose) {
  MORTISE_NEED_FIXTURES();
  const std::string folder = fixtures_folder() + "/weights/stories260K-hf";
  const auto text =
      base::read_file(base::posix_file_ops(), folder + "/expected_greedy.json").value();
  const base::Json expected = base::parse_json(text).value();
  const auto model = load_model(base::posix_file_ops(), folder);
  ASSERT_TRUE(model.ok()) << model.error().text();
  std::vector<int32_t> want;  // the stored list begins with the prompt
  for (const base::Json& id : expected["greedy_ids"].items()) {
    want.push_back(static_cast<int32_t>(id.as_int()));
  }
  GenerateRequest request;
  for (const base::Json& id : expected["prompt_ids"].items()) {
    request.prompt.push_back(static_cast<int32_t>(id.as_int()));
  }
  request.new_tokens_max = static_cast<int64_t>(want.size() - request.prompt.size());
  request.logprobs = 0;
  Device device;

  const auto result = generate(device, **model, request);

  ASSERT_TRUE(result.ok()) << result.error().text();
  std::vector<int32_t> all = request.prompt;
  for (const int32_t id : result->ids()) all.push_back(id);
  EXPECT_EQ(all, want);
  const base::Json& logprobs = expected["greedy_logprobs"];
  ASSERT_EQ(logprobs.size(), result->tokens.size());
  for (size_t i = 0; i < logprobs.size(); ++i) {
    EXPECT_NEAR(result->tokens[i].logprob, logprobs.at(i).as_double(), 1e-3) << "token " << i;
  }
}

}  // namespace
}  // namespace mortise::engine
