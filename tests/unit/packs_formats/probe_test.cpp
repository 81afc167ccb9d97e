// Which pack takes which file: a matrix of samples and probes.
#include <memory>

#include "tests/unit/packs_support/format_under_test.h"

namespace mortise {
namespace {

using packs_test::FormatUnderTest;

struct Sample {
  std::string name, text, winner;  // winner "": nobody is at least 50 sure
};

const std::vector<Sample> kSamples = {
    {"a.jsonl", "{\"a\":1}\n{\"a\":2}\n", "jsonl"},
    {"one.jsonl", "{\"a\":1}\n", "jsonl"},
    {"array.jsonl", R"([{"a":1},{"b":2}])", "jsonl"},  // its reader says what is wrong
    {"pretty.jsonl", "{\n  \"data\": [{\"a\":1}]\n}\n", "jsonl"},
    {"broken.jsonl", "{\"a\":1}\nnot json\n", "jsonl"},
    {"lines.json", "{\"a\":1}\n{\"a\":2}\n", "jsonl"},
    {"a.json", "[{\"a\":1},{\"b\":2}]", "json"},
    {"llava.json", R"([{"id":"1","image":"a.jpg","conversations":[{"from":"human","value":"x"}]}])",
     "json"},
    {"wrapped.json", R"({"info":{},"data":[{"a":1}]})", "json"},
    {"keyed.json", R"({"12":{"q":"x"},"13":{"q":"y"}})", "json"},
    {"karpathy.json", R"({"images":[{"filename":"1.jpg","split":"train"}],"dataset":"demo"})",
     "json"},
    {"clevr.json", R"({"questions":[{"image_index":1,"question":"x"}]})", "json"},
    {"settings.json", R"({"a":1,"b":[1,2]})", ""},
    {"instances.json", R"({"images":[{"id":1,"file_name":"a"}],"annotations":[]})", "coco"},
    {"cut.json", R"({"info":{"y":1},"images":[{"id":1,"file_name":"a"},{"id":2,"fi)", "coco"},
    {"captions.json", R"({"annotations":[{"id":1,"image_id":9,"caption":"x"}],"images":[]})",
     "coco"},
    {"questions.json", R"({"questions":[{"image_id":1,"question_id":2,"question":"x"}]})", "vqa"},
    {"export.json", R"([{"id":1,"data":{"image":"a"},"annotations":[]}])", "labelstudio"},
    {"a.csv", "file_name,text\n1.png,\"a, b\"\n", "csv"},
    {"a.tsv", "path\tsentence\n1.mp3\tHallo, du.\n", "csv"},
    {"single.csv", "response\n11111\n", "csv"},
    {"questions.txt", "s1|plane|which, then?|axial\ns2|organ|what?|lung\n", "csv"},
    {"eval_segments.csv", "# a\n# b\n# YTID, start\n-0RWZT-miFs, 4.0, 5.0, \"/m/01\"\n",
     "audioset"},
    {"copy.csv", "YTID,start_seconds,end_seconds,positive_labels\n-0RWZT-miFs,4.0,5.0,\"/m/01\"\n",
     "audioset"},
    {"strong.tsv", "segment_id\tstart_time_seconds\tend_time_seconds\tlabel\nb_3\t0\t2\t/m/1\n",
     "audioset"},
    {"README.md", "# A set\n\nIt holds things, many of them.\n", ""},
    {"picture.png", std::string("\x89PNG\r\n\x1A\n\0\0\0\rIHDR,", 17), ""},
    {"empty.txt", "", ""},
};

TEST(FormatProbes, EachSampleGoesToItsOwnPack) {
  const std::vector<std::pair<std::string, std::string>> packs = {
      {"jsonl", MORTISE_FORMAT_JSONL},
      {"json", MORTISE_FORMAT_JSON},
      {"csv", MORTISE_FORMAT_CSV},
      {"coco", MORTISE_FORMAT_COCO},
      {"vqa", MORTISE_FORMAT_VQA},
      {"audioset", MORTISE_FORMAT_AUDIOSET},
      {"labelstudio", MORTISE_FORMAT_LABELSTUDIO}};
  std::vector<std::unique_ptr<FormatUnderTest>> loaded;
  for (const auto& [name, library] : packs) {
    loaded.push_back(std::make_unique<FormatUnderTest>(library));
  }
  for (const Sample& sample : kSamples) {
    std::string winner;
    uint32_t best = 49, second = 0;
    std::string scores;
    for (size_t i = 0; i < packs.size(); ++i) {
      const uint32_t score = loaded[i]->score(sample.name, sample.text);
      scores += " " + packs[i].first + " " + std::to_string(score);
      if (score > best) {
        second = winner.empty() ? 0 : best;
        best = score;
        winner = packs[i].first;
      } else {
        second = std::max(second, score);
      }
    }
    EXPECT_EQ(winner, sample.winner) << sample.name << ":" << scores;
    EXPECT_TRUE(winner.empty() || second < best) << sample.name << ":" << scores;
  }
}

}  // namespace
}  // namespace mortise
