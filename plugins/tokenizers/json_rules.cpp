// A section is null, one rule with a "type", or a "Sequence" of rules.
#include "json_rules.h"

#include <mortise/cpp/status.hpp>

namespace mortise::tokenizers {
namespace {

using sdk::Json;

[[noreturn]] void refuse(std::string_view section, Json rule, std::string_view detail = {}) {
  std::string message =
      "The " + std::string(section) + " \"" + std::string(rule.get("type", "")) + "\"";
  if (!detail.empty()) message += " with " + std::string(detail);
  throw sdk::unimplemented(message + " is not done by this tokenizer.")
      .at("", -1, -1, rule.pointer());
}

// Calls visit for each rule of a section, in order, through nested sequences.
template <class Visit>
void for_each_rule(Json section, const char* list, Visit&& visit) {
  if (!section.exists() || section.is_null()) return;
  if (section["type"].as_text() != "Sequence") {
    visit(section);
    return;
  }
  section[list].for_each_item([&](Json rule) { for_each_rule(rule, list, visit); });
}

Pattern read_pattern(Json pattern) {
  const Json literal = pattern["String"];
  if (literal.exists()) return Pattern::literal(std::string(literal.as_text()));
  try {
    return Pattern::expression(std::string(pattern["Regex"].as_text()));
  } catch (const sdk::Failure& failure) {
    throw failure.at("", -1, -1, pattern.pointer());
  }
}

Behavior read_behavior(Json rule) {
  const std::string_view name = rule.get("behavior", "Isolated");
  if (name == "Isolated") return Behavior::kIsolated;
  if (name == "Removed") return Behavior::kRemoved;
  if (name == "MergedWithPrevious") return Behavior::kMergedWithPrevious;
  if (name == "MergedWithNext") return Behavior::kMergedWithNext;
  if (name == "Contiguous") return Behavior::kContiguous;
  refuse("pre_tokenizer", rule, "behavior " + std::string(name));
}

NormalizerStep read_normalizer_step(Json rule) {
  using Kind = NormalizerStep::Kind;
  const std::string_view type = rule["type"].as_text();
  NormalizerStep step;
  if (type == "NFC" || type == "NFD" || type == "NFKC" || type == "NFKD") {
    step.form = type == "NFC"    ? Form::kNfc
                : type == "NFD"  ? Form::kNfd
                : type == "NFKC" ? Form::kNfkc
                                 : Form::kNfkd;
  } else if (type == "Lowercase") {
    step.kind = Kind::kLowercase;
  } else if (type == "StripAccents") {
    step.kind = Kind::kStripAccents;
  } else if (type == "Strip") {
    step.kind = Kind::kStrip;
    step.left = rule.get("strip_left", true);
    step.right = rule.get("strip_right", true);
  } else if (type == "Prepend") {
    step.kind = Kind::kPrepend;
    step.content = rule["prepend"].as_text();
  } else if (type == "Replace") {
    step.kind = Kind::kReplace;
    step.pattern = read_pattern(rule["pattern"]);
    step.content = rule["content"].as_text();
  } else {
    refuse("normalizer", rule);
  }
  return step;
}

// BertNormalizer is several of our steps.
void add_bert_normalizer(Json rule, Normalizer& normalizer) {
  using Kind = NormalizerStep::Kind;
  const bool lowercase = rule.get("lowercase", true);
  const Json accents = rule["strip_accents"];
  const bool has_accents = accents.exists() && !accents.is_null();
  if (rule.get("clean_text", true)) normalizer.add({.kind = Kind::kClean});
  if (rule.get("handle_chinese_chars", true)) normalizer.add({.kind = Kind::kPadHan});
  if (has_accents ? accents.as_bool() : lowercase) {
    normalizer.add({.kind = Kind::kForm, .form = Form::kNfd});
    normalizer.add({.kind = Kind::kStripAccents, .all_marks = false});
  }
  if (lowercase) normalizer.add({.kind = Kind::kLowercase});
}

PreTokenizerStep read_metaspace(Json rule) {
  PreTokenizerStep step;
  step.kind = PreTokenizerStep::Kind::kMetaspace;
  step.replacement = rule.get("replacement", step.replacement.c_str());
  const bool prefix = rule.get("add_prefix_space", true);  // older files
  const std::string_view scheme = rule.get("prepend_scheme", prefix ? "always" : "never");
  using Scheme = PreTokenizerStep::Scheme;
  if (scheme != "always" && scheme != "first" && scheme != "never") {
    refuse("pre_tokenizer", rule, "prepend_scheme " + std::string(scheme));
  }
  step.scheme = scheme == "always"  ? Scheme::kAlways
                : scheme == "first" ? Scheme::kFirst
                                    : Scheme::kNever;
  step.split = rule.get("split", true);
  return step;
}

PreTokenizerStep read_pre_tokenizer_step(Json rule) {
  using Kind = PreTokenizerStep::Kind;
  const std::string_view type = rule["type"].as_text();
  PreTokenizerStep step;
  if (type == "ByteLevel") {
    step.kind = Kind::kByteLevel;
    step.add_prefix_space = rule.get("add_prefix_space", true);
    step.use_regex = rule.get("use_regex", true);
  } else if (type == "Split") {
    step.pattern = read_pattern(rule["pattern"]);
    step.behavior = read_behavior(rule);
    step.invert = rule.get("invert", false);
  } else if (type == "Metaspace") {
    step = read_metaspace(rule);
  } else if (type == "Digits") {
    step.kind = Kind::kDigits;
    step.individual_digits = rule.get("individual_digits", false);
  } else if (type == "Punctuation") {
    step.kind = Kind::kPunctuation;
    step.behavior = read_behavior(rule);
  } else if (type == "CharDelimiterSplit") {
    step.pattern = Pattern::literal(std::string(rule["delimiter"].as_text()));
    step.behavior = Behavior::kRemoved;
  } else if (type == "Whitespace") {
    step.kind = Kind::kWhitespace;
  } else if (type == "WhitespaceSplit") {
    step.kind = Kind::kWhitespaceSplit;
  } else if (type == "BertPreTokenizer") {
    step.kind = Kind::kBert;
  } else {
    refuse("pre_tokenizer", rule);
  }
  return step;
}

DecoderStep read_decoder_step(Json rule) {
  using Kind = DecoderStep::Kind;
  const std::string_view type = rule["type"].as_text();
  DecoderStep step;
  if (type == "ByteLevel") {
    step.kind = Kind::kByteLevel;
  } else if (type == "ByteFallback") {
    step.kind = Kind::kByteFallback;
  } else if (type == "Fuse") {
    step.kind = Kind::kFuse;
  } else if (type == "Strip") {
    step.kind = Kind::kStrip;
    step.content = rule["content"].as_text();
    step.start = static_cast<uint32_t>(rule.get("start", 0));
    step.stop = static_cast<uint32_t>(rule.get("stop", 0));
    if (step.content.empty()) refuse("decoder", rule, "an empty content");
  } else if (type == "Replace") {
    step.kind = Kind::kReplace;
    step.pattern = read_pattern(rule["pattern"]);
    step.content = rule["content"].as_text();
  } else if (type == "Metaspace") {
    const PreTokenizerStep metaspace = read_metaspace(rule);
    step.kind = Kind::kMetaspace;
    step.content = metaspace.replacement;
    step.strip_first = metaspace.scheme != PreTokenizerStep::Scheme::kNever;
    if (step.content.empty()) refuse("decoder", rule, "an empty replacement");
  } else if (type == "BPEDecoder") {
    step.kind = Kind::kBpe;
    step.content = rule.get("suffix", "</w>");
  } else if (type == "WordPiece") {
    step.kind = Kind::kWordPiece;
    step.content = rule.get("prefix", "##");
    step.cleanup = rule.get("cleanup", true);
  } else {
    refuse("decoder", rule);
  }
  return step;
}

}  // namespace

Normalizer read_normalizer(Json section) {
  Normalizer normalizer;
  for_each_rule(section, "normalizers", [&](Json rule) {
    if (rule["type"].as_text() == "BertNormalizer") {
      add_bert_normalizer(rule, normalizer);
    } else {
      normalizer.add(read_normalizer_step(rule));
    }
  });
  return normalizer;
}

PreTokenizer read_pre_tokenizer(Json section, bool& is_byte_level) {
  PreTokenizer pre_tokenizer;
  is_byte_level = false;
  for_each_rule(section, "pretokenizers", [&](Json rule) {
    // Why: behind ByteLevel the words are spelled in its alphabet, which is not done here.
    if (is_byte_level) refuse("pre_tokenizer", rule, "a ByteLevel before it");
    is_byte_level = rule["type"].as_text() == "ByteLevel";
    pre_tokenizer.add(read_pre_tokenizer_step(rule));
  });
  return pre_tokenizer;
}

DecodeRules read_decoder(Json section) {
  DecodeRules rules;
  rules.join_with_space = !section.exists() || section.is_null();
  for_each_rule(section, "decoders",
                [&](Json rule) { rules.steps.push_back(read_decoder_step(rule)); });
  return rules;
}

}  // namespace mortise::tokenizers
