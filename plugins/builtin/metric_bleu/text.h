// Text as the scorers of Python see it: a row of characters, white space, lower case, categories.
//
// Called by tokenize.cpp. The character data come from utf8proc (Unicode 14). Knows nothing of
// scores. All functions are [any].
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mortise::metric_bleu {

using Characters = std::u32string;

// UTF-8 to characters; what is not UTF-8 becomes U+FFFD.
Characters decode(std::string_view text);

// White space of str.split().
bool is_space(char32_t c);
bool is_number(char32_t c);       // \p{N}
bool is_punctuation(char32_t c);  // \p{P}
bool is_symbol(char32_t c);       // \p{S}

// str.lower(): one character may become two, and a sigma at the end of a word is written ς.
Characters lower(const Characters& text);

// Without the white space at the end, or at both ends.
Characters strip_end(Characters text);
Characters strip(Characters text);

// The words between white space.
std::vector<Characters> split(const Characters& text);

}  // namespace mortise::metric_bleu
