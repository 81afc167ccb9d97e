// Entry and negotiation. What is handed to a plugin (hello, host, strings) is never freed: entry.h
// promises it for the life of the process. See plugin.h.
#include "plugin/plugin.h"

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "plugin/error_box.h"
#include "plugin/keep.h"
#include "plugin/library.h"
#include "plugin/trace.h"

namespace mortise::plugin {
namespace {

using base::Code;
using base::Error;
using base::Result;
using base::Status;

// Hello and reply with room behind them for a tail that this generation does not know.
struct Exchange {
  std::string label, pack_root;
  std::vector<uint64_t> hello_room, reply_room;  // 8-byte aligned

  mortise_hello* hello() { return reinterpret_cast<mortise_hello*>(hello_room.data()); }
  mortise_hello_reply* reply() { return reinterpret_cast<mortise_hello_reply*>(reply_room.data()); }
};

template <class T>
std::vector<uint64_t> make_room(uint32_t tail_bytes) {
  std::vector<uint64_t> room((sizeof(T) + tail_bytes + 7) / 8);
  auto* bytes = reinterpret_cast<unsigned char*>(room.data());
  std::memset(bytes + sizeof(T), 0xA5, room.size() * 8 - sizeof(T));
  return room;
}

uint32_t minor_of(const LoadOptions& options) {
  return options.host_minor == UINT32_MAX ? MORTISE_ABI_MINOR : options.host_minor;
}

std::unique_ptr<Exchange> make_exchange(const pack::Decision& decision, const std::string& label,
                                        HostServices& services, const LoadOptions& options) {
  auto exchange = std::make_unique<Exchange>();
  exchange->label = label;
  std::error_code ignored;
  exchange->pack_root = std::filesystem::absolute(decision.manifest.root, ignored).string();
  exchange->hello_room = make_room<mortise_hello>(options.poisoned_tail_bytes);
  exchange->reply_room = make_room<mortise_hello_reply>(options.poisoned_tail_bytes);
  mortise_hello& hello = *exchange->hello();
  hello.magic = MORTISE_MAGIC;
  hello.struct_size = static_cast<uint32_t>(sizeof hello) + options.poisoned_tail_bytes;
  hello.generation = MORTISE_ABI_GENERATION;
  hello.host_minor = minor_of(options);
  hello.flags = options.allow_draft ? MORTISE_HELLO_ALLOW_DRAFT : 0;
  hello.pack_root = text_of(exchange->pack_root);
  hello.host = services.open_host(label);
  hello.get_service = &HostServices::get_service;
  mortise_hello_reply& reply = *exchange->reply();
  reply.magic = MORTISE_MAGIC;
  reply.struct_size = static_cast<uint32_t>(sizeof reply) + options.poisoned_tail_bytes;
  return exchange;
}

Result<mortise_status> call_entry(EntryFunction entry, Exchange& exchange) {
  const TraceScope trace(trace_id(exchange.label, "mortise_entry_1"));
  try {
    return entry(exchange.hello(), exchange.reply());
  } catch (...) {
    const std::string text = "The plugin " + exchange.label +
                             " let an exception out of mortise_entry_1. Report this to its vendor.";
    report_violation({exchange.label, "mortise_entry_1", "exception", text});
    return Error(Code::kInternal, text);
  }
}

class Negotiation {
 public:
  Negotiation(const std::string& label, const mortise_hello& hello,
              const mortise_hello_reply& reply)
      : label_(label), hello_(hello), reply_(reply) {}

  Status check(mortise_status status, const std::string& plugin_id) const {
    if (reply_.magic != MORTISE_MAGIC) {
      return refuse("magic", hex(reply_.magic), hex(MORTISE_MAGIC),
                    "The library is of another generation or overwrote the reply: rebuild it "
                    "against the SDK of generation 1.");
    }
    if (reply_.struct_size != hello_reply_size()) {
      return refuse("struct_size", number(reply_.struct_size), number(hello_reply_size()),
                    "The plugin must leave the reply's struct_size as it is: rebuild it.");
    }
    // Before the status: a plugin that refuses this host says in these why.
    if (reply_.needs_minor > hello_.host_minor) {
      return refuse("needs_minor", number(reply_.needs_minor), number(hello_.host_minor),
                    "Install a newer Mortise, or an older version of the pack.");
    }
    if (status != MORTISE_STATUS_OK) {
      return Error(Code::kFailedPrecondition,
                   "The plugin " + label_ + " refuses this host (generation 1, ABI minor " +
                       number(hello_.host_minor) + ") with code " + number(status) + ".",
                   "Ask its vendor which Mortise it needs.");
    }
    return check_accepted(plugin_id);
  }

 private:
  Status check_accepted(const std::string& plugin_id) const {
    if (reply_.generation != MORTISE_ABI_GENERATION) {
      return refuse("generation", number(reply_.generation), number(MORTISE_ABI_GENERATION),
                    "Install a build of the pack for generation 1.");
    }
    const std::string told(view_of(reply_.plugin_id).substr(0, 256));
    if (told != plugin_id) {
      return refuse("plugin_id", "\"" + told + "\"", "\"" + plugin_id + "\" (pack.json)",
                    "The library is not the one that the manifest means: build the pack again.");
    }
    if (reply_.get_interface == nullptr) {
      return refuse("get_interface", "NULL", "a function",
                    "Without it the plugin offers nothing: rebuild it.");
    }
    const bool is_clean = std::all_of(std::begin(reply_.reserved), std::end(reply_.reserved),
                                      [](uint8_t byte) { return byte == 0; });
    if (!is_clean) {
      return refuse("reserved", "bytes that are not zero", "64 zero bytes",
                    "The plugin wrote past the fields of generation 1: rebuild it.");
    }
    return {};
  }

