// What every example pack does at its door: the reply, refusals, unknown ids.
#include <fstream>
#include <sstream>

#include "mortise/cpp/json_parse.hpp"
#include "tests/abi/fake_host.h"

namespace mortise::abi {
namespace {

class ExamplePack : public ::testing::TestWithParam<const char*> {
 protected:
  std::string folder() const { return std::string(MORTISE_PACKS) + "/" + GetParam(); }
  std::string library() const { return folder() + "/lib/" + GetParam() + ".so"; }
  sdk::JsonDocument manifest() const {
    std::ifstream file(folder() + "/pack.json");
    std::stringstream text;
    text << file.rdbuf();
    return sdk::JsonDocument::parse(text.str());
  }
};

TEST_P(ExamplePack, AnswersTheHelloAsItsManifestSays) {
  const FakeHost host;
  const auto document = manifest();
  const sdk::Json plugin = document.root()["plugins"].items()[0];

  const LoadedPack pack(library(), host);

  ASSERT_EQ(pack.status, MORTISE_STATUS_OK);
  EXPECT_EQ(sdk::view(pack.reply.plugin_id), plugin["id"].as_text());
  EXPECT_EQ(pack.reply.generation, 1u);
  EXPECT_EQ(pack.reply.needs_minor, 0u);
  for (const sdk::Json id : plugin["interfaces"].items()) {
    const std::string name(id.as_text());
    const auto* table = pack.table<mortise_sink>(name.c_str());  // any struct that begins with size
    ASSERT_NE(table, nullptr) << name;
    EXPECT_GT(table->struct_size, 8u) << name;
    EXPECT_EQ(table, pack.table<mortise_sink>(name.c_str())) << name << " gave another table";
  }
}

TEST_P(ExamplePack, KnowsNoOtherInterface) {
  const FakeHost host;
  const LoadedPack pack(library(), host);
  const auto document = manifest();
  const std::string id(document.root()["plugins"].items()[0]["interfaces"].items()[0].as_text());

  EXPECT_EQ(pack.table<void>(""), nullptr);
  EXPECT_EQ(pack.table<void>((id + "0").c_str()), nullptr);
  EXPECT_EQ(pack.table<void>(id.substr(0, id.size() - 1).c_str()), nullptr);
  EXPECT_EQ(pack.table<void>("mortise.nothing/1"), nullptr);
}

TEST_P(ExamplePack, RefusesAnotherGeneration) {
  FakeHost host;
  const LoadedPack pack(library(), host);
  host.hello.generation = 2;
  mortise_hello_reply reply{};
  reply.magic = MORTISE_MAGIC;
  reply.struct_size = sizeof(reply);

  EXPECT_EQ(pack.entry(&host.hello, &reply), MORTISE_STATUS_FAILED_PRECONDITION);
  EXPECT_EQ(reply.get_interface, nullptr);
}

TEST_P(ExamplePack, ManifestNamesTheLibraryWithItsHash) {
  const auto document = manifest();
  const sdk::Json library_entry = document.root()["libraries"].items()[0];

  EXPECT_EQ(library_entry["path"].as_text(), std::string("lib/") + GetParam() + ".so");
  EXPECT_EQ(library_entry["sha256"].as_text().size(), 64u);
  EXPECT_EQ(document.root()["abi"]["generation"].as_integer(), MORTISE_ABI_GENERATION);
}

// Lines of a file that are not comments.
int code_lines(const std::string& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file.good()) << path;
  int count = 0;
  for (std::string line; std::getline(file, line);) count += line.rfind("//", 0) == 0 ? 0 : 1;
  return count;
}

TEST(SmallestMetric, HasAtMostFortyLinesOfCodeWithItsManifest) {
  const std::string folder = MORTISE_EXAMPLES "/metric_c_smallest";

  const int lines = code_lines(folder + "/metric_c_smallest.c") + code_lines(folder + "/pack.json");

  EXPECT_LE(lines, 40);
}

INSTANTIATE_TEST_SUITE_P(Examples, ExamplePack,
                         ::testing::Values("metric_c_smallest", "metric_cpp", "tokenizer_cpp",
                                           "format_cpp", "loss_cpp"
#ifdef MORTISE_HAS_RUST
                                           ,
                                           "metric_rust"
#endif
                                           ),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace mortise::abi
