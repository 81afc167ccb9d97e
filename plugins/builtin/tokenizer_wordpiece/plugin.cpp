// The face of the pack: mortise.tokenizer/1 over the classes of this folder.
#include <mortise/cpp/plugin.hpp>
#include <mortise/cpp/tokenizer_table.hpp>

#include "loader.h"
#include "tokenizers/plugin_tokenizer.h"

namespace mortise::tokenizer_wordpiece {
namespace {

tokenizers::Tokenizer load(std::string_view uri, sdk::Json config) {
  return load_tokenizer(std::string(uri), config, tokenizers::read_host_file);
}

struct WordPieceTokenizer : tokenizers::PluginTokenizer {
  WordPieceTokenizer(std::string_view uri, sdk::Json config) : PluginTokenizer(load(uri, config)) {}
};

}  // namespace
}  // namespace mortise::tokenizer_wordpiece

using mortise::tokenizer_wordpiece::WordPieceTokenizer;

MORTISE_PLUGIN("mortise.tokenizer_wordpiece",
               {MORTISE_KIND_TOKENIZER, mortise::sdk::tokenizer_table<WordPieceTokenizer>()});
