// The counts of pairs are kept up to date merge by merge; a heap proposes the best pair, and a
// proposal whose count is old is put back with the right one.
#include "trainer.h"

#include <mortise/cpp/services.hpp>

#include <algorithm>
#include <queue>
#include <set>

#include "loader.h"
#include "tokenizers/byte_names.h"

namespace mortise::tokenizer_bpe {

using namespace tokenizers;

namespace {

constexpr int64_t kVocabSizeMax = 1 << 20;
constexpr size_t kWordBytesMax = 256;  // a longer word is learnt from in pieces
constexpr uint64_t kWordsBytesMax = uint64_t{1} << 30;
constexpr uint64_t kCountMin = 2;  // a pair that was seen once teaches nothing

using Pair = std::pair<int32_t, int32_t>;

struct PairHash {
  size_t operator()(const Pair& pair) const {
    const auto key = static_cast<uint64_t>(static_cast<uint32_t>(pair.first)) << 32 |
                     static_cast<uint32_t>(pair.second);
    return std::hash<uint64_t>{}(key * 0x9E3779B97F4A7C15u);
  }
};

struct Word {
  std::vector<int32_t> ids;
  uint64_t count;
};

struct Proposal {
  uint64_t count;
  Pair pair;
  bool operator<(const Proposal& other) const {
    return count != other.count ? count < other.count : pair > other.pair;
  }
};

// The state of one run of learning. Ids are those of the vocabulary.
class Learning {
 public:
  Learning(const std::map<std::string, uint64_t>& words, int32_t first_byte_id) {
    words_.reserve(words.size());
    for (const auto& [text, count] : words) {
      Word word{{}, count};
      for (const char byte : text) word.ids.push_back(first_byte_id + static_cast<uint8_t>(byte));
      for (size_t i = 0; i + 1 < word.ids.size(); ++i) {
        note({word.ids[i], word.ids[i + 1]}, count, words_.size());
      }
      words_.push_back(std::move(word));
    }
    for (const auto& [pair, count] : counts_) heap_.push({count, pair});
  }

  // The pair to merge next, into *out; false when none is frequent enough.
  bool best(Pair* out) {
    while (!heap_.empty()) {
      const Proposal top = heap_.top();
      heap_.pop();
      const uint64_t now = counts_[top.pair];
      if (now == top.count && now >= kCountMin) {
        *out = top.pair;
        return true;
      }
      if (now != top.count && now >= kCountMin) heap_.push({now, top.pair});
    }
    return false;
  }

  // Forgets the pair where it stands now.
  void drop(Pair pair) {
    counts_.erase(pair);
    places_.erase(pair);
  }

  void merge(Pair pair, int32_t id) {
    std::vector<size_t> places = std::move(places_[pair]);
    std::sort(places.begin(), places.end());
    places.erase(std::unique(places.begin(), places.end()), places.end());
    fresh_.clear();
    for (const size_t place : places) merge_in(place, pair, id);
    counts_.erase(pair);
    places_.erase(pair);
    for (const Pair& made : fresh_) heap_.push({counts_[made], made});
  }

 private:
  void note(Pair pair, uint64_t count, size_t place) {
    counts_[pair] += count;
    std::vector<size_t>& places = places_[pair];
    if (places.empty() || places.back() != place) places.push_back(place);
  }

  void merge_in(size_t place, Pair pair, int32_t id) {
    Word& word = words_[place];
    std::vector<int32_t> merged;
    const std::vector<int32_t>& old = word.ids;
    bool changed = false;
    for (size_t i = 0; i < old.size(); ++i) {
      const bool hit = i + 1 < old.size() && old[i] == pair.first && old[i + 1] == pair.second;
      merged.push_back(hit ? id : old[i]);
      i += hit ? 1 : 0;
      changed = changed || hit;
    }
    if (!changed) return;
    for (size_t i = 0; i + 1 < old.size(); ++i) counts_[{old[i], old[i + 1]}] -= word.count;
    for (size_t i = 0; i + 1 < merged.size(); ++i) {
      const Pair made{merged[i], merged[i + 1]};
      note(made, word.count, place);
      if (made.first == id || made.second == id) fresh_.insert(made);
    }
    word.ids = std::move(merged);
  }

