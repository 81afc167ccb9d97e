// The content of a SentencePiece .model file: a protocol buffer, read with bounds.
//
// Called by loader.cpp. Fields that decide no id are skipped. Source: sentencepiece_model.proto.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mortise::tokenizer_sentencepiece {

struct ModelFile {
  enum class PieceType : uint8_t {
    kNormal = 1,
    kUnknown = 2,
    kControl = 3,
    kUserDefined = 4,
    kUnused = 5,
    kByte = 6
  };
  enum class Algorithm : uint8_t { kUnigram = 1, kBpe = 2 };
  struct Piece {
    std::string text;
    float score = 0;
    PieceType type = PieceType::kNormal;
  };

  std::vector<Piece> pieces;  // by id
  Algorithm algorithm = Algorithm::kUnigram;
  bool byte_fallback = false;
  bool space_as_suffix = false;  // the dummy blank stands behind the text
  int32_t bos_id = 1;            // -1: none
  int32_t eos_id = 2;
  int32_t pad_id = -1;
  std::string character_map;  // see charsmap.h; empty: characters stay as they are
  bool add_dummy_prefix = true;
  bool remove_extra_blanks = true;
  bool escape_blanks = true;  // a blank becomes U+2581
};

// `bytes` is the content of `file`, which is named in messages with the byte that is broken. Throws
// INVALID_ARGUMENT for what is no such file, UNIMPLEMENTED for the model types word and char.
ModelFile read_model_file(std::string_view bytes, const std::string& file);

}  // namespace mortise::tokenizer_sentencepiece
