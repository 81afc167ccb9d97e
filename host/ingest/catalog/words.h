// The words of the mapping language that are used as functions. The table is the whole of it: the
// parser refuses any other word, the evaluation calls what stands here. Knows nothing of rows.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "ingest/catalog/lookup.h"

namespace mortise::ingest::catalog {

// Where a source is evaluated. lookup and row must outlive it.
struct Scene {
  const base::Json* row = nullptr;
  std::string rows_file;   // as the upload calls it
  int64_t row_number = 1;  // from 1, in its file
  std::string cells;       // between the cells of a line; empty: a tab, else blanks
  Lookup* lookup = nullptr;

  std::string medium() const;                     // of @file; empty when the row names none
  std::vector<std::string_view> columns() const;  // of a line, or the row's values in order
};

using Arguments = std::span<const base::Json>;

struct Word {
  std::string_view name;
  size_t arguments_min, arguments_max;
  bool gathers;  // takes the lists that `[]` makes as they are; others are applied item by item
  base::Result<base::Json> (*apply)(const Scene& scene, Arguments arguments);
};

const Word* find_word(std::string_view name);  // nullptr: not a word of the language

// A value as a person would write it: texts as they are, numbers, else JSON.
std::string text_of(const base::Json& value);
bool is_absent(const base::Json& value);  // null or an empty text
// "12.5", 12.5 or "1:02:03.5" in seconds or pixels. Errors: INVALID_ARGUMENT.
base::Result<double> number_of(const base::Json& value);
std::vector<std::string_view> cells_of(std::string_view line, std::string_view separator);
std::string_view stem_of(std::string_view name);

}  // namespace mortise::ingest::catalog
