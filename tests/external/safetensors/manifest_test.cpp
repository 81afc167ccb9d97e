// Valid and hostile files of the format's own project, each with the error its manifest states.
#include <gtest/gtest.h>

#include <cstdlib>

#include "base/file_ops.h"
#include "base/json.h"
#include "engine/weights/checkpoint.h"

namespace mortise::engine {
namespace {

std::string reason_of(const base::Error& error) {
  for (const auto& [key, value] : error.details) {
    if (key == "reason") return value;
  }
  return "none";
}

TEST(SafetensorsFile, GivesTheErrorThatTheManifestStatesForEachFile) {
  const char* fixtures = std::getenv("MORTISE_FIXTURES");
  if (fixtures == nullptr) {
    GTEST_SKIP() << "MORTISE_FIXTURES is not set, so the reference files are absent";
  }
  base::FileOps& files = base::posix_file_ops();
  const std::string folder = std::string(fixtures) + "/safetensors/upstream-vectors/";
  const auto manifest =
      base::parse_json(base::read_file(files, folder + "manifest.json").value()).value();
  size_t tried = 0;
  for (const base::Json& entry : manifest.items()) {
    const std::string path = folder + entry["file"].as_string();
    if (!files.exists(path).value()) continue;  // the manifest lists more than are stored
    ++tried;

    const auto file = SafetensorsFile::open(files, path);

    const std::string& expected = entry["expect"].as_string();
    if (expected == "ok") {
      EXPECT_TRUE(file.ok()) << path << ": " << file.error().text();
      continue;
    }
    ASSERT_FALSE(file.ok()) << path;
    EXPECT_EQ(reason_of(file.error()), expected) << path << ": " << file.error().text();
    EXPECT_EQ(file.error().code, base::Code::kInvalidArgument);
    EXPECT_EQ(file.error().file, path);
    EXPECT_FALSE(file.error().hint.empty());
  }
  EXPECT_GE(tried, 5u);
}

TEST(SafetensorsFile, ReadsTheValidFile) {
  const char* fixtures = std::getenv("MORTISE_FIXTURES");
  if (fixtures == nullptr) {
    GTEST_SKIP() << "MORTISE_FIXTURES is not set, so the reference files are absent";
  }
  const auto checkpoint = Checkpoint::open_file(
      base::posix_file_ops(), std::string(fixtures) + "/safetensors/valid/two_f64.safetensors");

  ASSERT_TRUE(checkpoint.ok()) << checkpoint.error().text();
  ASSERT_FALSE(checkpoint->names().empty());
  for (const std::string& name : checkpoint->names()) {
    EXPECT_EQ(checkpoint->find(name)->dtype, "F64");
    const auto tensor = checkpoint->tensor(name);
    ASSERT_TRUE(tensor.ok()) << tensor.error().text();
    EXPECT_EQ(tensor->scalar_type(), at::kDouble);
  }
}

}  // namespace
}  // namespace mortise::engine
