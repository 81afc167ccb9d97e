// See diff.h.
#include "hub/diff.h"

#include <algorithm>
#include <map>
#include <optional>

#include "base/json_patch.h"

namespace mortise::hub {

using base::Json;
using base::Result;
using base::Status;

namespace {

constexpr uint64_t kMediaAtOnce = 1024;
constexpr uint64_t kLookAhead = 8;  // added rows that a removed one is compared with

// A version with the keys of its rows under one key, so that both sides can be compared.
struct Side {
  Version version;
  std::shared_ptr<store::Domain> domain;
  std::optional<store::RowTable> rows;
  std::vector<bool> is_only_here;  // of each row: no row of the other side has its content
  int64_t only_here = 0;

  bool differs(uint64_t row) const { return row < is_only_here.size() && is_only_here[row]; }
  bool has(uint64_t row) const { return row < is_only_here.size(); }
};

struct NumberedId {
  store::RowId id;
  uint64_t row;
  bool operator<(const NumberedId& other) const {
    return id != other.id ? id < other.id : row < other.row;
  }
};

class Diff {
 public:
  Diff(Hub& hub, const DiffRequest& request, const TakeDifference& take)
      : hub_(hub), request_(request), take_(take) {}

  Status run() {
    MORTISE_TRY(open(from_, request_.from));
    MORTISE_TRY(open(to_, request_.to));
    MORTISE_TRY(find_equal_rows());
    MORTISE_TRY(request_.key.empty() ? walk_places() : walk_keys());
    MORTISE_TRY(walk_media());
    return take_(Json::object(
        {{"kind", "summary"},
         {"from", from_.version.reference()},
         {"to", to_.version.reference()},
         {"rows_unchanged", static_cast<int64_t>(from_.rows->row_count()) - from_.only_here},
         {"rows_added", added_},
         {"rows_removed", removed_},
         {"rows_changed", changed_},
         {"media_added", media_added_},
         {"media_removed", media_removed_},
         {"media_changed", media_changed_}}));
  }

 private:
  Status open(Side& side, const Version& version) {
    side.version = version;
    MORTISE_ASSIGN(side.domain, hub_.domains().open(version.domain));
    MORTISE_ASSIGN(side.rows, hub_.datasets().rows(version));
    side.is_only_here.assign(side.rows->row_count(), false);
    return {};
  }

  // Ids of the rows that lie in no group that both sides name.
  Result<std::vector<NumberedId>> ids_outside(const Side& side,
                                              std::map<store::ChunkId, int>& shared,
                                              const std::optional<store::RowHash>& hash) {
    std::vector<NumberedId> found;
    for (const store::RowGroup& group : side.rows->groups()) {
      const auto common = shared.find(group.ref.id);
      if (common != shared.end() && common->second > 0) {
        --common->second;
        continue;
      }
      if (hash) {  // of another domain, whose ids say nothing here
        MORTISE_TRY(side.rows->visit(group.first_row, group.row_count,
                                     [&](uint64_t row, std::string_view text) -> Status {
                                       found.push_back({hash->of(text), row});
                                       return {};
                                     }));
        continue;
      }
      MORTISE_ASSIGN(const auto ids, side.rows->ids(group.first_row, group.row_count));
      for (uint64_t i = 0; i < ids.size(); ++i) found.push_back({ids[i], group.first_row + i});
    }
    std::sort(found.begin(), found.end());
    return found;
  }

  // Marks what is on one side only; of equal rows as many are unchanged as both sides have.
  Status find_equal_rows() {
    const bool is_one_domain = from_.version.domain == to_.version.domain;
    std::map<store::ChunkId, int> in_from, in_to;
    if (is_one_domain) {
      std::map<store::ChunkId, int> groups;
      for (const store::RowGroup& group : from_.rows->groups()) ++groups[group.ref.id];
      for (const store::RowGroup& group : to_.rows->groups()) {
        const auto found = groups.find(group.ref.id);
        if (found == groups.end() || found->second == 0) continue;
        --found->second;
        ++in_from[group.ref.id];
        ++in_to[group.ref.id];
      }
    }
    std::optional<store::RowHash> hash;
    if (!is_one_domain) {
      MORTISE_ASSIGN(const store::DomainKey key, hub_.store().key_of(from_.version.domain));
      hash.emplace(key);
    }
    MORTISE_ASSIGN(const auto from, ids_outside(from_, in_from, std::nullopt));
    MORTISE_ASSIGN(const auto to, ids_outside(to_, in_to, hash));
    size_t a = 0, b = 0;
    while (a < from.size() || b < to.size()) {
      if (a < from.size() && b < to.size() && from[a].id == to[b].id) {
        ++a, ++b;
      } else if (b == to.size() || (a < from.size() && from[a].id < to[b].id)) {
        mark(from_, from[a++].row);
      } else {
        mark(to_, to[b++].row);
      }
    }
    return {};
  }
  static void mark(Side& side, uint64_t row) {
    side.is_only_here[row] = true;
    ++side.only_here;
  }