  uint32_t hello_reply_size() const {
    return hello_.struct_size - static_cast<uint32_t>(sizeof(mortise_hello)) +
           static_cast<uint32_t>(sizeof(mortise_hello_reply));
  }
  static std::string hex(uint64_t value) {
    char text[24];
    std::snprintf(text, sizeof text, "0x%016llx", static_cast<unsigned long long>(value));
    return text;
  }
  template <class T>
  static std::string number(T value) {
    return std::to_string(value);
  }
  Error refuse(const std::string& field, const std::string& theirs, const std::string& ours,
               const std::string& remedy) const {
    return Error(Code::kFailedPrecondition,
                 "The pack " + label_ + " was not used: its reply's " + field + " is " + theirs +
                     ", this host has " + ours + ".",
                 remedy)
        .at_field(field);
  }

  const std::string& label_;
  const mortise_hello& hello_;
  const mortise_hello_reply& reply_;
};

bool is_draft(std::string_view id) {
  return id.starts_with("mortise.loss") || id.starts_with("mortise.device_") ||
         id.starts_with("mortise.tokenizer.trainer");
}

// Private libraries of the pack, which the linker finds through $ORIGIN, are hashed as well.
Status check_private_libraries(const pack::Manifest& manifest) {
  for (const pack::FileEntry& file : manifest.files) {
    const std::string name = file.path.substr(file.path.find_last_of('/') + 1);
    if (!name.ends_with(".so") && name.find(".so.") == std::string::npos) continue;
    MORTISE_TRY(check_library(base::join_path(manifest.root, file.path), file.sha256));
  }
  return {};
}

Status check_services(const pack::Decision& decision, mortise_host* host) {
  for (const std::string& id : decision.plugin.needs_services) {
    if (HostServices::get_service(host, text_of(id)) != nullptr) continue;
    return Error(Code::kFailedPrecondition,
                 "The plugin " + decision.plugin.id + " needs the service " + id +
                     ", which this host does not give.",
                 "Install a newer Mortise, or another version of the pack.")
        .at_field("needs_services");
  }
  return {};
}

}  // namespace

Result<std::shared_ptr<Plugin>> load(const pack::Decision& decision, HostServices& services,
                                     const LoadOptions& options) {
  const std::string label = decision.plugin.id + " " + decision.manifest.version;
  MORTISE_TRY(check_services(decision, services.open_host(label)));
  MORTISE_TRY(check_private_libraries(decision.manifest));
  MORTISE_ASSIGN(const EntryFunction entry,
                 open_library(decision.library_path, decision.library.sha256));
  if (options.is_guarded && !decision.plugin.starts_threads) services.watch_threads(label);
  auto exchange = make_exchange(decision, label, services, options);
  // From here on the plugin may keep pointers into it, also when it is refused.
  Exchange& kept = *keep_forever(exchange.release());
  MORTISE_ASSIGN(const mortise_status status, call_entry(entry, kept));
  const Negotiation negotiation(label, *kept.hello(), *kept.reply());
  MORTISE_TRY(negotiation.check(status, decision.plugin.id));
  std::shared_ptr<Plugin> plugin(new Plugin());
  plugin->id_ = decision.plugin.id;
  plugin->label_ = label;
  plugin->decision_ = decision;
  plugin->services_ = &services;
  plugin->reply_ = *kept.reply();
  plugin->built_minor_ = kept.reply()->built_minor;
  plugin->is_guarded_ = options.is_guarded;
  plugin->allow_draft_ = options.allow_draft;
  return plugin;
}

const void* Plugin::raw_interface(std::string_view id) const {
  const TraceScope trace(trace_id(label_, "get_interface"));
  try {
    return reply_.get_interface(text_of(id));
  } catch (...) {
    report_violation({label_, "get_interface", "exception",
                      "The plugin let an exception out of get_interface."});
    return nullptr;
  }
}

bool Plugin::has_interface(std::string_view id) const {
  return (allow_draft_ || !is_draft(id)) && raw_interface(id) != nullptr;
}

Result<const void*> Plugin::find_interface(std::string_view id) const {
  if (is_draft(id) && !allow_draft_) {
    return Error(
        Code::kFailedPrecondition,
        "The interface " + std::string(id) + " is a draft, which this host does not allow.",
        "Allow drafts in the site's configuration (packs.allow_draft).");
  }
  const void* raw = raw_interface(id);
  if (raw == nullptr) {
    const auto& listed = decision_.plugin.interfaces;
    const bool is_promised = std::find(listed.begin(), listed.end(), id) != listed.end();
    return Error(
        Code::kUnimplemented,
        "The plugin " + label_ + " gives no table for " + std::string(id) +
            (is_promised ? ", though its manifest lists it." : "."),
        is_promised ? "Report this to the vendor of the pack." : "Use a plugin that offers it.");
  }
  if (raw != raw_interface(id)) {
    report_violation({label_, "get_interface", "table",
                      "Two calls for " + std::string(id) + " gave two tables."});
  }
  return raw;
}

Status Plugin::quiesce() {
  if (reply_.quiesce == nullptr) return {};
  const TraceScope trace(trace_id(label_, "quiesce"));
  ErrorBox error;
  try {
    return error.check(reply_.quiesce(error.get()));
  } catch (...) {
    const std::string text = "The plugin " + label_ + " let an exception out of quiesce.";
    report_violation({label_, "quiesce", "exception", text});
    return Error(Code::kInternal, text);
  }
}

std::vector<Violation> Plugin::violations() const {
  return violations_of(label_);
}

}  // namespace mortise::plugin
