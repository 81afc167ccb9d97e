// The two layouts of docs/formats/hdf5.md: rows as JSON texts with media beside them, and data sets
// of equal first dimension, each a column.
//
// Called by plugin.cpp. [serial], under library_lock().
#pragma once

#include <mortise/cpp/media_rows.hpp>

#include <memory>
#include <string>
#include <vector>

#include "hdf5.h"

namespace mortise::format_hdf5 {

inline constexpr const char* kVersionName = "mortise.rows";  // attribute of the root
inline constexpr int32_t kVersion = 1;

// One opened layout. Made anew for each stream: what is open is never shared.
class Layout {
 public:
  virtual ~Layout() = default;
  virtual uint64_t rows() const = 0;
  virtual const std::vector<sdk::MediaColumn>& columns() const = 0;
  // Row `row`, from 0, below rows(). out->media has one entry a column.
  virtual void read(uint64_t row, sdk::MediaRow* out) = 0;
};

// Of one file, or of several that are joined by row (arrays only). Throws INVALID_ARGUMENT for what
// has neither layout, UNIMPLEMENTED for a newer version and for what hdf5.h refuses.
std::unique_ptr<Layout> open_layout(const std::vector<std::string>& names, const Limits& limits);

// arrays.cpp: the data sets at the roots of the files.
std::unique_ptr<Layout> open_arrays(std::vector<Handle> files,
                                    const std::vector<std::string>& names, const Limits& limits);

}  // namespace mortise::format_hdf5
