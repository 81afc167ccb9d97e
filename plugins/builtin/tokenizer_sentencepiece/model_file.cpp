// A message is a list of fields: a key with number and wire type, then a varint, 4 or 8 bytes, or
// a length and as many bytes. Every length is checked against what is left.
#include "model_file.h"

#include <mortise/cpp/status.hpp>
#include <mortise/cpp/utf8.hpp>

#include <cstring>

namespace mortise::tokenizer_sentencepiece {
namespace {

struct Field {
  uint64_t number = 0;
  uint64_t value = 0;     // varint, or the bits of 4 or 8 bytes
  std::string_view text;  // of a length-delimited field
  int wire = 0;

  float as_float() const {
    const auto bits = static_cast<uint32_t>(value);
    float out;
    std::memcpy(&out, &bits, sizeof(out));
    return out;
  }
};

class Message {
 public:
  // start: where `bytes` stand in the file.
  Message(std::string_view bytes, size_t start, const std::string& file)
      : bytes_(bytes), start_(start), file_(file) {}

  // false at the end.
  bool next(Field* field) {
    if (at_ == bytes_.size()) return false;
    const uint64_t key = varint();
    *field = {key >> 3, 0, {}, static_cast<int>(key & 7)};
    switch (field->wire) {
      case 0:
        field->value = varint();
        break;
      case 1:
        field->value = fixed(8);
        break;
      case 2:
        field->text = take(varint());
        break;
      case 5:
        field->value = fixed(4);
        break;
      default:
        fail("a field of wire type " + std::to_string(field->wire));
    }
    return true;
  }
  Message inside(const Field& field) const {
    return {field.text, start_ + static_cast<size_t>(field.text.data() - bytes_.data()), file_};
  }
  // Throws when `field` is not of this wire type.
  void expect(const Field& field, int wire) const {
    if (field.wire != wire) {
      fail("field " + std::to_string(field.number) + " with wire type " +
           std::to_string(field.wire));
    }
  }
  [[noreturn]] void fail(const std::string& what) const {
    const auto byte = static_cast<int64_t>(start_ + at_);
    throw sdk::invalid_argument("It is no SentencePiece model: " + what + " before byte " +
                                std::to_string(byte) + ".")
        .at(file_, -1, byte);
  }

 private:
  std::string_view take(uint64_t size) {
    if (size > bytes_.size() - at_) {
      fail("a length of " + std::to_string(size) + " that goes beyond the end");
    }
    at_ += size;
    return bytes_.substr(at_ - size, size);
  }
  uint64_t varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const auto byte = static_cast<uint8_t>(take(1)[0]);
      value |= static_cast<uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return value;
    }
    fail("a number of more than ten bytes");
  }
  uint64_t fixed(size_t size) {
    const std::string_view raw = take(size);
    uint64_t value = 0;
    for (size_t i = size; i-- > 0;) value = value << 8 | static_cast<uint8_t>(raw[i]);
    return value;
  }

  std::string_view bytes_;
  size_t start_;
  const std::string& file_;
  size_t at_ = 0;
};

ModelFile::Piece read_piece(Message message) {
  ModelFile::Piece piece;
  for (Field field; message.next(&field);) {
    if (field.number == 1) {
      message.expect(field, 2);
      piece.text = field.text;
      if (!sdk::is_utf8(piece.text)) message.fail("a piece that is not UTF-8");
    } else if (field.number == 2) {
      message.expect(field, 5);
      piece.score = field.as_float();
    } else if (field.number == 3) {
      message.expect(field, 0);
      if (field.value < 1 || field.value > 6) message.fail("a piece of no known type");
      piece.type = static_cast<ModelFile::PieceType>(field.value);
    }
  }
  if (piece.text.empty()) message.fail("an empty piece");
  if (!(piece.score > -1e30F && piece.score < 1e30F)) message.fail("a score that is no number");
  return piece;
}

int32_t id_of(const Field& field) {
  return static_cast<int32_t>(static_cast<uint32_t>(field.value));
}

void read_trainer(Message message, ModelFile& model) {
  for (Field field; message.next(&field);) {
    const uint64_t n = field.number;
    if (n != 3 && n != 24 && n != 35 && n != 41 && n != 42 && n != 43) continue;
    message.expect(field, 0);
    if (n == 3) {
      if (field.value != 1 && field.value != 2) {
        throw sdk::unimplemented("The model type " + std::to_string(field.value) +
                                 " (word or char) is not done by mortise.tokenizer_sentencepiece; "
                                 "unigram and bpe are.");
      }
      model.algorithm = static_cast<ModelFile::Algorithm>(field.value);
    }
    if (n == 24) model.space_as_suffix = field.value != 0;
    if (n == 35) model.byte_fallback = field.value != 0;
    if (n == 41) model.bos_id = id_of(field);
    if (n == 42) model.eos_id = id_of(field);
    if (n == 43) model.pad_id = id_of(field);
  }
}

void read_normalizer(Message message, ModelFile& model) {
  for (Field field; message.next(&field);) {
    if (field.number < 2 || field.number > 5) continue;
    message.expect(field, field.number == 2 ? 2 : 0);
    if (field.number == 2) model.character_map = field.text;
    if (field.number == 3) model.add_dummy_prefix = field.value != 0;
    if (field.number == 4) model.remove_extra_blanks = field.value != 0;
    if (field.number == 5) model.escape_blanks = field.value != 0;
  }
}

}  // namespace

ModelFile read_model_file(std::string_view bytes, const std::string& file) {
  ModelFile model;
  Message message(bytes, 0, file);
  for (Field field; message.next(&field);) {
    if (field.number < 1 || field.number > 3) continue;
    message.expect(field, 2);
    if (field.number == 1) model.pieces.push_back(read_piece(message.inside(field)));
    if (field.number == 2) read_trainer(message.inside(field), model);
    if (field.number == 3) read_normalizer(message.inside(field), model);
  }
  if (model.pieces.empty()) message.fail("no piece");
  return model;
}

}  // namespace mortise::tokenizer_sentencepiece
