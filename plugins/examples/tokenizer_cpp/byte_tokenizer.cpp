// Bytes as tokens: id = byte + 2, with 0 "<s>" and 1 "</s>" as special tokens.
//
// The example of a tokenizer in C++. It reads no file, so uri is ignored; the order of the work is
// the same as in a big one: special tokens in the text, then the rest, then what is added around.
#include <mortise/cpp/plugin.hpp>
#include <mortise/cpp/tokenizer_table.hpp>

namespace {

using namespace mortise::sdk;

constexpr int32_t kBos = 0;
constexpr int32_t kEos = 1;
constexpr int32_t kFirstByte = 2;
constexpr int32_t kVocabCount = kFirstByte + 256;
constexpr std::string_view kSpecial[] = {"<s>", "</s>"};

class ByteTokenizer : public Tokenizer {
 public:
  ByteTokenizer(std::string_view /*uri*/, Json config) : add_bos_(config.get("add_bos", true)) {}

  TokenizerFacts describe() const override {
    TokenizerFacts facts;
    facts.vocab_count = kVocabCount;
    facts.bos_id = kBos;
    facts.eos_id = kEos;
    return facts;
  }

  void encode(std::string_view text, const EncodeOptions& options, Encoding* out) const override {
    const auto add = [out](int32_t id, size_t begin, size_t size) {
      out->ids.push_back(id);
      out->offsets.push_back(static_cast<int64_t>(begin));
      out->offsets.push_back(static_cast<int64_t>(begin + size));
    };
    if (options.add_special && add_bos_) add(kBos, 0, 0);
    size_t at = 0;
    while (at < text.size()) {
      const int32_t special = options.parse_special ? special_at(text.substr(at)) : -1;
      const size_t size = special >= 0 ? kSpecial[special].size() : 1;
      add(special >= 0 ? special : kFirstByte + static_cast<uint8_t>(text[at]), at, size);
      at += size;
    }
  }

  void decode(const int32_t* ids, size_t count, const DecodeOptions& options,
              std::string* out) const override {
    for (size_t i = 0; i < count; ++i) {
      if (ids[i] < 0 || ids[i] >= kVocabCount) {
        throw out_of_range("Id " + std::to_string(ids[i]) + " is unknown; ids are 0 .. " +
                           std::to_string(kVocabCount - 1) + ".");
      }
      if (ids[i] < kFirstByte && options.skip_special) continue;
      token_bytes(ids[i], out);
    }
  }

  bool token_bytes(int32_t id, std::string* out) const override {
    if (id < kFirstByte) {
      out->append(kSpecial[id]);
    } else {
      out->push_back(static_cast<char>(id - kFirstByte));
    }
    return true;
  }

  // A hash would do as well: what decides the ids is this version of the code and add_bos.
  std::string fingerprint() const override {
    return std::string(62, '0') + (add_bos_ ? "11" : "10");
  }

 private:
  static int32_t special_at(std::string_view text) {
    for (const int32_t id : {kBos, kEos}) {
      if (text.substr(0, kSpecial[id].size()) == kSpecial[id]) return id;
    }
    return -1;
  }

  bool add_bos_;
};

}  // namespace

MORTISE_PLUGIN("com.example.tokenizer_bytes",
               {MORTISE_KIND_TOKENIZER, tokenizer_table<ByteTokenizer>()});
