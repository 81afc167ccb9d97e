// What a schema may say, and how one that says something else is refused: with the place.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/schema_state.h"
#include "tests/unit/base/parsed.h"

namespace mortise::base {
namespace {

using ::testing::HasSubstr;

Error refused(std::string_view text) {
  const auto loaded = Schema::load(parsed(text));
  EXPECT_FALSE(loaded.ok()) << text;
  return loaded.ok() ? Error() : loaded.error();
}

TEST(SchemaLoad, RefusesAnUnknownKeywordWithItsPlace) {
  const Error error = refused(R"({"properties":{"a/b":{"minimun":3}}})");

  EXPECT_EQ(error.code, Code::kInvalidArgument);
  EXPECT_EQ(error.field, "/properties/a~1b/minimun");
  EXPECT_THAT(error.message, HasSubstr("\"minimun\" is unknown"));
}

TEST(SchemaLoad, RefusesKeywordsOfEarlierDrafts) {
  for (const char* text : {R"({"dependencies":{}})", R"({"additionalItems":false})",
                           R"({"$recursiveRef":"#"})", R"({"id":"x"})"}) {
    EXPECT_THAT(refused(text).message, HasSubstr("is unknown")) << text;
  }
  EXPECT_THAT(refused(R"({"$schema":"http://json-schema.org/draft-07/schema#"})").message,
              HasSubstr("2020-12"));
  EXPECT_FALSE(Schema::load(parsed(R"({"items":[{}]})")).ok());
}

TEST(SchemaLoad, AcceptsNotesAndAnnotations) {
  const char* text = R"({"$schema":"https://json-schema.org/draft/2020-12/schema",
      "$id":"https://example.org/s","$comment":"c","x-unit":{"any":"thing"},"title":"t",
      "description":"d","default":{"unknown":1},"examples":[{"$ref":"#/nowhere"}],
      "deprecated":true,"readOnly":false,"writeOnly":false,"contentEncoding":"base64",
      "contentMediaType":"image/png","contentSchema":true,"format":"duration",
      "const":{"minimun":1},"enum":[{"$ref":7}]})";
  EXPECT_TRUE(Schema::load(parsed(text)).ok());
}

TEST(SchemaLoad, RefusesValuesOfTheWrongForm) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"type":"int"})", "/type"},
      {R"({"type":[]})", "/type"},
      {R"({"required":["a","a"]})", "/required"},
      {R"({"minLength":-1})", "/minLength"},
      {R"({"minLength":1.5})", "/minLength"},
      {R"({"multipleOf":0})", "/multipleOf"},
      {R"({"minimum":"1"})", "/minimum"},
      {R"({"enum":1})", "/enum"},
      {R"({"allOf":[]})", "/allOf"},
      {R"({"not":1})", "/not"},
      {R"({"properties":{"a":1}})", "/properties"},
      {R"({"properties":[]})", "/properties"},
      {R"({"uniqueItems":"yes"})", "/uniqueItems"},
      {R"({"dependentRequired":{"a":"b"}})", "/dependentRequired"},
      {R"({"$id":"a#b"})", "/$id"},
      {R"({"$anchor":"1a"})", "/$anchor"},
      {R"({"$ref":1})", "/$ref"},
      {R"({"format":"dat"})", "/format"},
      {R"({"title":1})", "/title"}};
  for (const auto& [text, place] : cases) EXPECT_EQ(refused(text).field, place) << text;
  EXPECT_EQ(refused("7").code, Code::kInvalidArgument);
}

