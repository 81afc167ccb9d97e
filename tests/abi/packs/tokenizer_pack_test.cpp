// The example tokenizer: batches, offsets, decoding in pieces, refusals.
#include "mortise/cpp/arrow_build.hpp"
#include "mortise/cpp/arrow_read.hpp"
#include "mortise/cpp/utf8.hpp"
#include "mortise/kind/tokenizer.h"
#include "tests/abi/fake_host.h"

namespace mortise::abi {
namespace {

using Ids = std::vector<int32_t>;

class BytesPack : public ::testing::Test {
 protected:
  BytesPack() : pack_(std::string(MORTISE_PACKS) + "/tokenizer_cpp/lib/tokenizer_cpp.so", host_) {
    table_ = pack_.table<mortise_tokenizer>(MORTISE_KIND_TOKENIZER);
    sdk::ErrorCollector error;
    table_->create(sdk::text(""), sdk::text("{}"), &instance_, error.raw());
  }
  ~BytesPack() override { table_->destroy(instance_); }

  sdk::Failure encode(const std::vector<std::string>& texts, uint32_t flags, uint32_t length_max,
                      sdk::Array* out) {
    sdk::TextBuilder builder;
    for (const std::string& text : texts) builder.append(text);
    const sdk::Array array = builder.finish();
    mortise_encode_options options{};
    options.struct_size = sizeof(options);
    options.flags = flags;
    options.length_tokens_max = length_max;
    return reported([&](mortise_error* error) {
      return table_->encode_batch(instance_, array.get(), &options, out->get(), error);
    });
  }
  static Ids ids_of(const sdk::Array& encoded, int64_t row) {
    const sdk::StructView view(encoded.get(), 2);
    const auto ids = view.column<sdk::ListView<sdk::NumberView<int32_t>>>(0, "ids");
    Ids list;
    for (int64_t i = ids.begin(row); i < ids.end(row); ++i) list.push_back(ids.items()[i]);
    return list;
  }
  sdk::Failure decode(const Ids& ids, uint32_t flags, std::string* text) {
    sdk::ListBuilder<sdk::NumberBuilder<int32_t>> builder;
    for (const int32_t id : ids) builder.items().append(id);
    builder.end_row();
    const sdk::Array array = builder.finish();
    mortise_decode_options options{};
    options.struct_size = sizeof(options);
    options.flags = flags;
    sdk::Array out;
    const auto failure = reported([&](mortise_error* error) {
      return table_->decode_batch(instance_, array.get(), &options, out.get(), error);
    });
    if (!out.is_released()) *text = sdk::TextView(out.get())[0];
    return failure;
  }

