// A schema compiled into a flat program that can say of a value "surely valid", or "perhaps not":
// then Schema::check says what is wrong. So there is one truth, and good rows pay little for it.
// Filled and asked by Schema; tests hold the two against each other.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json_tape.h"
#include "base/pattern.h"

namespace mortise::base {

struct SchemaAcceptor {
  static constexpr int32_t kAnything = -1, kNothing = -2;
  struct Member {
    std::string name;
    int32_t node = kAnything;
    bool is_required = false;
  };
  struct Node {
    uint16_t kinds = 0xFFFF;  // bit of each Json::Kind that may stand
    bool has_ink = false;     // some character is no blank (the pattern "\S")
    bool has_enum = false, has_contains = false;
    uint32_t required_count = 0;
    uint64_t length_min = 0, length_max = UINT64_MAX;  // code points
    uint64_t items_min = 0, items_max = UINT64_MAX;
    int64_t minimum = INT64_MIN, maximum = INT64_MAX;
    int32_t items = kAnything, contains = kAnything, other_members = kAnything;
    std::vector<Member> members;
    std::vector<std::string> texts;  // of enum and const
    std::vector<int64_t> numbers;
    std::vector<const Pattern*> patterns;
    std::vector<std::vector<int32_t>> any_of;
  };
  std::vector<Node> nodes;  // empty: the schema says more than this program knows

  bool accepts(int32_t node, TapeValue value) const;
};

}  // namespace mortise::base