  // From one run of rows that differ to the next.
  Status walk_places() {
    uint64_t a = 0, b = 0;
    while (from_.has(a) || to_.has(b)) {
      const uint64_t a_begin = a, b_begin = b;
      while (from_.differs(a)) ++a;
      while (to_.differs(b)) ++b;
      MORTISE_TRY(tell_run({a_begin, a}, {b_begin, b}));
      ++a, ++b;
    }
    return {};
  }

  struct Run {
    uint64_t begin, end;
  };
  // Rows between the same unchanged rows. As many on both sides: each became the one in its place.
  // Else a removed row pairs with the first of the next added ones that is alike.
  Status tell_run(Run a, Run b) {
    const bool is_even = a.end - a.begin == b.end - b.begin;
    for (; a.begin < a.end; ++a.begin) {
      const uint64_t last = is_even ? b.begin + 1 : std::min(b.end, b.begin + kLookAhead);
      uint64_t pair = b.begin;
      while (pair < last && !is_even) {
        MORTISE_ASSIGN(const bool is_pair, are_alike(a.begin, pair));
        if (is_pair) break;
        ++pair;
      }
      if (pair == last) {
        MORTISE_TRY(tell("row_removed", from_, a.begin));
        continue;
      }
      for (; b.begin < pair; ++b.begin) MORTISE_TRY(tell("row_added", to_, b.begin));
      MORTISE_TRY(tell_changed(a.begin, b.begin++));
    }
    for (; b.begin < b.end; ++b.begin) MORTISE_TRY(tell("row_added", to_, b.begin));
    return {};
  }

  // Whether at least half of the members of either row stand in the other with the same value.
  Result<bool> are_alike(uint64_t a, uint64_t b) {
    MORTISE_ASSIGN(const Json from, value_of(from_, a));
    MORTISE_ASSIGN(const Json to, value_of(to_, b));
    size_t equal = 0;
    for (const auto& [key, value] : from.members()) {
      const Json* const other = to.find(key);
      equal += other != nullptr && *other == value ? 1 : 0;
    }
    return 2 * equal >= std::max(from.size(), to.size());
  }

  static Result<Json> value_of(const Side& side, uint64_t row) {
    MORTISE_ASSIGN(const std::string text, side.rows->row(row));
    return base::parse_json(text);
  }

  // A digest of the row's value in the key field; none when it has no such field.
  Result<std::optional<store::RowId>> key_of(const Side& side, uint64_t row) {
    MORTISE_ASSIGN(const Json value, value_of(side, row));
    const std::string pointer = request_.key[0] == '/' ? request_.key : "/" + request_.key;
    const Json* const found = value.pointer(pointer);
    if (found == nullptr) return std::optional<store::RowId>();
    const base::Digest digest = base::sha256(base::as_bytes(found->canonical()));
    store::RowId id;
    std::copy_n(digest.begin(), id.size(), id.begin());
    return std::optional(id);
  }

  Status walk_keys() {
    std::vector<NumberedId> removed;
    for (uint64_t row = 0; from_.has(row); ++row) {
      if (!from_.differs(row)) continue;
      MORTISE_ASSIGN(const auto key, key_of(from_, row));
      if (key) removed.push_back({*key, row});
    }
    std::sort(removed.begin(), removed.end());
    std::vector<size_t> paired(removed.size(), 0);
    for (uint64_t row = 0; to_.has(row); ++row) {
      if (!to_.differs(row)) continue;
      MORTISE_ASSIGN(const auto key, key_of(to_, row));
      // Rows of one key stand together; the first of them counts how many are paired.
      size_t at = removed.size();
      if (key) {
        const auto first = std::lower_bound(removed.begin(), removed.end(), NumberedId{*key, 0});
        if (first != removed.end()) {
          const auto begin = static_cast<size_t>(first - removed.begin());
          at = begin + paired[begin]++;
        }
      }
      if (at >= removed.size() || removed[at].id != *key) {
        MORTISE_TRY(tell("row_added", to_, row));
        continue;
      }
      MORTISE_TRY(tell_changed(removed[at].row, row));
      from_.is_only_here[removed[at].row] = false;
    }
    for (uint64_t row = 0; from_.has(row); ++row) {
      if (from_.differs(row)) MORTISE_TRY(tell("row_removed", from_, row));
    }
    return {};
  }

