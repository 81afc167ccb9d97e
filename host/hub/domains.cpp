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
    MORTISE_TRY(connection.run("INSERT INTO domains VALUES (?1, ?2, ?3)",
                               {name, id, clock_->now_ns()}));
    return {};
  }));
  return id;
}

Result<std::shared_ptr<store::Domain>> Domains::open(const std::string& id) {
  return store_->domain(id);
}

}  // namespace mortise::hub
