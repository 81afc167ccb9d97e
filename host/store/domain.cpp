// The face of a domain; the work is in domain_state, object_writer and object_reader. See domain.h.
#include "store/domain.h"

#include <algorithm>

#include "store/domain_state.h"

namespace mortise::store {

using base::Result;
using base::Status;

Domain::Domain(std::shared_ptr<DomainState> state) : state_(std::move(state)) {}

Domain::~Domain() {
  (void)state_->finish(1);  // what fails here is recovered by the next open
}

Result<std::shared_ptr<Domain>> Domain::open(base::FileOps& files, base::Random& random,
                                             base::Clock& clock, const DomainKey& key,
                                             const DomainFolders& folders) {
  auto state = std::make_shared<DomainState>(files, random, clock, key, folders);
  MORTISE_TRY(state->load());
  return std::shared_ptr<Domain>(new Domain(std::move(state)));
}

const std::string& Domain::domain_id() const {
  return state_->secrets.domain_id;
}

Result<ObjectRef> Domain::put(base::ByteView data, Cut cut) {
  ObjectWriter writer = begin(cut);
  MORTISE_TRY(writer.write(data));
  return writer.finish();
}

Status Domain::sync() {
  return state_->sync();
}

Status Domain::finish_segment() {
  return state_->finish(1);
}

bool Domain::is_degraded() const {
  const std::lock_guard lock(state_->mutex);
  return state_->degraded_by.has_value();
}

bool Domain::contains(const ChunkId& id) const {
  const std::lock_guard lock(state_->mutex);
  return state_->index.find(id).has_value();
}

Status Domain::adopt(const std::string& path) {
  return state_->adopt(path);
}

Status Domain::rescan() {
  return state_->rescan();
}

DomainCounts Domain::counts() const {
  const std::lock_guard lock(state_->mutex);
  DomainCounts counts;
  for (const SegmentInfo& segment : state_->segments) {
    if (segment.path.empty()) continue;
    ++counts.segments;
    counts.chunks += segment.chunks;
    counts.stored_bytes += segment.size_bytes;
  }
  counts.damaged_segments = state_->damaged_segments;
  return counts;
}

base::Result<bool> same_content(Domain& domain_a, const ObjectRef& a, Domain& domain_b,
                                const ObjectRef& b) {
  if (a.size_bytes != b.size_bytes) return false;
  if (domain_a.domain_id() == domain_b.domain_id() && a.id == b.id) return true;
  MORTISE_ASSIGN(const ObjectReader from_a, domain_a.open_object(a));
  MORTISE_ASSIGN(const ObjectReader from_b, domain_b.open_object(b));
  base::Bytes piece_a(256u << 10), piece_b(256u << 10);
  for (uint64_t at = 0; at < a.size_bytes; at += piece_a.size()) {
    MORTISE_ASSIGN(const size_t got, from_a.read_at(at, piece_a));
    MORTISE_TRY(from_b.read_at(at, piece_b));
    if (!std::equal(piece_a.begin(), piece_a.begin() + static_cast<ptrdiff_t>(got),
                    piece_b.begin())) {
      return false;
    }
  }
  return true;
}

}  // namespace mortise::store
