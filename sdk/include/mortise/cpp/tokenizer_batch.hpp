// mortise/cpp/tokenizer_batch.hpp: Arrow arrays of texts and ids through a Tokenizer.
//
// The lower half of tokenizer_table.hpp, which is its only caller. Cuts encoding over the host's
// threads; the result does not depend on how many there are.
#ifndef MORTISE_CPP_TOKENIZER_BATCH_HPP
#define MORTISE_CPP_TOKENIZER_BATCH_HPP

#include <mortise/cpp/arrow_build.hpp>
#include <mortise/cpp/arrow_read.hpp>
#include <mortise/cpp/services.hpp>
#include <mortise/cpp/tokenizer.hpp>

namespace mortise::sdk::detail {

inline Encoding encode_row(const Tokenizer& tokenizer, std::string_view text, int64_t row,
                           const EncodeOptions& options) {
  const int64_t invalid = find_invalid_utf8(text);
  if (invalid >= 0) {
    throw invalid_argument("Text " + std::to_string(row + 1) + " is not UTF-8 at byte " +
                           std::to_string(invalid) + ".")
        .at("", row + 1, invalid);
  }
  Encoding encoding;
  tokenizer.encode(text, options, &encoding);
  if (options.length_tokens_max != 0 && encoding.ids.size() > options.length_tokens_max) {
    encoding.ids.resize(options.length_tokens_max);
  }
  if (!options.wants_offsets) encoding.offsets.clear();
  if (options.wants_offsets) encoding.offsets.resize(2 * encoding.ids.size());
  return encoding;
}

inline Array encode_batch(const Tokenizer& tokenizer, const ArrowArray* raw,
                          const EncodeOptions& options) {
  const TextView texts(raw, "texts");
  std::vector<Encoding> rows(static_cast<size_t>(texts.size()));
  parallel_for(rows.size(), 16, [&](uint64_t begin, uint64_t end) {
    for (uint64_t i = begin; i < end; ++i) {
      if (i % 64 == 0) check_cancelled();
      const auto row = static_cast<int64_t>(i);
      rows[i] = encode_row(tokenizer, texts[row], row, options);
    }
  });
  ListBuilder<NumberBuilder<int32_t>> ids;
  ListBuilder<NumberBuilder<int64_t>> offsets;
  for (const Encoding& row : rows) {
    ids.items().append_all(row.ids.data(), row.ids.size());
    offsets.items().append_all(row.offsets.data(), row.offsets.size());
    ids.end_row();
    offsets.end_row();
  }
  return struct_array(texts.size(), make_vector(ids.finish(), offsets.finish()));
}

inline Array decode_batch(const Tokenizer& tokenizer, const ArrowArray* raw,
                          const DecodeOptions& options) {
  const ListView<NumberView<int32_t>> lists(raw, "ids");
  TextBuilder texts;
  for (int64_t row = 0; row < lists.size(); ++row) {
    if (row % 64 == 0) check_cancelled();
    const auto count = static_cast<size_t>(lists.end(row) - lists.begin(row));
    std::string bytes;
    try {
      const int32_t* ids = lists.items().data();
      if (count > 0) tokenizer.decode(ids + lists.begin(row), count, options, &bytes);
    } catch (const Failure& failure) {
      throw failure.at("", row + 1, -1, "ids");
    }
    std::string text;
    Utf8Assembler repaired;
    repaired.push(bytes, &text);
    repaired.flush(&text);
    texts.append(text);
  }
  return texts.finish();
}

inline Array vocab(const Tokenizer& tokenizer) {
  const auto count = static_cast<int32_t>(tokenizer.describe().vocab_count);
  TextBuilder tokens;
  std::string bytes;
  for (int32_t id = 0; id < count; ++id) {
    bytes.clear();
    if (tokenizer.token_bytes(id, &bytes)) {
      tokens.append(bytes);
    } else {
      tokens.append_null();
    }
  }
  return tokens.finish();
}

}  // namespace mortise::sdk::detail

#endif