  std::vector<Word> words_;
  std::unordered_map<Pair, uint64_t, PairHash> counts_;
  std::unordered_map<Pair, std::vector<size_t>, PairHash> places_;  // words that held the pair
  std::priority_queue<Proposal> heap_;
  std::set<Pair> fresh_;
};

std::string added_token_json(const std::string& content, size_t id) {
  return "{\"id\":" + std::to_string(id) + ",\"content\":" + quote_json(content) +
         ",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,\"normalized\":false,"
         "\"special\":true}";
}

}  // namespace

Trainer::Trainer(int64_t vocab_size, std::vector<std::string> special_tokens,
                 const std::string& pattern)
    : special_tokens_(std::move(special_tokens)), pattern_name_(pattern) {
  const auto fixed = static_cast<int64_t>(special_tokens_.size()) + 256;
  if (vocab_size < fixed || vocab_size > kVocabSizeMax) {
    throw sdk::invalid_argument("vocab_size is " + std::to_string(vocab_size) +
                                "; it must be at least " + std::to_string(fixed) +
                                " (256 bytes and the special tokens) and at most " +
                                std::to_string(kVocabSizeMax) + ".")
        .at("", -1, -1, "/vocab_size");
  }
  merges_max_ = vocab_size - fixed;
  std::set<std::string> seen(byte_alphabet().begin(), byte_alphabet().end());
  for (const std::string& token : special_tokens_) {
    if (token.empty() || !seen.insert(token).second) {
      throw sdk::invalid_argument("The special token \"" + token +
                                  "\" is empty, stands twice or is the name of a byte.")
          .at("", -1, -1, "/special_tokens");
    }
    AddedToken added;
    added.content = token;
    added.special = true;
    special_finder_.add(added, token);
  }
  special_finder_.seal();
  const std::string_view known = known_expression(pattern);
  try {
    pattern_ = Pattern::expression(known.empty() ? pattern : std::string(known));
  } catch (const sdk::Failure& failure) {
    throw failure.at("", -1, -1, "/pattern");
  }
}

void Trainer::count(std::string_view text, WordCounts& counts) const {
  for (const Piece& piece : special_finder_.split(text, true)) {
    if (piece.id >= 0) continue;
    const std::string_view part =
        text.substr(piece.range.begin, piece.range.end - piece.range.begin);
    size_t at = 0;
    const auto learn = [&](size_t end) {
      for (; at < end; at += std::min(kWordBytesMax, end - at)) {
        counts[std::string(part.substr(at, std::min(kWordBytesMax, end - at)))] += 1;
      }
    };
    for (const Range& match : pattern_.matches(part)) {
      learn(match.begin);
      learn(match.end);
    }
    learn(part.size());
  }
}

void Trainer::add(const WordCounts& counts) {
  uint64_t more = 0;
  for (const auto& [word, count] : counts) {
    if (!words_.contains(word)) more += word.size() + 1;
  }
  if (more > kWordsBytesMax - words_bytes_) {
    throw sdk::resource_exhausted(
        "The texts hold more than 1 GiB of different words; train on a "
        "sample of them.");
  }
  for (const auto& [word, count] : counts) words_[word] += count;
  words_bytes_ += more;
}

std::string Trainer::finish() const {
  std::vector<std::string> tokens = special_tokens_;  // spelled in the byte alphabet from 256 on
  const auto first_byte = static_cast<int32_t>(tokens.size());
  tokens.insert(tokens.end(), byte_alphabet().begin(), byte_alphabet().end());
  std::unordered_map<std::string, int32_t> ids;
  for (size_t id = 0; id < tokens.size(); ++id) ids[tokens[id]] = static_cast<int32_t>(id);
  Learning learning(words_, first_byte);
  std::string merges;
  Pair pair;
  const size_t tokens_max = tokens.size() + static_cast<size_t>(merges_max_);
  for (uint64_t done = 0; tokens.size() < tokens_max && learning.best(&pair); ++done) {
    if (done % 64 == 0) {
      sdk::check_cancelled();
      sdk::report_progress(done, static_cast<uint64_t>(merges_max_), "merges");
    }
    const std::string& left = tokens[static_cast<size_t>(pair.first)];
    const std::string& right = tokens[static_cast<size_t>(pair.second)];
    const std::string whole = left + right;
    const auto [place, is_new] = ids.emplace(whole, static_cast<int32_t>(tokens.size()));
    if (place->second < first_byte) {  // spelled like a special token: leave the two apart
      learning.drop(pair);
      continue;
    }
    merges += left + ' ' + right + '\n';
    learning.merge(pair, place->second);  // a second way to a token gives the same id
    if (is_new) tokens.push_back(whole);
  }
  std::string vocab = "{";
  for (size_t id = special_tokens_.size(); id < tokens.size(); ++id) {
    vocab += (vocab.size() > 1 ? "," : "") + quote_json(tokens[id]) + ":" + std::to_string(id);
  }
  std::string added = "[";
  for (size_t id = 0; id < special_tokens_.size(); ++id) {
    added += (id > 0 ? "," : "") + added_token_json(special_tokens_[id], id);
  }
  return assemble_tokenizer_json(vocab + "}", merges, pattern_name_, false, added + "]");
}

}  // namespace mortise::tokenizer_bpe
