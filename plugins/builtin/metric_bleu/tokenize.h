// The tokenisers of sacrebleu 2: 13a, zh, char, intl, none.
//
// Called by bleu.cpp. A BLEU is comparable only with one of the same tokeniser, so its name is part
// of the configuration and of every state. Knows nothing of counts.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text.h"

namespace mortise::metric_bleu {

enum class Tokenizer : uint8_t { k13a, kZh, kChar, kIntl, kNone };

// Throws UNIMPLEMENTED for another name, naming those that there are.
Tokenizer tokenizer_of(std::string_view name);

// The words of a segment, after lowercasing when asked for. [any]
std::vector<Characters> tokenize(Tokenizer tokenizer, std::string_view text, bool lowercase);

}  // namespace mortise::metric_bleu
