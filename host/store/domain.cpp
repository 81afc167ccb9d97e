// The face of a domain; the work is in domain_state, object_writer and object_reader. See domain.h.
#include "store/domain.h"

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

}  // namespace mortise::store
