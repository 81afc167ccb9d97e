// A step sees each word of the step before on its own; empty words vanish.
#include "pre_tokenizer.h"

#include <algorithm>
#include <functional>

#include "unicode.h"

namespace mortise::tokenizers {
namespace {

struct Part {
  Range range;
  bool is_match = false;
};

// The matches and what lies between them, in order, covering `word`.
std::vector<Part> parts_of(Range word, const std::vector<Range>& matches) {
  std::vector<Part> parts;
  size_t at = word.begin;
  for (const Range& match : matches) {
    const Range here{word.begin + match.begin, word.begin + match.end};
    if (at < here.begin) parts.push_back({{at, here.begin}, false});
    parts.push_back({here, true});
    at = here.end;
  }
  if (at < word.end) parts.push_back({{at, word.end}, false});
  return parts;
}

std::vector<Range> characters_where(std::string_view text, bool (*test)(uint32_t)) {
  std::vector<Range> found;
  for (size_t i = 0; i < text.size();) {
    const CodePoint c = code_point_at(text, i);
    if (test(c.value)) found.push_back({i, i + c.size_bytes});
    i += c.size_bytes;
  }
  return found;
}

void merge_neighbours(const std::vector<Part>& parts, std::vector<Range>& out) {
  bool previous = false;
  bool any = false;
  for (const Part& part : parts) {
    if (any && part.is_match == previous) {
      out.back().end = part.range.end;
    } else {
      out.push_back(part.range);
    }
    previous = part.is_match;
    any = true;
  }
}

void merge_with_previous(const std::vector<Part>& parts, std::vector<Range>& out) {
  bool previous = false;
  bool any = false;
  for (const Part& part : parts) {
    if (part.is_match && !previous && any) {
      out.back().end = part.range.end;
    } else {
      out.push_back(part.range);
    }
    previous = part.is_match;
    any = true;
  }
}

void merge_with_next(const std::vector<Part>& parts, std::vector<Range>& out) {
  std::vector<Range> reversed;
  bool previous = false;
  for (size_t i = parts.size(); i-- > 0;) {
    if (parts[i].is_match && !previous && !reversed.empty()) {
      reversed.back().begin = parts[i].range.begin;
    } else {
      reversed.push_back(parts[i].range);
    }
    previous = parts[i].is_match;
  }
  out.insert(out.end(), reversed.rbegin(), reversed.rend());
}

void split_word(Range word, const std::vector<Range>& matches, Behavior behavior, bool invert,
                std::vector<Range>& out) {
  std::vector<Part> parts = parts_of(word, matches);
  if (invert) {
    for (Part& part : parts) part.is_match = !part.is_match;
  }
  switch (behavior) {
    case Behavior::kIsolated:
      for (const Part& part : parts) out.push_back(part.range);
      break;
    case Behavior::kRemoved:
      for (const Part& part : parts) {
        if (!part.is_match) out.push_back(part.range);
      }
      break;
    case Behavior::kContiguous:
      merge_neighbours(parts, out);
      break;
    case Behavior::kMergedWithPrevious:
      merge_with_previous(parts, out);
      break;
    case Behavior::kMergedWithNext:
      merge_with_next(parts, out);
      break;
  }
}

using Matcher = std::function<std::vector<Range>(std::string_view)>;

std::vector<Range> split_all(const AlignedText& text, const std::vector<Range>& words,
                             Behavior behavior, bool invert, const Matcher& matcher) {
  std::vector<Range> out;
  out.reserve(words.size() * 2);
  for (const Range& word : words) {
    split_word(word, matcher(text.bytes(word)), behavior, invert, out);
  }
  return out;
}

std::vector<Range> split_where(const AlignedText& text, const std::vector<Range>& words,
                               Behavior behavior, bool (*test)(uint32_t)) {
  return split_all(text, words, behavior, false,
                   [test](std::string_view bytes) { return characters_where(bytes, test); });
}

bool is_number(uint32_t c) {
  return class_of(c) == Class::kNumber;
}

// "\w+|[^\w\s]+": runs of word characters and runs of marks; white space is dropped.
std::vector<Range> whitespace_words(const AlignedText& text, const std::vector<Range>& words) {
  std::vector<Range> out;
  const auto kind_of = [](uint32_t c) { return is_word(c) ? 1 : is_space(c) ? 0 : 2; };
  for (const Range& word : words) {
    int open = 0;
    for (size_t i = word.begin; i < word.end;) {
      const CodePoint c = code_point_at(text.bytes(), i);
      const int kind = kind_of(c.value);
      const size_t next = i + c.size_bytes;
      if (kind != 0 && kind == open) {
        out.back().end = next;
      } else if (kind != 0) {
        out.push_back({i, next});
      }
      open = kind;
      i = next;
    }
  }
  return out;
}

// The text again, with `front` before the words that `wants` it.
std::vector<Range> prepend_to(AlignedText& text, const std::vector<Range>& words,
                              const std::string& front, const std::function<bool(Range)>& wants) {
  if (std::none_of(words.begin(), words.end(), wants)) return words;
  Edit edit(text);
  std::vector<Range> moved;
  for (const Range& word : words) {
    const size_t begin = edit.size();
    if (wants(word)) edit.put(front, {word.begin, word.begin});
    edit.keep(word);
    moved.push_back({begin, edit.size()});
  }
  text = edit.take();
  return moved;
}

std::vector<Range> apply_byte_level(const PreTokenizerStep& step, AlignedText& text,
                                    std::vector<Range> words) {
  if (step.add_prefix_space) {
    words = prepend_to(text, words, " ",
                       [&text](Range word) { return text.bytes()[word.begin] != ' '; });
  }
  if (!step.use_regex) return words;
  static const Pattern gpt2 = Pattern::expression(std::string(kGpt2Expression));
  return split_all(text, words, Behavior::kIsolated, false,
                   [](std::string_view bytes) { return gpt2.matches(bytes); });
}

std::vector<Range> apply_metaspace(const PreTokenizerStep& step, AlignedText& text,
                                   const std::vector<Range>& words) {
  Edit edit(text);
  std::vector<Range> moved;
  for (const Range& word : words) {
    const size_t begin = edit.size();
    const std::string_view bytes = text.bytes(word);
    const bool has_mark = bytes.front() == ' ' || bytes.starts_with(step.replacement);
    const bool wanted =
        step.scheme == PreTokenizerStep::Scheme::kAlways ||
        (step.scheme == PreTokenizerStep::Scheme::kFirst && text.is_at_start(word.begin));
    if (wanted && !has_mark) edit.put(step.replacement, {word.begin, word.begin});
    size_t at = word.begin;
    for (size_t i = word.begin; i < word.end; ++i) {
      if (text.bytes()[i] != ' ') continue;
      edit.keep({at, i});
      edit.put(step.replacement, {i, i + 1});
      at = i + 1;
    }
    edit.keep({at, word.end});
    moved.push_back({begin, edit.size()});
  }
  text = edit.take();
  if (!step.split) return moved;
  const Pattern mark = Pattern::literal(step.replacement);
  return split_all(text, moved, Behavior::kMergedWithNext, false,
                   [&mark](std::string_view bytes) { return mark.matches(bytes); });
}

std::vector<Range> apply_step(const PreTokenizerStep& step, AlignedText& text,
                              std::vector<Range> words) {
  using Kind = PreTokenizerStep::Kind;
  switch (step.kind) {
    case Kind::kSplit:
      return split_all(text, words, step.behavior, step.invert,
                       [&step](std::string_view bytes) { return step.pattern.matches(bytes); });
    case Kind::kDigits:
      return split_where(text, words,
                         step.individual_digits ? Behavior::kIsolated : Behavior::kContiguous,
                         is_number);
    case Kind::kMetaspace:
      return apply_metaspace(step, text, words);
    case Kind::kByteLevel:
      return apply_byte_level(step, text, std::move(words));
    case Kind::kWhitespace:
      return whitespace_words(text, words);
    case Kind::kWhitespaceSplit:
      return split_where(text, words, Behavior::kRemoved, is_space);
    case Kind::kPunctuation:
      return split_where(text, words, step.behavior, is_punctuation);
    case Kind::kBert:
      words = split_where(text, words, Behavior::kRemoved, is_space);
      return split_where(text, words, Behavior::kIsolated, is_punctuation);
  }
  return words;
}

}  // namespace

void PreTokenizer::add(PreTokenizerStep step) {
  steps_.push_back(std::move(step));
  scanner_ = find_only_scanner();
}

Scanner PreTokenizer::find_only_scanner() const {
  using Kind = PreTokenizerStep::Kind;
  Scanner found = nullptr;
  for (const PreTokenizerStep& step : steps_) {
    Scanner own = nullptr;
    if (step.kind == Kind::kByteLevel && !step.add_prefix_space) {
      if (!step.use_regex) continue;
      own = find_scanner(kGpt2Expression);
    } else if (step.kind == Kind::kSplit && step.behavior == Behavior::kIsolated && !step.invert) {
      own = step.pattern.scanner();
    }
    if (own == nullptr || found != nullptr) return nullptr;
    found = own;
  }
  return found;
}

std::vector<Range> PreTokenizer::apply(AlignedText& text) const {
  std::vector<Range> words;
  if (text.size() > 0) words.push_back({0, text.size()});
  for (const PreTokenizerStep& step : steps_) {
    words = apply_step(step, text, std::move(words));
    std::erase_if(words, [](const Range& word) { return word.empty(); });
  }
  return words;
}

}  // namespace mortise::tokenizers