  Result<std::string> id_of(const Side& side, uint64_t row) {
    MORTISE_ASSIGN(const auto ids, side.rows->ids(row, 1));
    return store::to_text(ids.at(0));
  }

  Status tell(const char* kind, const Side& side, uint64_t row) {
    ++(&side == &from_ ? removed_ : added_);
    MORTISE_ASSIGN(Json value, value_of(side, row));
    MORTISE_ASSIGN(const std::string id, id_of(side, row));
    return take_(
        Json::object({{"kind", kind}, {"row", row + 1}, {"id", id}, {"value", std::move(value)}}));
  }

  Status tell_changed(uint64_t a, uint64_t b) {
    ++changed_;
    MORTISE_ASSIGN(const Json from, value_of(from_, a));
    MORTISE_ASSIGN(const Json to, value_of(to_, b));
    Json fields = Json::array();
    for (const std::string& pointer : base::json_differences(from, to)) {
      Json field = Json::object({{"field", pointer}});
      if (const Json* const value = from.pointer(pointer)) field["from"] = *value;
      if (const Json* const value = to.pointer(pointer)) field["to"] = *value;
      fields.push_back(std::move(field));
    }
    MORTISE_ASSIGN(std::string from_id, id_of(from_, a));
    MORTISE_ASSIGN(std::string to_id, id_of(to_, b));
    return take_(Json::object({{"kind", "row_changed"},
                               {"from_row", a + 1},
                               {"to_row", b + 1},
                               {"from_id", std::move(from_id)},
                               {"to_id", std::move(to_id)},
                               {"fields", std::move(fields)}}));
  }

  // Both tables are sorted by name: one walk.
  Status walk_media() {
    MORTISE_ASSIGN(const store::NameTable from, hub_.datasets().media(from_.version));
    MORTISE_ASSIGN(const store::NameTable to, hub_.datasets().media(to_.version));
    std::vector<store::NamedObject> a, b;
    uint64_t next_a = 0, next_b = 0;
    size_t i = 0, j = 0;
    while (true) {
      MORTISE_TRY(refill(from, a, i, next_a));
      MORTISE_TRY(refill(to, b, j, next_b));
      if (i == a.size() && j == b.size()) return {};
      if (j == b.size() || (i < a.size() && a[i].name < b[j].name)) {
        MORTISE_TRY(tell_medium("medium_removed", a[i++], media_removed_));
      } else if (i == a.size() || b[j].name < a[i].name) {
        MORTISE_TRY(tell_medium("medium_added", b[j++], media_added_));
      } else {
        MORTISE_ASSIGN(const bool is_same,
                       store::same_content(*from_.domain, a[i].ref, *to_.domain, b[j].ref));
        if (!is_same) MORTISE_TRY(tell_medium("medium_changed", b[j], media_changed_));
        ++i, ++j;
      }
    }
  }
  static Status refill(const store::NameTable& table, std::vector<store::NamedObject>& block,
                       size_t& at, uint64_t& next) {
    if (at < block.size() || next >= table.count()) return {};
    MORTISE_ASSIGN(block, table.entries(next, kMediaAtOnce));
    next += block.size();
    at = 0;
    return {};
  }
  Status tell_medium(const char* kind, const store::NamedObject& medium, int64_t& count) {
    ++count;
    return take_(Json::object(
        {{"kind", kind}, {"name", medium.name}, {"size_bytes", medium.ref.size_bytes}}));
  }

  Hub& hub_;
  const DiffRequest& request_;
  const TakeDifference& take_;
  Side from_, to_;
  int64_t added_ = 0, removed_ = 0, changed_ = 0;
  int64_t media_added_ = 0, media_removed_ = 0, media_changed_ = 0;
};

}  // namespace

Status diff_versions(Hub& hub, const DiffRequest& request, const TakeDifference& take) {
  Diff diff(hub, request, take);
  return diff.run();
}

}  // namespace mortise::hub
