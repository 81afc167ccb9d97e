// mortise.lock: a small JSON object. See lock.h.
#include "pack/lock.h"

#include "base/crypto.h"
#include "base/json.h"

namespace mortise::pack {
namespace {

using base::Code;
using base::Error;
using base::Json;
using base::Result;

Error refuse_lock(const std::string& label, const std::string& field, std::string message) {
  return Error(Code::kInvalidArgument, std::move(message),
               "Write the file anew with `mortise plugin lock`.")
      .at_file(label)
      .at_field(field);
}

}  // namespace

Result<Lock> parse_lock(std::string_view text, const std::string& label) {
  auto parsed = base::parse_json(text, {.size_bytes_max = 4u << 20, .depth_max = 8});
  if (!parsed.ok()) return Error(std::move(parsed).error()).at_file(label);
  if ((*parsed)["lock_version"].as_int() != 1) {
    return refuse_lock(label, "/lock_version", "The lock file's lock_version is not 1.");
  }
  for (const auto& [key, value] : parsed->members()) {
    if (key != "lock_version" && key != "plugins") {
      return refuse_lock(label, "/" + key, "The lock file has the unknown key \"" + key + "\".");
    }
  }
  if (!(*parsed)["plugins"].is_object()) {
    return refuse_lock(label, "/plugins", "The lock file has no object \"plugins\".");
  }
  Lock lock;
  for (const auto& [id, pin] : (*parsed)["plugins"].members()) {
    const std::string field = "/plugins/" + id;
    if (!pin.is_object())
      return refuse_lock(label, field, "The pin of \"" + id + "\" is no object.");
    for (const auto& [key, value] : pin.members()) {
      if ((key != "version" && key != "sha256") || !value.is_string()) {
        return refuse_lock(label, field + "/" + key,
                           "A pin has the text members \"version\" and \"sha256\" only.");
      }
    }
    const std::string& hash = pin["sha256"].as_string();
    const auto bytes = base::from_hex(hash);
    if (!hash.empty() && (!bytes.ok() || bytes->size() != 32)) {
      return refuse_lock(label, field + "/sha256", "\"" + hash + "\" is not 64 hex digits.");
    }
    lock[id] = {pin["version"].as_string(), hash};
  }
  return lock;
}

Result<Lock> read_lock(base::FileOps& files, const std::string& path) {
  MORTISE_ASSIGN(const std::string text, base::read_file(files, path, 4u << 20));
  return parse_lock(text, path);
}

base::Status write_lock(base::FileOps& files, const std::string& path, const Lock& lock) {
  Json plugins = Json::object();
  for (const auto& [id, pin] : lock) {
    plugins[id] = Json::object({{"version", pin.version}, {"sha256", pin.sha256}});
  }
  const Json document = Json::object({{"lock_version", 1}, {"plugins", std::move(plugins)}});
  return base::write_file_durably(files, path, document.dump(2) + "\n");
}

}  // namespace mortise::pack
