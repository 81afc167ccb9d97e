// How the files of a vocabulary spell bytes: the GPT-2 alphabet, and "<0xE4>".
//
// Called by the BPE and SentencePiece models and by decode_chain.cpp. All functions are [any].
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace mortise::tokenizers {

// The GPT-2 alphabet: the character that stands for each byte, and back (-1: none).
const std::array<std::string, 256>& byte_alphabet();
int32_t byte_of_character(uint32_t code_point);
// The bytes that `token` stands for; false when a character is not in the alphabet.
bool bytes_of_token(std::string_view token, std::string& out);

// "<0xE4>" for the byte E4.
std::string fallback_name(unsigned byte);
// The byte that "<0xE4>" names, -1 for any other token.
int32_t byte_named_by(std::string_view token);

// "▁" (U+2581), which stands for a space, as a space.
std::string with_spaces(std::string_view token);

}  // namespace mortise::tokenizers