TEST(SchemaLoad, RefusesPatternsThatDoNotCompile) {
  EXPECT_EQ(refused(R"({"pattern":"("})").field, "/pattern");
  EXPECT_EQ(refused(R"({"patternProperties":{"[":true}})").field, "/patternProperties/[");
}

TEST(SchemaLoad, RefusesAReferenceThatNamesNothing) {
  const Error error = refused(R"({"items":{"$ref":"#/$defs/ghost"}})");
  EXPECT_EQ(error.field, "/items/$ref");
  EXPECT_THAT(error.message, HasSubstr("#/$defs/ghost"));
  refused(R"({"$ref":"https://example.org/elsewhere"})");
  refused(R"({"$ref":"#ghost"})");
  refused(R"({"$dynamicRef":"#ghost"})");
  refused(R"({"default":{"type":"string"},"$ref":"#/default"})");  // no subschema stands there
}

TEST(SchemaLoad, RefusesTwoSchemasOfOneName) {
  refused(R"({"$defs":{"a":{"$id":"x"},"b":{"$id":"x"}}})");
  refused(R"({"$defs":{"a":{"$anchor":"x"},"b":{"$anchor":"x"}}})");
  EXPECT_FALSE(Schema::load(parsed("{}"), {parsed("{}")}).ok());
}

TEST(SchemaLoad, FindsReferencesThroughIdsAnchorsAndOtherDocuments) {
  const Json other = parsed(R"({"$id":"https://example.org/dir/other.json",
      "$defs":{"n":{"$anchor":"number","type":"number"}}})");
  const Schema schema =
      Schema::load(parsed(R"({"$id":"https://example.org/dir/main.json","properties":{
          "pointer":{"$ref":"other.json#/$defs/n"},"anchor":{"$ref":"./other.json#number"},
          "up":{"$ref":"../dir/other.json#number"},"inner":{"$ref":"inner#text"}},
          "$defs":{"x":{"$id":"inner","$defs":{"t":{"$anchor":"text","type":"string"}}}}})"),
                   {other})
          .value();

  EXPECT_TRUE(schema.check(parsed(R"({"pointer":1,"anchor":2,"up":3,"inner":"x"})")).empty());
  EXPECT_EQ(schema.check(parsed(R"({"pointer":"","anchor":"","up":"","inner":0})")).size(), 4u);
}

// The examples of RFC 3986, sections 5.4.1 and 5.4.2, that a schema can meet.
TEST(ResolveUri, GivesTheExamplesOfRfc3986) {
  const std::string base = "http://a/b/c/d;p?q";
  const std::pair<const char*, const char*> cases[] = {{"g:h", "g:h"},
                                                       {"g", "http://a/b/c/g"},
                                                       {"./g", "http://a/b/c/g"},
                                                       {"g/", "http://a/b/c/g/"},
                                                       {"/g", "http://a/g"},
                                                       {"//g", "http://g"},
                                                       {"?y", "http://a/b/c/d;p?y"},
                                                       {"g?y", "http://a/b/c/g?y"},
                                                       {"#s", "http://a/b/c/d;p?q#s"},
                                                       {"g#s", "http://a/b/c/g#s"},
                                                       {";x", "http://a/b/c/;x"},
                                                       {"", "http://a/b/c/d;p?q"},
                                                       {".", "http://a/b/c/"},
                                                       {"./", "http://a/b/c/"},
                                                       {"..", "http://a/b/"},
                                                       {"../g", "http://a/b/g"},
                                                       {"../..", "http://a/"},
                                                       {"../../g", "http://a/g"},
                                                       {"../../../g", "http://a/g"},
                                                       {"/./g", "http://a/g"},
                                                       {"/../g", "http://a/g"},
                                                       {"g.", "http://a/b/c/g."},
                                                       {"./../g", "http://a/b/g"},
                                                       {"g/./h", "http://a/b/c/g/h"},
                                                       {"g/../h", "http://a/b/c/h"}};
  for (const auto& [reference, expected] : cases) {
    EXPECT_EQ(resolve_uri(base, reference), expected) << reference;
  }
}

TEST(ResolveUri, KeepsUrnsAndFilesWhole) {
  EXPECT_EQ(resolve_uri("urn:uuid:1234", "#/a"), "urn:uuid:1234#/a");
  EXPECT_EQ(resolve_uri("mortise:pack.json", "#x"), "mortise:pack.json#x");
  EXPECT_EQ(resolve_uri("file:///folder/a.json", "b.json"), "file:///folder/b.json");
  EXPECT_EQ(resolve_uri("http://example.org", "a"), "http://example.org/a");
  EXPECT_EQ(resolve_uri("", "#/a:b"), "#/a:b");
}

}  // namespace
}  // namespace mortise::base
