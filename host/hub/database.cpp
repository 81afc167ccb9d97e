// See database.h.
#include "hub/database.h"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "hub/database_engine.h"
#include "hub/tables.h"

namespace mortise::hub {
namespace {

using base::Code;
using base::Error;
using base::Result;
using base::Status;

// How often work that lost against another transaction is run before its caller hears of it.
constexpr int kTriesMax = 5;

// Remembers a statement that failed: PostgreSQL takes nothing more in such a transaction, so none
// of it is kept whatever the work says, with either program.
class WatchedConnection final : public Connection {
 public:
  explicit WatchedConnection(Engine& engine) : engine_(&engine) {}
  Result<int64_t> run(std::string_view sql, const Values& values,
                      const std::function<void(const Row&)>& each) override {
    if (!failed.ok()) return failed.error();
    auto changed = engine_->run(sql, values, each);
    if (!changed.ok()) failed = changed.error();
    return changed;
  }
  Status failed;

 private:
  Engine* engine_;
};

}  // namespace

Status check_version(int64_t version, const std::string& where) {
  const auto newest = static_cast<int64_t>(kMigrations.size());
  if (version <= newest) return {};
  return Error(Code::kFailedPrecondition,
               "This database has version " + std::to_string(version) +
                   ", this program knows versions up to " + std::to_string(newest) + ".",
               "Install the release that wrote it, or a newer one.")
      .at_file(where);
}

struct Database::State {
  struct Task {
    const std::function<Status()>* body;
    Status result;
    bool finished = false;
  };

  std::unique_ptr<Engine> engine;
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<Task*> queue;
  bool stopping = false;
  std::atomic<bool> degraded{false};
  std::thread owner;

  Status try_transaction(const std::function<Status(Connection&)>& work, bool writes) {
    MORTISE_TRY(engine->begin(writes));
    WatchedConnection connection(*engine);
    Status status = work(connection);
    if (status.ok()) status = connection.failed;
    if (status.ok()) {
      status = engine->commit();
      if (status.ok()) return {};
      // A failed sync may have dropped pages, a broken connection may have been too late: nothing
      // that follows could be trusted.
      if (writes && status.error().code == Code::kDataLoss) degraded = true;
    }
    engine->rollback();
    return status;
  }

  Status transaction(const std::function<Status(Connection&)>& work, bool writes) {
    if (writes && degraded) {
      return Error(Code::kUnavailable, "The database takes no writes after a failed commit.",
                   "Look at its disk and its server, then start mortised again.");
    }
    for (int tries = 1;; ++tries) {
      Status status = try_transaction(work, writes);
      if (status.ok() || !writes || degraded || tries == kTriesMax || !engine->has_conflict()) {
        return status;
      }
    }
  }

  void work_off() {
    std::unique_lock lock(mutex);
    for (;;) {
      changed.wait(lock, [this] { return stopping || !queue.empty(); });
      if (queue.empty()) return;
      Task* task = queue.front();
      queue.pop_front();
      lock.unlock();
      Status result = (*task->body)();
      lock.lock();
      task->result = std::move(result);
      task->finished = true;
      changed.notify_all();
    }
  }

  // Runs `body` on the owner's thread and waits for it.
  Status perform(const std::function<Status()>& body) {
    Task task{&body, {}};
    std::unique_lock lock(mutex);
    queue.push_back(&task);
    changed.notify_all();
    changed.wait(lock, [&task] { return task.finished; });
    return std::move(task.result);
  }
};

Database::Database(std::unique_ptr<State> state) : state_(std::move(state)) {}

bool Database::is_postgres(std::string_view where) {
  return where.starts_with("postgresql://");
}

Result<std::unique_ptr<Database>> Database::open(const std::string& where, base::FileOps& files) {
  auto state = std::make_unique<State>();
  MORTISE_ASSIGN(state->engine,
                 is_postgres(where) ? open_postgres(where) : open_sqlite(files, where));
  State* running = state.get();
  state->owner = std::thread([running] { running->work_off(); });
  return std::unique_ptr<Database>(new Database(std::move(state)));
}

Database::~Database() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
    state_->changed.notify_all();
  }
  state_->owner.join();
}

Status Database::write(const std::function<Status(Connection&)>& work) {
  return state_->perform([&] { return state_->transaction(work, true); });
}

Status Database::read(const std::function<Status(Connection&)>& work) {
  return state_->perform([&] { return state_->transaction(work, false); });
}

Status Database::snapshot(const std::string& path, const std::function<Status(Connection&)>& look) {
  return state_->perform([&] { return state_->engine->snapshot(path, look); });
}

bool Database::is_degraded() const {
  return state_->degraded;
}

}  // namespace mortise::hub
