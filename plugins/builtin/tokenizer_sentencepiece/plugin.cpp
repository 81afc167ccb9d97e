// The face of the pack: mortise.tokenizer/1 over the classes of this folder.
#include <mortise/cpp/plugin.hpp>
#include <mortise/cpp/tokenizer_table.hpp>

#include "loader.h"
#include "tokenizers/plugin_tokenizer.h"

namespace mortise::tokenizer_sentencepiece {
namespace {

tokenizers::Tokenizer load(std::string_view uri, sdk::Json config) {
  return load_tokenizer(std::string(uri), config, tokenizers::read_host_file);
}

struct SentencePieceTokenizer : tokenizers::PluginTokenizer {
  SentencePieceTokenizer(std::string_view uri, sdk::Json config)
      : PluginTokenizer(load(uri, config)) {}
};

}  // namespace
}  // namespace mortise::tokenizer_sentencepiece

using mortise::tokenizer_sentencepiece::SentencePieceTokenizer;

MORTISE_PLUGIN("mortise.tokenizer_sentencepiece",
               {MORTISE_KIND_TOKENIZER, mortise::sdk::tokenizer_table<SentencePieceTokenizer>()});
