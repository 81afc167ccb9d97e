// The rows of a data set with their media: a row is an index until it is touched, its media are
// names until they are decoded. MultiModalStream decodes ahead with a few threads, in the order of
// a sampler, within a bound of bytes, and goes on exactly from a cursor. Called by engine/train and
// the benchmarks. Knows no tensors and no tokens.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "engine/data/dataset.h"
#include "engine/data/media_field.h"
#include "engine/data/ordered_pool.h"
#include "ingest/media_decode.h"

namespace mortise::engine {

struct DecodedMedium {
  MediaField from;
  ingest::Medium medium;
};

struct DecodedRow {
  uint64_t index = 0;  // in the data set, from 0
  base::Json row;
  std::vector<DecodedMedium> media;
  uint64_t size_bytes = 0;  // of the row's text and its media, decoded
};

class MultiModalDataset {  // [parallel]
 public:
  // A row that nothing has been read of. Errors of its functions name file, row and field.
  class LazyRow {
   public:
    uint64_t index() const { return index_; }
    base::Result<std::string> id() const;  // as Dataset::row_id
    base::Result<base::Json> json() const;
    base::Result<std::vector<MediaField>> media() const;
    // The row with its media opened: heads are read. Its bytes are known before they are held.
    base::Result<PoolWork<DecodedRow>> open() const;
    base::Result<DecodedRow> decode() const;

   private:
    friend class MultiModalDataset;
    LazyRow(const MultiModalDataset& dataset, uint64_t index) : dataset_(&dataset), index_(index) {}
    const MultiModalDataset* dataset_;
    uint64_t index_;
  };

  // `rows` outlives this.
  MultiModalDataset(const Dataset& rows, ingest::MediaOptions options)
      : rows_(rows), options_(options) {}

  uint64_t count() const { return rows_.count(); }
  LazyRow row(uint64_t index) const { return {*this, index}; }  // index below count()
  const Dataset& rows() const { return rows_; }

  // A medium of row `index`. Errors: those of OpenMedium, naming file, row and field.
  base::Result<ingest::OpenMedium> open_medium(const MediaField& from, uint64_t index) const;

 private:
  const Dataset& rows_;
  ingest::MediaOptions options_;
};

// Rows in the order of a sampler, decoded ahead. [serial]
class MultiModalStream {
 public:
  // dataset outlives this. chosen: the rows that the sampler counts through, which are as many.
  MultiModalStream(const MultiModalDataset& dataset, std::vector<uint64_t> chosen, Sampler sampler,
                   PoolOptions options);

  // The next row; a new epoch begins by itself. Errors: those of the row; then for ever.
  base::Result<DecodedRow> next() { return pool_.next(); }
  const SamplerCursor& cursor() const { return pool_.cursor(); }
  PoolFacts facts() const { return pool_.facts(); }

 private:
  std::vector<uint64_t> chosen_;
  OrderedPool<DecodedRow> pool_;  // goes first: its threads read chosen_
};

}  // namespace mortise::engine
