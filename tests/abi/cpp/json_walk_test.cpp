// Walking, outlining and writing JSON: mortise/cpp/json_walk.hpp, json_outline.hpp, json_write.hpp.
#include <gtest/gtest.h>

#include "mortise/cpp/json_outline.hpp"
#include "mortise/cpp/json_write.hpp"

namespace mortise::sdk {
namespace {

JsonWalker walker_of(std::string_view text, JsonWalkLimits limits = {}) {
  return JsonWalker(ByteReader::over(text), limits);
}

TEST(JsonWalk, CutsValuesOutAsTheyStand) {
  JsonWalker walker = walker_of("\xEF\xBB\xBF {\"a\" : [1, \"]\\\"\"],\"b\":-1.5e3 ,\"c\":{}} ");
  std::vector<std::string> seen;
  walker.for_each_member([&](const std::string& key) {
    const JsonSlice slice = walker.take();
    seen.push_back(key + "=" + slice.text + "@" + std::to_string(slice.begin));
  });
  walker.expect_end();

  EXPECT_EQ(seen, (std::vector<std::string>{"a=[1, \"]\\\"\"]@11", "b=-1.5e3@26", "c={}@38"}));
}

TEST(JsonWalk, EntersAMemberAndLeavesItsObject) {
  JsonWalker walker = walker_of(R"({"x":{"in":[1]},"in":[7,8],"y":[{}]})");

  ASSERT_TRUE(walker.enter_member("in"));
  int64_t sum = 0;
  walker.for_each_item([&] { sum += walker.parse(walker.take()).root().as_integer(); });
  walker.leave_object();
  walker.expect_end();

  EXPECT_EQ(sum, 15);
  JsonWalker other = walker_of(R"({"x":1})");
  EXPECT_FALSE(other.enter_member("in"));
}

TEST(JsonWalk, ADamagedDocumentIsAnErrorWithItsByte) {
  const std::pair<const char*, int64_t> cases[] = {
      {"[1,{\"a\":2]", 9}, {"[\"x", 3}, {"", 0}, {"[1}", 2}, {"}", 0}};
  for (const auto& [text, byte] : cases) {
    JsonWalker walker = walker_of(text);
    try {
      walker.skip();
      ADD_FAILURE() << text;
    } catch (const Failure& failure) {
      EXPECT_EQ(failure.code, MORTISE_STATUS_INVALID_ARGUMENT) << text;
      EXPECT_EQ(failure.byte, byte) << text;
    }
  }
}

TEST(JsonWalk, LimitsHoldForDepthAndForTakenValues) {
  JsonWalkLimits limits;
  limits.value_bytes = 8;
  limits.depth = 3;
  EXPECT_THROW(walker_of("[[[[1]]]]", limits).skip(), Failure);
  EXPECT_THROW(walker_of("\"123456789\"", limits).take(), Failure);
  walker_of("\"123456789\"", limits).skip();
  EXPECT_EQ(walker_of("[[[1]]]", limits).take().text, "[[[1]]]");
}

TEST(JsonOutline, TellsMembersAndTheKeysOfTheFirstItem) {
  const JsonOutline outline =
      outline_of(R"({"info":{"y":1},"images":[{"id":1,"file_name":"a"},{"z":1}],"n":7})");

  EXPECT_TRUE(outline.is_whole);
  EXPECT_EQ(outline.root.keys, (std::vector<std::string>{"info", "images", "n"}));
  EXPECT_EQ(outline.find("images")->kind, '[');
  EXPECT_EQ(outline.find("images")->item_kind, '{');
  EXPECT_TRUE(outline.find("images")->has({"file_name", "id"}));
  EXPECT_EQ(outline.find("none"), nullptr);
}

TEST(JsonOutline, OfACutDocumentIsWhatWasSeen) {
  const JsonOutline outline = outline_of(R"({"images":[{"id":1,"file_na)");

  EXPECT_FALSE(outline.is_whole);
  EXPECT_EQ(outline.find("images")->keys, std::vector<std::string>{"id"});
  EXPECT_EQ(outline_of("").root.kind, '\0');
  EXPECT_EQ(outline_of(std::string(100000, '[')).root.kind, '[');
}

TEST(JsonWrite, WritesWhatParseReads) {
  const JsonDocument document =
      JsonDocument::parse(R"({"t":"a\"\\\u0001\n","n":[1,-2.5,true,null,{}]})");
  JsonObject object;
  object.text("k\"", "v");
  object.integer("i", -7);
  object.number("d", 0.1);
  object.value("doc", document.root());
  object.raw("raw", "[1]");

  EXPECT_EQ(
      object.finish(),
      R"({"k\"":"v","i":-7,"d":0.1,"doc":{"t":"a\"\\\u0001\n","n":[1,-2.5,true,null,{}]},"raw":[1]})");
  EXPECT_EQ(object.finish(), "{}");
  std::string text;
  EXPECT_THROW(append_json_number(&text, std::numeric_limits<double>::infinity()), Failure);
}

}  // namespace
}  // namespace mortise::sdk
