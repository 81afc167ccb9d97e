// Steps 1a to 5b of the paper. m is the paper's measure: how often a vowel is followed by a
// consonant. "NLTK:" marks what differs from the paper.
#include "porter.h"

#include <initializer_list>
#include <utility>
#include <vector>

namespace mortise::metric_rouge {
namespace {

bool is_vowel(char c) {
  return c == 'a' || c == 'e' || c == 'i' || c == 'o' || c == 'u';
}

// One flag a letter; y is a consonant unless a consonant stands before it.
std::vector<bool> consonants_of(std::string_view word) {
  std::vector<bool> flags;
  for (const char c : word) {
    flags.push_back(c == 'y' ? flags.empty() || !flags.back() : !is_vowel(c));
  }
  return flags;
}

size_t measure(std::string_view stem) {
  const std::vector<bool> consonant = consonants_of(stem);
  size_t count = 0;
  for (size_t i = 1; i < consonant.size(); ++i) count += !consonant[i - 1] && consonant[i] ? 1 : 0;
  return count;
}

bool contains_vowel(std::string_view stem) {
  for (const bool is_consonant : consonants_of(stem)) {
    if (!is_consonant) return true;
  }
  return false;
}

bool ends_double_consonant(std::string_view word) {  // *d
  return word.size() >= 2 && word.back() == word[word.size() - 2] && consonants_of(word).back();
}

// *o: consonant, vowel, consonant other than w, x, y. NLTK: or a word of vowel and consonant.
bool ends_cvc(std::string_view word) {
  const std::vector<bool> consonant = consonants_of(word);
  const size_t n = word.size();
  if (n == 2) return !consonant[0] && consonant[1];
  if (n < 3 || !consonant[n - 3] || consonant[n - 2] || !consonant[n - 1]) return false;
  return word.back() != 'w' && word.back() != 'x' && word.back() != 'y';
}

std::string_view cut(std::string_view word, size_t count) {
  return word.substr(0, word.size() - count);
}

struct Rule {
  std::string_view suffix;
  std::string_view replacement;
};

// The first rule whose suffix fits decides: it is applied when the measure of the stem is above
// `measure_min`, else the word stays.
bool apply_first(std::string& word, std::initializer_list<Rule> rules, size_t measure_min) {
  for (const Rule& rule : rules) {
    if (!word.ends_with(rule.suffix)) continue;
    const std::string_view stem = cut(word, rule.suffix.size());
    if (measure(stem) > measure_min) word = std::string(stem) + std::string(rule.replacement);
    return true;
  }
  return false;
}

void step_1a(std::string& word) {
  if (word.ends_with("ies")) {
    word = cut(word, word.size() == 4 ? 1 : 2);  // NLTK: dies -> die
  } else if (word.ends_with("sses")) {
    word = cut(word, 2);
  } else if (word.ends_with('s') && !word.ends_with("ss")) {
    word.pop_back();
  }
}

void restore_after_1b(std::string& word) {
  if (word.ends_with("at") || word.ends_with("bl") || word.ends_with("iz")) {
    word += 'e';
  } else if (ends_double_consonant(word)) {
    const char last = word.back();
    if (last != 'l' && last != 's' && last != 'z') word.pop_back();
  } else if (measure(word) == 1 && ends_cvc(word)) {
    word += 'e';
  }
}

void step_1b(std::string& word) {
  if (word.ends_with("ied")) {  // NLTK: died -> die, spied -> spi
    word = cut(word, word.size() == 4 ? 1 : 2);
    return;
  }
  if (word.ends_with("eed")) {
    if (measure(cut(word, 3)) > 0) word.pop_back();
    return;
  }
  for (const std::string_view suffix : {"ed", "ing"}) {
    if (!word.ends_with(suffix) || !contains_vowel(cut(word, suffix.size()))) continue;
    word = cut(word, suffix.size());
    restore_after_1b(word);
    return;
  }
}

// NLTK: y becomes i behind a consonant that is not the only letter.
void step_1c(std::string& word) {
  if (!word.ends_with('y')) return;
  const std::string_view stem = cut(word, 1);
  if (stem.size() > 1 && consonants_of(stem).back()) word.back() = 'i';
}

void step_2(std::string& word) {
  // NLTK: -alli goes first, and what is left is looked at again.
  while (word.ends_with("alli") && measure(cut(word, 4)) > 0) word = cut(word, 2);
  const bool decided = apply_first(
      word, {{"ational", "ate"}, {"tional", "tion"}, {"enci", "ence"},   {"anci", "ance"},
             {"izer", "ize"},    {"bli", "ble"},     {"alli", "al"},     {"entli", "ent"},
             {"eli", "e"},       {"ousli", "ous"},   {"ization", "ize"}, {"ation", "ate"},
             {"ator", "ate"},    {"alism", "al"},    {"iveness", "ive"}, {"fulness", "ful"},
             {"ousness", "ous"}, {"aliti", "al"},    {"iviti", "ive"},   {"biliti", "ble"},
             {"fulli", "ful"}},
      0);
  // NLTK: the l of -logi counts with the stem.
  if (!decided && word.ends_with("logi") && measure(cut(word, 3)) > 0) word.pop_back();
}

void step_3(std::string& word) {
  apply_first(word,
              {{"icate", "ic"},
               {"ative", ""},
               {"alize", "al"},
               {"iciti", "ic"},
               {"ical", "ic"},
               {"ful", ""},
               {"ness", ""}},
              0);
}

void step_4(std::string& word) {
  const bool decided = apply_first(word,
                                   {{"al", ""},
                                    {"ance", ""},
                                    {"ence", ""},
                                    {"er", ""},
                                    {"ic", ""},
                                    {"able", ""},
                                    {"ible", ""},
                                    {"ant", ""},
                                    {"ement", ""},
                                    {"ment", ""},
                                    {"ent", ""}},
                                   1);
  if (decided) return;
  if (word.ends_with("ion")) {
    const std::string_view stem = cut(word, 3);
    if (measure(stem) > 1 && (stem.back() == 's' || stem.back() == 't')) word = stem;
    return;
  }
  apply_first(
      word,
      {{"ou", ""}, {"ism", ""}, {"ate", ""}, {"iti", ""}, {"ous", ""}, {"ive", ""}, {"ize", ""}},
      1);
}

void step_5(std::string& word) {
  if (word.ends_with('e')) {
    const std::string_view stem = cut(word, 1);
    const size_t m = measure(stem);
    if (m > 1 || (m == 1 && !ends_cvc(stem))) word.pop_back();
  }
  if (word.ends_with("ll") && measure(cut(word, 1)) > 1) word.pop_back();
}

// NLTK: words that the rules get wrong.
std::string_view irregular(std::string_view word) {
  constexpr std::pair<std::string_view, std::string_view> kForms[] = {
      {"sky", "sky"},        {"skies", "sky"},        {"dying", "die"},
      {"lying", "lie"},      {"tying", "tie"},        {"news", "news"},
      {"innings", "inning"}, {"inning", "inning"},    {"outings", "outing"},
      {"outing", "outing"},  {"cannings", "canning"}, {"canning", "canning"},
      {"howe", "howe"},      {"proceed", "proceed"},  {"exceed", "exceed"},
      {"succeed", "succeed"}};
  for (const auto& [form, stem] : kForms) {
    if (form == word) return stem;
  }
  return {};
}

}  // namespace

std::string porter_stem(std::string_view text) {
  if (const std::string_view stem = irregular(text); !stem.empty()) return std::string(stem);
  std::string word(text);
  if (word.size() <= 2) return word;
  step_1a(word);
  step_1b(word);
  step_1c(word);
  step_2(word);
  step_3(word);
  step_4(word);
  step_5(word);
  return word;
}

}  // namespace mortise::metric_rouge
