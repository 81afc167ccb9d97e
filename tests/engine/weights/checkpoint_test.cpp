// Checkpoint folders: one file, shards with an index, and what is wrong with them.
#include "engine/weights/checkpoint.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <gtest/gtest.h>

#include "tests/support/temp_folder.h"

namespace mortise::engine {
namespace {

using base::posix_file_ops;
using tests::TempFolder;

NamedTensors three_tensors() {
  return {{"a", at::arange(6, at::kFloat).view({2, 3})},
          {"b", at::arange(4, at::kLong)},
          {"c", at::arange(10, at::kFloat).to(at::kBFloat16)}};
}

void put(const TempFolder& folder, const std::string& name, const std::string& text) {
  ASSERT_TRUE(base::write_file_durably(posix_file_ops(), (folder / name), text).ok());
}

TEST(Checkpoint, ReadsBackEveryTypeFromOneFile) {
  const TempFolder folder;
  const NamedTensors tensors = three_tensors();
  ASSERT_TRUE(save_checkpoint(posix_file_ops(), folder.path(), tensors).ok());

  const auto checkpoint = Checkpoint::open(posix_file_ops(), folder.path());

  ASSERT_TRUE(checkpoint.ok()) << checkpoint.error().text();
  EXPECT_EQ(checkpoint->names(), (std::vector<std::string>{"a", "b", "c"}));
  for (const auto& [name, want] : tensors) {
    const at::Tensor got = checkpoint->tensor(name).value();
    EXPECT_EQ(got.scalar_type(), want.scalar_type());
    EXPECT_TRUE(at::equal(got, want)) << name;
  }
}

TEST(Checkpoint, TensorsOutliveTheCheckpointThatGaveThem) {
  const TempFolder folder;
  ASSERT_TRUE(save_checkpoint(posix_file_ops(), folder.path(), three_tensors()).ok());
  at::Tensor kept;
  {
    const auto checkpoint = Checkpoint::open(posix_file_ops(), folder.path()).value();
    kept = checkpoint.tensor("a").value();
  }
  EXPECT_TRUE(at::equal(kept, three_tensors()[0].second));
}

TEST(Checkpoint, WritesShardsWithAnIndexThatReadsBack) {
  const TempFolder folder;
  const NamedTensors tensors = three_tensors();

  ASSERT_TRUE(save_checkpoint(posix_file_ops(), folder.path(), tensors, 40).ok());

  EXPECT_TRUE(posix_file_ops().exists((folder / "model-00003-of-00003.safetensors")).value());
  const auto checkpoint = Checkpoint::open(posix_file_ops(), folder.path());
  ASSERT_TRUE(checkpoint.ok()) << checkpoint.error().text();
  EXPECT_TRUE(at::equal(checkpoint->tensor("c").value(), tensors[2].second));
}

TEST(Checkpoint, CopiesATensorThatDoesNotLieOnItsElementSize) {
  const TempFolder folder;
  const std::string header = R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},)"
                             R"("b":{"dtype":"F32","shape":[1],"data_offsets":[1,5]}})";
  std::string bytes(8, '\0');
  bytes[0] = static_cast<char>(header.size());
  const float value = 2.5f;
  bytes += header + "x" + std::string(reinterpret_cast<const char*>(&value), 4);
  put(folder, "model.safetensors", bytes);

  const auto checkpoint = Checkpoint::open(posix_file_ops(), folder.path());

  ASSERT_TRUE(checkpoint.ok()) << checkpoint.error().text();
  const at::Tensor tensor = checkpoint->tensor("b").value();
  EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor.const_data_ptr()) % 4, 0u);
  EXPECT_EQ(tensor.item<float>(), 2.5f);
}

TEST(Checkpoint, RefusesPickleByName) {
  const TempFolder folder;
  put(folder, "pytorch_model.bin", "x");

  const auto checkpoint = Checkpoint::open(posix_file_ops(), folder.path());

  ASSERT_FALSE(checkpoint.ok());
  EXPECT_NE(checkpoint.error().message.find("pytorch_model.bin"), std::string::npos);
  EXPECT_NE(checkpoint.error().message.find("pickle"), std::string::npos);
}

TEST(Checkpoint, SaysThatTheFolderHoldsNoWeights) {
  const TempFolder folder;
  const auto checkpoint = Checkpoint::open(posix_file_ops(), folder.path());
  ASSERT_FALSE(checkpoint.ok());
  EXPECT_EQ(checkpoint.error().code, base::Code::kNotFound);
  EXPECT_EQ(checkpoint.error().file, folder.path());
}

TEST(Checkpoint, RefusesAnIndexThatLeavesTheFolder) {
  const TempFolder folder;
  put(folder, "model.safetensors.index.json", R"({"weight_map":{"a":"../a.safetensors"}})");

  const auto checkpoint = Checkpoint::open(posix_file_ops(), folder.path());

  ASSERT_FALSE(checkpoint.ok());
  EXPECT_EQ(checkpoint.error().code, base::Code::kInvalidArgument);
  EXPECT_EQ(checkpoint.error().field, "a");
}

TEST(Checkpoint, NamesTheTensorThatItsShardDoesNotHold) {
  const TempFolder folder;
  ASSERT_TRUE(save_tensors(posix_file_ops(), (folder / "s.safetensors"), three_tensors()).ok());
  put(folder, "model.safetensors.index.json",
      R"({"weight_map":{"a":"s.safetensors","z":"s.safetensors"}})");

  const auto checkpoint = Checkpoint::open(posix_file_ops(), folder.path());

  ASSERT_FALSE(checkpoint.ok());
  EXPECT_NE(checkpoint.error().message.find("\"z\""), std::string::npos);
}

TEST(Checkpoint, NamesAShardThatIsMissing) {
  const TempFolder folder;
  put(folder, "model.safetensors.index.json", R"({"weight_map":{"a":"gone.safetensors"}})");

  const auto checkpoint = Checkpoint::open(posix_file_ops(), folder.path());

  ASSERT_FALSE(checkpoint.ok());
  EXPECT_EQ(checkpoint.error().code, base::Code::kNotFound);
}

TEST(Checkpoint, SaysWhichTensorIsAbsent) {
  const TempFolder folder;
  ASSERT_TRUE(save_checkpoint(posix_file_ops(), folder.path(), three_tensors()).ok());
  const auto checkpoint = Checkpoint::open(posix_file_ops(), folder.path()).value();

  const auto tensor = checkpoint.tensor("lost");

  ASSERT_FALSE(tensor.ok());
  EXPECT_EQ(tensor.error().code, base::Code::kNotFound);
  EXPECT_NE(tensor.error().message.find("lost"), std::string::npos);
}

}  // namespace
}  // namespace mortise::engine
