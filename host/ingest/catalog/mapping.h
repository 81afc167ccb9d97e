// The values of the catalogue's mapping language: a source says, for one target of a task, where in
// a row (and in what lies around it) the value comes from. Parsed once, never run as code: a fixed
// set of forms and words, each bounded. docs/catalog.md describes the language.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace mortise::ingest::catalog {

struct Expression {
  enum class Kind : uint8_t {
    kName,      // text: a member of the row, or what surrounds it ("stem", "split", a table)
    kFile,      // @file
    kText,      // text: a literal
    kTemplate,  // parts in order, joined; a kText stands as it is
    kList,      // [x, y]
    kCall,      // text: the word; parts: its arguments
    kJoin,      // join(text.key=parts[0]): the row of a table
    kMember,    // parts[0].text
    kKey,       // parts[0].key(): the name under which the item of `.*` stands
    kIndex,     // parts[0][from]; from < 0 counts from the end
    kSlice,     // parts[0][from:to:step]; of a list, or of the letters of a text
    kItems,     // parts[0][] and parts[0].*: one row an item, or all of them in a list
    kEither,    // parts[0] ?? parts[1]
  };
  static constexpr int64_t kOpen = INT64_MAX;  // a bound of a slice that is left out

  Kind kind = Kind::kName;
  std::string text, key;
  std::vector<Expression> parts;
  int64_t from = 0, to = kOpen, step = 1;
  int width = 0;     // {x:012d}: at least so many digits
  size_t byte = 0;   // where it begins in its source
  std::string axis;  // kItems: its spelling; equal spellings advance together
};

struct Source {
  std::string target;  // "image_path", "objects.bbox"
  std::string text;
  Expression root;
};

// One task of a set: what its rows are made of.
struct Mapping {
  std::string set, task;  // as in the catalogue
  std::string task_type;  // of the rows that are made: "video_qa" for "video_caption"
  std::string question;   // fixed, for tasks that ask one; else empty
  std::vector<Source> sources;
};

struct MappingLimits {
  size_t source_bytes_max = 8192;
  int depth_max = 32;
  int64_t rows_max = 1'000'000;  // that one row of a file may become
};

// Errors: INVALID_ARGUMENT or UNIMPLEMENTED (a word that the language has not) with at_byte, the
// byte in the source. [any]
base::Result<Expression> parse_source(std::string_view source, const MappingLimits& limits = {});

// sources: {target: source}. Errors: of parse_source, naming set, task, target and byte;
// INVALID_ARGUMENT when a required field of the task's rows has no source. [any]
base::Result<Mapping> parse_mapping(const std::string& set, const std::string& task,
                                    const base::Json& sources);

// Whether a target holds a list: `[]` in its source then gathers instead of making rows.
bool is_list_target(std::string_view target);
bool is_media_target(std::string_view target);

// What is wrong at a byte of a source: "SET, task TASK, target TARGET, byte N of SOURCE: ...".
base::Error locate(base::Error error, const Mapping& mapping, const Source& source);

}  // namespace mortise::ingest::catalog
