// The tokenizer pack through its C tables: batches, offsets, streams, refusals by name, training.
#include <gtest/gtest.h>
#include <mortise/draft/tokenizer_trainer.h>
#include <mortise/kind/tokenizer.h>
#include <mortise/cpp/arrow_build.hpp>
#include <mortise/cpp/arrow_read.hpp>
#include <mortise/cpp/utf8.hpp>

#include "tests/unit/packs_support/pack_under_test.h"

namespace mortise {
namespace {

using packs_test::failure_of;

// SentencePiece in miniature: a marker for spaces, bytes for what is unknown, <s> in front.
constexpr const char* kSpm = R"({
  "version": "1.0", "truncation": null, "padding": null,
  "added_tokens": [
    {"id": 0, "content": "<unk>", "special": true, "normalized": false},
    {"id": 1, "content": "<s>", "special": true, "normalized": false}],
  "normalizer": {"type": "Sequence", "normalizers": [
    {"type": "Prepend", "prepend": "▁"},
    {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
  "pre_tokenizer": null,
  "post_processor": {"type": "TemplateProcessing",
    "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}},
               {"Sequence": {"id": "A", "type_id": 0}}],
    "pair": [], "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}}},
  "decoder": {"type": "Sequence", "decoders": [
    {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
    {"type": "ByteFallback"}, {"type": "Fuse"},
    {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
  "model": {"type": "BPE", "unk_token": "<unk>", "fuse_unk": true, "byte_fallback": true,
    "vocab": {"<unk>": 0, "<s>": 1, "▁": 2, "a": 3, "b": 4, "▁a": 5, "ab": 6,
              "<0xC3>": 7, "<0xA9>": 8},
    "merges": ["▁ a", ["a", "b"]]}})";

class TokenizerPack : public testing::Test {
 protected:
  void SetUp() override { pack_.files.content["spm/tokenizer.json"] = kSpm; }
  ~TokenizerPack() override { table().destroy(instance_); }

  const mortise_tokenizer& table() const {
    return pack_.get<mortise_tokenizer>(MORTISE_KIND_TOKENIZER);
  }

  sdk::Failure create(const std::string& uri, const std::string& config = "{}") {
    table().destroy(instance_);
    instance_ = nullptr;
    return failure_of([&](mortise_error* error) {
      return table().create(sdk::text(uri), sdk::text(config), &instance_, error);
    });
  }

  // With one string of the file replaced.
  sdk::Failure create_with(const std::string& from, const std::string& to) {
    std::string text = kSpm;
    const size_t at = text.find(from);
    EXPECT_NE(at, text.npos) << from;
    pack_.files.content["other.json"] = text.replace(at, from.size(), to);
    return create("other.json");
  }

  struct Encoded {
    std::vector<std::vector<int32_t>> ids;
    std::vector<std::vector<int64_t>> offsets;
    sdk::Failure failure{MORTISE_STATUS_OK, ""};
  };

  Encoded encode(const std::vector<std::string>& texts, uint32_t flags, uint32_t tokens_max = 0) {
    sdk::TextBuilder builder;
    for (const std::string& text : texts) builder.append(text);
    const sdk::Array array = builder.finish();
    mortise_encode_options options{};
    options.struct_size = sizeof(options);
    options.flags = flags;
    options.length_tokens_max = tokens_max;
    ArrowArray out{};
    Encoded result;
    result.failure = failure_of([&](mortise_error* error) {
      return table().encode_batch(instance_, array.get(), &options, &out, error);
    });
    if (result.failure.code != MORTISE_STATUS_OK) return result;
    const sdk::StructView view(&out, 2);
    const auto ids = view.column<sdk::ListView<sdk::NumberView<int32_t>>>(0, "ids");
    const auto offsets = view.column<sdk::ListView<sdk::NumberView<int64_t>>>(1, "offsets");
    for (int64_t row = 0; row < view.size(); ++row) {
      result.ids.emplace_back();
      result.offsets.emplace_back();
      for (int64_t i = ids.begin(row); i < ids.end(row); ++i) {
        result.ids.back().push_back(ids.items()[i]);
      }
      for (int64_t i = offsets.begin(row); i < offsets.end(row); ++i) {
        result.offsets.back().push_back(offsets.items()[i]);
      }
    }
    out.release(&out);
    return result;
  }

  sdk::Failure decode(const std::vector<int32_t>& ids, uint32_t flags, std::string* out_text) {
    sdk::ListBuilder<sdk::NumberBuilder<int32_t>> builder;
    for (const int32_t id : ids) builder.items().append(id);
    builder.end_row();
    const sdk::Array array = builder.finish();
    mortise_decode_options options{};
    options.struct_size = sizeof(options);
    options.flags = flags;
    ArrowArray out{};
    const sdk::Failure failure = failure_of([&](mortise_error* error) {
      return table().decode_batch(instance_, array.get(), &options, &out, error);
    });
    if (failure.code != MORTISE_STATUS_OK) return failure;
    *out_text = std::string(sdk::TextView(&out)[0]);
    out.release(&out);
    return failure;
  }

  packs_test::PackUnderTest pack_{MORTISE_PACK_LIBRARY};
  mortise_tokenizer_instance* instance_ = nullptr;
};

using Ids = std::vector<int32_t>;

TEST_F(TokenizerPack, EncodesABatchWithBytesForTheUnknown) {
  ASSERT_EQ(create("spm").code, MORTISE_STATUS_OK);

  const Encoded got = encode({"ab a", "\xC3\xA9", ""}, MORTISE_ENCODE_ADD_SPECIAL);

  EXPECT_EQ(got.ids, (std::vector<Ids>{{1, 5, 4, 5}, {1, 2, 7, 8}, {1}}));
}

TEST_F(TokenizerPack, OffsetsAreBytesOfTheTextAsGiven) {
  ASSERT_EQ(create("spm").code, MORTISE_STATUS_OK);

  const Encoded got = encode({"ab a"}, MORTISE_ENCODE_OFFSETS);

  EXPECT_EQ(got.ids, (std::vector<Ids>{{5, 4, 5}}));
  EXPECT_EQ(got.offsets, (std::vector<std::vector<int64_t>>{{0, 1, 1, 2, 2, 4}}));
}

TEST_F(TokenizerPack, SpecialTokensInTheTextAreTextUnlessAskedFor) {
  ASSERT_EQ(create("spm").code, MORTISE_STATUS_OK);

  EXPECT_EQ(encode({"<s>"}, MORTISE_ENCODE_PARSE_SPECIAL).ids, (std::vector<Ids>{{1}}));
  EXPECT_NE(encode({"<s>"}, 0).ids, (std::vector<Ids>{{1}}));
}

TEST_F(TokenizerPack, CutsAtTheRightButKeepsWhatThePostProcessorAdds) {
  ASSERT_EQ(create("spm").code, MORTISE_STATUS_OK);

  EXPECT_EQ(encode({"ab a"}, MORTISE_ENCODE_ADD_SPECIAL, 2).ids, (std::vector<Ids>{{1, 5}}));
}

TEST_F(TokenizerPack, NamesTheTextThatIsNotUtf8) {
  ASSERT_EQ(create("spm").code, MORTISE_STATUS_OK);

  const sdk::Failure failure = encode({"ok", "a\xFF"}, 0).failure;

  EXPECT_EQ(failure.code, MORTISE_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(failure.row, 2);
  EXPECT_EQ(failure.byte, 1);
}

TEST_F(TokenizerPack, DecodesAndRefusesAnUnknownId) {
  ASSERT_EQ(create("spm").code, MORTISE_STATUS_OK);
  std::string text;

  ASSERT_EQ(decode({1, 5, 4, 5, 7, 8}, MORTISE_DECODE_SKIP_SPECIAL, &text).code, 0);
  EXPECT_EQ(text, "ab a\xC3\xA9");
  ASSERT_EQ(decode({5, 7, 4}, 0, &text).code, 0);
  EXPECT_EQ(text,
            "a\xEF\xBF\xBD"
            "b");
  EXPECT_EQ(decode({5, 99}, 0, &text).code, MORTISE_STATUS_OUT_OF_RANGE);
}

TEST_F(TokenizerPack, PiecesOfAStreamAddUpToTheWhole) {
  ASSERT_EQ(create("spm").code, MORTISE_STATUS_OK);
  const Ids ids = {1, 5, 7, 8, 4, 7, 5, 8, 2};
  mortise_decode_options options{};
  options.struct_size = sizeof(options);
  mortise_decoder* decoder = nullptr;
  ASSERT_EQ(table().decoder_create(instance_, &options, &decoder, nullptr), MORTISE_STATUS_OK);

  std::string streamed;
  for (const int32_t id : ids) {
    sdk::StringSink piece;
    ASSERT_EQ(table().decoder_push(decoder, id, piece.raw(), nullptr), MORTISE_STATUS_OK);
    EXPECT_LT(sdk::find_invalid_utf8(piece.value()), 0);
    streamed += piece.value();
  }
  sdk::StringSink rest;
  ASSERT_EQ(table().decoder_flush(decoder, rest.raw(), nullptr), MORTISE_STATUS_OK);
  table().decoder_destroy(decoder);
  std::string whole;
  ASSERT_EQ(decode(ids, 0, &whole).code, MORTISE_STATUS_OK);

  EXPECT_EQ(streamed + rest.value(), whole);
}

TEST_F(TokenizerPack, FindsBosAndEosInTheFilesBeside) {
  pack_.files.content["spm/tokenizer_config.json"] =
      R"({"bos_token": {"content": "<s>"}, "eos_token": null, "unk_token": "<unk>"})";
  ASSERT_EQ(create("spm", R"({"eos_token": "b"})").code, MORTISE_STATUS_OK);
  mortise_tokenizer_facts facts{};
  facts.struct_size = sizeof(facts);

  ASSERT_EQ(table().describe(instance_, &facts, nullptr), MORTISE_STATUS_OK);

  EXPECT_EQ(facts.vocab_count, 9u);
  EXPECT_EQ(facts.bos_id, 1);
  EXPECT_EQ(facts.eos_id, 4);
  EXPECT_EQ(facts.unk_id, 0);
  EXPECT_EQ(facts.pad_id, -1);
  EXPECT_EQ(create("spm", R"({"eos_token": "zebra"})").code, MORTISE_STATUS_INVALID_ARGUMENT);
}

TEST_F(TokenizerPack, RefusesByNameWhatItDoesNotDo) {
  const sdk::Failure model = create_with("\"type\": \"BPE\"", "\"type\": \"Unigram\"");
  const sdk::Failure step = create_with("\"type\": \"Prepend\"", "\"type\": \"Precompiled\"");
  const sdk::Failure cut =
      create_with("\"pre_tokenizer\": null", "\"pre_tokenizer\": {\"type\": \"UnicodeScripts\"}");
  const sdk::Failure decoder = create_with("\"type\": \"Fuse\"", "\"type\": \"CTC\"");
  const sdk::Failure dropout = create_with("\"fuse_unk\"", "\"dropout\": 0.1, \"fuse_unk\"");

  for (const auto& [failure, name] :
       std::vector<std::pair<sdk::Failure, std::string>>{{model, "Unigram"},
                                                         {step, "Precompiled"},
                                                         {cut, "UnicodeScripts"},
                                                         {decoder, "CTC"},
                                                         {dropout, "dropout"}}) {
    EXPECT_EQ(failure.code, MORTISE_STATUS_UNIMPLEMENTED) << name;
    EXPECT_NE(failure.message.find(name), std::string::npos) << failure.message;
  }
  EXPECT_EQ(step.field, "/normalizer/normalizers/0");
}

TEST_F(TokenizerPack, NamesWhatIsBrokenInTheFile) {
  EXPECT_EQ(create("nowhere").code, MORTISE_STATUS_NOT_FOUND);
  EXPECT_EQ(create_with("\"a\", \"b\"", "\"a\", \"q\"").code, MORTISE_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(create_with("\"b\": 4", "\"b\": 3").code, MORTISE_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(create_with("\"b\": 4", "\"b\": \"4\"").code, MORTISE_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(create_with("\"id\": 1, \"content\"", "\"id\": 3, \"content\"").code,
            MORTISE_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(create_with("\"unk_token\": \"<unk>\"", "\"unk_token\": \"<none>\"").code,
            MORTISE_STATUS_INVALID_ARGUMENT);
  pack_.files.content["cut.json"] = std::string(kSpm).substr(0, 200);
  EXPECT_EQ(create("cut.json").file, "cut.json");
}

TEST_F(TokenizerPack, ReadsVocabAndMergesAndAsksForAPattern) {
  pack_.files.content["old/vocab.json"] = R"({"a": 0, "b": 1, "ab": 2, "Ġ": 3})";
  pack_.files.content["old/merges.txt"] = "#version: 0.2\na b\n";
  const sdk::Failure silent = create("old");
  ASSERT_EQ(create("old", R"({"pattern": "gpt2"})").code, MORTISE_STATUS_OK);
  EXPECT_EQ(encode({"ab ab"}, 0).ids, (std::vector<Ids>{{2, 3, 2}}));
  pack_.files.content["old/merges.txt"] = "#version: 0.2\nab\n";
  const sdk::Failure broken = create("old", R"({"pattern": "gpt2"})");

  EXPECT_EQ(silent.field, "/pattern");
  EXPECT_NE(broken.message.find("line 2"), std::string::npos);
}

TEST_F(TokenizerPack, TrainsATokenizerThatItReads) {
  const auto& trainer = pack_.get<mortise_tokenizer_trainer>(MORTISE_TOKENIZER_TRAINER);
  mortise_tokenizer_trainer_instance* made = nullptr;
  const std::string config =
      R"({"vocab_size": 270, "special_tokens": ["<|end|>"], "pattern": "qwen2"})";
  ASSERT_EQ(trainer.create(sdk::text(config), &made, nullptr), MORTISE_STATUS_OK);
  sdk::TextBuilder texts;
  for (int i = 0; i < 10; ++i) texts.append("low lower lowest low");
  const sdk::Array batch = texts.finish();
  ASSERT_EQ(trainer.add(made, batch.get(), nullptr), MORTISE_STATUS_OK);
  sdk::StringSink json;
  ASSERT_EQ(trainer.finish(made, json.raw(), nullptr), MORTISE_STATUS_OK);
  trainer.destroy(made);
  pack_.files.content["new/tokenizer.json"] = json.value();

  ASSERT_EQ(create("new").code, MORTISE_STATUS_OK);

  const Encoded got = encode({" low<|end|>"}, MORTISE_ENCODE_PARSE_SPECIAL);
  ASSERT_EQ(got.ids[0].size(), 2u);
  EXPECT_EQ(got.ids[0][1], 0);
  sdk::StringSink fingerprint;
  ASSERT_EQ(table().fingerprint(instance_, fingerprint.raw(), nullptr), MORTISE_STATUS_OK);
  EXPECT_EQ(fingerprint.value().size(), 64u);
}

}  // namespace
}  // namespace mortise
