// One loaded plugin: entry called, versions agreed, tables copied into full-size ones whose holes
// answer UNIMPLEMENTED. Called by registry.h, by the kit, and by the engine for raw tables. Every
// table handed out here is traced (and guarded, if asked): see guard.h.
#pragma once

#include <mortise/entry.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "pack/find.h"
#include "plugin/guard.h"
#include "plugin/host_services.h"
#include "plugin/wrapped.h"

namespace mortise::plugin {

struct LoadOptions {
  bool allow_draft = true;
  bool is_guarded = false;  // the checks of guard.h; the kit and the dev build turn it on
  uint32_t host_minor =
      UINT32_MAX;  // the kit pretends to be another host; UINT32_MAX: the real one
  // The kit adds bytes of 0xA5 behind hello and reply, as a later generation might.
  uint32_t poisoned_tail_bytes = 0;
};

class Plugin {
 public:
  const std::string& id() const { return id_; }
  const std::string& version() const { return decision_.manifest.version; }
  const std::string& pack_sha256() const { return decision_.manifest.sha256; }
  const std::string& label() const { return label_; }  // "mortise.metric_bleu 1.0.0"
  const pack::Decision& decision() const { return decision_; }
  uint32_t built_minor() const { return built_minor_; }
  HostServices& services() const { return *services_; }

  // Whether the plugin answers this id. [any]
  bool has_interface(std::string_view id) const;
  // The plugin's table for its newest revision of Table's id (tables.h lists the types). Valid for
  // the life of the process; the same call gives the same table. Errors: UNIMPLEMENTED naming pack
  // and id when it gives none; INVALID_ARGUMENT when the table is shorter than its own head, has
  // unknown flags or lacks a slot that the interface requires; RESOURCE_EXHAUSTED when too many
  // plugins of this kind are loaded in one worker. [any]
  template <class Table>
  base::Result<const Table*> get_interface(std::string_view id) const {
    MORTISE_ASSIGN(const void* raw, find_interface(id));
    return wrap_table<Table>(raw, label_, std::string(id), is_guarded_);
  }
  // The plugin's own pointer, unwrapped and unchecked: for the kit.
  const void* raw_interface(std::string_view id) const;

  // Asks the plugin to end its threads. No call may follow but destroys. [serial]
  base::Status quiesce();
  // What the guard and the services caught so far; empty for a plugin that behaves. [any]
  std::vector<Violation> violations() const;

 private:
  friend base::Result<std::shared_ptr<Plugin>> load(const pack::Decision&, HostServices&,
                                                    const LoadOptions&);
  Plugin() = default;
  base::Result<const void*> find_interface(std::string_view id) const;

  std::string id_, label_;
  pack::Decision decision_;
  HostServices* services_ = nullptr;
  mortise_hello_reply reply_{};
  uint32_t built_minor_ = 0;
  bool is_guarded_ = false, allow_draft_ = false;
};

// Loads the decided library and negotiates. Errors: of open_library; FAILED_PRECONDITION naming the
// field, both values and the remedy when hello and reply do not agree (magic, generation,
// needs_minor, plugin id, reserved bytes, get_interface); the plugin's own refusal. [any]
base::Result<std::shared_ptr<Plugin>> load(const pack::Decision& decision, HostServices& services,
                                           const LoadOptions& options = {});

}  // namespace mortise::plugin
