// See domains.h.
#include "hub/domains.h"

namespace mortise::hub {

using base::Result;
using base::Status;

Result<std::string> Domains::id_of(const std::string& name) {
  const std::lock_guard lock(mutex_);
  std::string id;
  MORTISE_TRY(database_->read([&](Connection& connection) -> Status {
    MORTISE_TRY(connection.run("SELECT id FROM domains WHERE name = ?1", {name},
                               [&](const Row& row) { id = row.text(0); }));
    return {};
  }));
  if (!id.empty()) return id;
  // The key first: a crash in between leaves a key that nothing names.
  id = store::new_domain_id(*random_);
  MORTISE_TRY(store_->create_domain(id));
  MORTISE_TRY(database_->write([&](Connection& connection) -> Status {
    MORTISE_TRY(
        connection.run("INSERT INTO domains VALUES (?1, ?2, ?3)", {name, id, clock_->now_ns()}));
    return {};
  }));
  return id;
}

Result<std::shared_ptr<store::Domain>> Domains::open(const std::string& id) {
  return store_->domain(id);
}

Result<std::shared_ptr<store::Domain>> Domains::open_to_store(const std::string& id) {
  MORTISE_ASSIGN(std::shared_ptr<store::Domain> domain, store_->domain(id));
  store::Domain* const opened = domain.get();
  const int64_t now_ns = clock_->now_ns();
  const auto end = [this, id, now_ns, held = std::move(domain)](store::Domain*) {
    const std::lock_guard lock(stored_mutex_);
    const auto at = stored_.find(id);
    at->second.erase(at->second.find(now_ns));
    if (at->second.empty()) stored_.erase(at);
  };
  {
    const std::lock_guard lock(stored_mutex_);
    stored_[id].insert(now_ns);
  }
  return std::shared_ptr<store::Domain>(opened, end);
}

bool Domains::is_stored_to_since(const std::string& id, int64_t time_ns) {
  const std::lock_guard lock(stored_mutex_);
  const auto at = stored_.find(id);
  return at != stored_.end() && *at->second.begin() <= time_ns;
}

}  // namespace mortise::hub
