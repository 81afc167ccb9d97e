// The samples whose files are binary: Parquet, HDF5, DICOM, tar; made with the libraries of the
// formats' own worlds, or byte by byte.
#pragma once

#include <vector>

#include "tests/unit/ingest_catalog/layouts.h"

namespace mortise::ingest::catalog {

std::vector<LayoutSample> packed_layouts();

}  // namespace mortise::ingest::catalog