  FakeHost host_;
  LoadedPack pack_;
  const mortise_tokenizer* table_;
  mortise_tokenizer_instance* instance_ = nullptr;
};

TEST_F(BytesPack, EncodesABatch) {
  sdk::Array out;
  ASSERT_EQ(
      encode({"ab", "", "<s>"}, MORTISE_ENCODE_ADD_SPECIAL | MORTISE_ENCODE_PARSE_SPECIAL, 0, &out)
          .message,
      "");

  EXPECT_EQ(ids_of(out, 0), (Ids{0, 'a' + 2, 'b' + 2}));
  EXPECT_EQ(ids_of(out, 1), (Ids{0}));
  EXPECT_EQ(ids_of(out, 2), (Ids{0, 0}));
}

TEST_F(BytesPack, GivesOffsetsOnlyWhenAsked) {
  sdk::Array with, without;
  encode({"ab"}, MORTISE_ENCODE_OFFSETS, 0, &with);
  encode({"ab"}, 0, 0, &without);
  using Lists = sdk::ListView<sdk::NumberView<int64_t>>;

  const auto offsets = sdk::StructView(with.get(), 2).column<Lists>(1, "offsets");
  const auto none = sdk::StructView(without.get(), 2).column<Lists>(1, "offsets");

  ASSERT_EQ(offsets.end(0), 4);
  EXPECT_EQ(offsets.items()[2], 1);
  EXPECT_EQ(offsets.items()[3], 2);
  EXPECT_EQ(none.end(0), 0);
}

TEST_F(BytesPack, CutsAtTheRight) {
  sdk::Array out;
  encode({"abcd"}, MORTISE_ENCODE_OFFSETS, 2, &out);

  EXPECT_EQ(ids_of(out, 0), (Ids{'a' + 2, 'b' + 2}));
}

TEST_F(BytesPack, RefusesTextThatIsNotUtf8AndUnknownFlags) {
  sdk::Array out;

  const auto failure = encode({"fine", "b\xFF"}, 0, 0, &out);

  EXPECT_EQ(failure.row, 2);
  EXPECT_EQ(failure.byte, 1);
  EXPECT_EQ(encode({"x"}, 64, 0, &out).code, MORTISE_STATUS_INVALID_ARGUMENT);
  EXPECT_TRUE(out.is_released());
}

TEST_F(BytesPack, DecodesAndRepairs) {
  std::string text;

  EXPECT_EQ(decode({0, 'a' + 2, 0xE2 + 2, 0x82 + 2, 1}, MORTISE_DECODE_SKIP_SPECIAL, &text).message,
            "");
  EXPECT_EQ(text, "a\xEF\xBF\xBD");
  EXPECT_EQ(decode({0, 'a' + 2}, 0, &text).message, "");
  EXPECT_EQ(text, "<s>a");
}

TEST_F(BytesPack, RefusesUnknownIdsNamingTheRow) {
  std::string text;

  const auto failure = decode({5, 258}, 0, &text);

  EXPECT_EQ(failure.code, MORTISE_STATUS_OUT_OF_RANGE);
  EXPECT_EQ(failure.row, 1);
}

TEST_F(BytesPack, PiecesOfADecoderEqualTheWhole) {
  const Ids ids = {0, 'h' + 2, 0xE2 + 2, 0x82 + 2, 0xAC + 2, 0xF0 + 2, 'z' + 2, 0xC3 + 2};
  std::string whole;
  decode(ids, 0, &whole);
  mortise_decode_options options{};
  options.struct_size = sizeof(options);
  sdk::ErrorCollector error;
  mortise_decoder* decoder = nullptr;
  ASSERT_EQ(table_->decoder_create(instance_, &options, &decoder, error.raw()), 0);
  std::string pieces;

  for (const int32_t id : ids) {
    sdk::StringSink piece;
    ASSERT_EQ(table_->decoder_push(decoder, id, piece.raw(), error.raw()), 0);
    EXPECT_TRUE(sdk::is_utf8(piece.value()));
    pieces += piece.value();
  }
  sdk::StringSink rest;
  table_->decoder_flush(decoder, rest.raw(), error.raw());
  table_->decoder_destroy(decoder);

  EXPECT_EQ(pieces + rest.value(), whole);
}

TEST_F(BytesPack, VocabularyHasEveryIdAndTheFingerprint64Digits) {
  sdk::Array vocab;
  sdk::StringSink fingerprint;
  sdk::ErrorCollector error;
  mortise_tokenizer_facts facts{};
  facts.struct_size = sizeof(facts);

  table_->vocab(instance_, vocab.get(), error.raw());
  table_->fingerprint(instance_, fingerprint.raw(), error.raw());
  table_->describe(instance_, &facts, error.raw());

  EXPECT_EQ(sdk::TextView(vocab.get()).size(), facts.vocab_count);
  EXPECT_EQ(sdk::TextView(vocab.get())[1], "</s>");
  EXPECT_EQ(fingerprint.value().size(), 64u);
  EXPECT_EQ(facts.eos_id, 1);
  EXPECT_EQ(facts.pad_id, -1);
}

}  // namespace
}  // namespace mortise::abi
