// The parts of a Tokenizer: SentencePiece's normaliser, no words, one model, and a decoder of our
// own chain.
#include "loader.h"

#include "blanks.h"
#include "piece_model.h"
#include "tokenizers/sha256.h"
#include "tokenizers/tokenizer_json.h"

namespace mortise::tokenizer_sentencepiece {

using namespace tokenizers;

namespace {

using sdk::Json;

// As tokenizers' decoder of a Llama: marks to blanks, bytes to characters, the first blank off.
DecodeRules decoder_of(const ModelFile& file) {
  DecodeRules rules;
  DecoderStep marks;
  marks.kind = DecoderStep::Kind::kReplace;
  marks.pattern = Pattern::literal("\xE2\x96\x81");
  marks.content = " ";
  DecoderStep bytes;
  bytes.kind = DecoderStep::Kind::kByteFallback;
  DecoderStep fuse;
  fuse.kind = DecoderStep::Kind::kFuse;
  DecoderStep strip;
  strip.kind = DecoderStep::Kind::kStrip;
  strip.content = " ";
  const bool has_blank = file.add_dummy_prefix || file.remove_extra_blanks;
  strip.start = has_blank && !file.space_as_suffix ? 1 : 0;
  strip.stop = file.add_dummy_prefix && file.space_as_suffix ? 1 : 0;
  rules.steps = {marks, bytes, fuse, strip};
  return rules;
}

bool flag(Json config, const char* name, const SideFiles& files, const char* files_name,
          bool otherwise) {
  Json value = config[name];
  if (!value.exists() && files.config()) value = (*files.config())[files_name];
  return !value.exists() || value.is_null() ? otherwise : value.as_bool();
}

int32_t checked_id(int32_t id, const ModelFile& file) {
  return id >= 0 && id < static_cast<int32_t>(file.pieces.size()) ? id : -1;
}

std::string fingerprint_of(const ModelFile& file, const Model& model) {
  std::string all = model.identity();
  for (const bool rule : {file.add_dummy_prefix, file.remove_extra_blanks, file.escape_blanks,
                          file.space_as_suffix}) {
    all += rule ? '1' : '0';
  }
  return sha256_hex(all + file.character_map);
}

TokenizerParts parts_of(const ModelFile& file) {
  TokenizerParts parts;
  const auto model = std::make_shared<PieceModel>(file);
  NormalizerStep step;
  step.kind = NormalizerStep::Kind::kChange;
  step.change = std::make_shared<BlankNormalizer>(file, model->user_pieces());
  parts.normalizer.add(std::move(step));
  for (size_t id = 0; id < file.pieces.size(); ++id) {
    if (file.pieces[id].type != ModelFile::PieceType::kControl) continue;
    AddedToken token;
    token.id = static_cast<int32_t>(id);
    token.content = file.pieces[id].text;
    token.special = true;
    parts.added.push_back(std::move(token));
  }
  parts.model = model;
  parts.decoder = decoder_of(file);
  parts.unk_id = model->unk_id();
  parts.fingerprint = fingerprint_of(file, *model);
  return parts;
}

}  // namespace

Tokenizer load_tokenizer(const std::string& uri, Json config, const ReadFile& read) {
  const bool is_file = uri.ends_with(".model") || uri.rfind(".model.") != uri.npos;
  const std::string name = is_file ? uri : join(uri, "tokenizer.model");
  const std::optional<std::string> bytes = read(name);
  if (!bytes) {
    throw sdk::Failure(MORTISE_STATUS_NOT_FOUND,
                       "There is no tokenizer at " + uri + ": " + name + " does not exist.")
        .at(uri);
  }
  const SideFiles files(is_file ? folder_of(uri) : uri, read);
  const ModelFile file = read_model_file(*bytes, name);
  TokenizerParts parts;
  try {
    parts = parts_of(file);
  } catch (const sdk::Failure& failure) {
    sdk::Failure located = failure;
    located.file = name;
    throw located;
  }
  files.find_specials(config, parts);
  if (parts.bos_id < 0) parts.bos_id = checked_id(file.bos_id, file);
  if (parts.eos_id < 0) parts.eos_id = checked_id(file.eos_id, file);
  if (parts.pad_id < 0) parts.pad_id = checked_id(file.pad_id, file);
  if (parts.bos_id >= 0 && flag(config, "add_bos", files, "add_bos_token", true)) {
    parts.front_ids.push_back(parts.bos_id);
  }
  if (parts.eos_id >= 0 && flag(config, "add_eos", files, "add_eos_token", false)) {
    parts.back_ids.push_back(parts.eos_id);
  }
  return Tokenizer(std::move(parts));
}

}  // namespace mortise::tokenizer_sentencepiece
