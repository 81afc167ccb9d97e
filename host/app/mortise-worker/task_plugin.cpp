// `mortise plugin new|list|show|why|pack|sign|install|remove|lock` in the worker. What a pack is
// stands in host/pack; here are only its faces.
#include <cctype>
#include <cstdlib>

#include "app/mortise-worker/context.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "pack/archive.h"
#include "pack/find.h"
#include "pack/lock.h"
#include "pack/signature.h"
#include "pack/store.h"

namespace mortise::worker {
namespace {

using base::Code;
using base::Error;
using base::Json;
using base::Result;
using base::Status;

std::string home() {
  const char* value = std::getenv("MORTISE_HOME");
  return value == nullptr ? "" : value;
}

Result<pack::Search> search() {
  return pack::usual_search(base::posix_file_ops(), home(),
                            std::getenv("MORTISE_PACK_PATH") != nullptr);
}

Json plugin_json(const pack::Manifest& manifest) {
  Json plugins = Json::array();
  for (const Json& plugin : manifest.document["plugins"].items()) {
    plugins.push_back(Json::object({{"id", plugin["id"]}, {"kind", plugin["kind"]}}));
  }
  return Json::object({{"id", manifest.id},
                       {"version", manifest.version},
                       {"vendor", manifest.vendor},
                       {"license", manifest.license},
                       {"sha256", manifest.sha256},
                       {"folder", manifest.root},
                       {"plugins", std::move(plugins)}});
}

// "f1_score" -> "F1Score".
std::string class_name(const std::string& name) {
  std::string out;
  bool upper = true;
  for (const char c : name) {
    if (!std::isalnum(static_cast<unsigned char>(c))) {
      upper = true;
      continue;
    }
    out += upper ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
    upper = false;
  }
  return out;
}

std::string filled(std::string text, const std::string& id, const std::string& name) {
  const std::pair<std::string, std::string> words[] = {
      {"@ID@", id}, {"@NAME@", name}, {"@CLASS@", class_name(name)}};
  for (const auto& [mark, word] : words) {
    for (size_t at = text.find(mark); at != std::string::npos; at = text.find(mark, at)) {
      text.replace(at, mark.size(), word);
      at += word.size();
    }
  }
  return text;
}

bool is_plugin_id(const std::string& id) {
  if (id.find('.') == std::string::npos || id.front() == '.' || id.back() == '.') return false;
  for (const char c : id) {
    if (!std::islower(static_cast<unsigned char>(c)) &&
        !std::isdigit(static_cast<unsigned char>(c)) && c != '.' && c != '_') {
      return false;
    }
  }
  return id.find("..") == std::string::npos;
}

}  // namespace

// arguments: {kind, id, out}
Result<job::TaskResult> plugin_new(Context& context) {
  const std::string kind = context.text("kind"), id = context.text("id"), out = context.text("out");
  if (!is_plugin_id(id)) {
    return Error(Code::kInvalidArgument, "\"" + id + "\" is no plugin id.",
                 "Write your domain backwards and a name: com.example.f1");
  }
  MORTISE_ASSIGN(const std::string templates, shared_path("templates"));
  const std::string from = base::join_path(templates, kind);
  const auto entries = context.files.list(from);
  if (!entries.ok()) {
    return Error(Code::kNotFound, "There is no template of the kind \"" + kind + "\".",
                 "The kinds are metric, tokenizer, format, loss and device.");
  }
  MORTISE_ASSIGN(const bool is_there, context.files.exists(out));
  if (is_there) {
    return Error(Code::kAlreadyExists, "The folder is there already.", "Choose another with --out.")
        .at_file(out);
  }
  const std::string name = id.substr(id.rfind('.') + 1);
  MORTISE_TRY(base::make_folders(context.files, out));
  for (const base::FileInfo& entry : *entries) {
    MORTISE_ASSIGN(const std::string text,
                   base::read_file(context.files, base::join_path(from, entry.name)));
    MORTISE_TRY(base::write_file_durably(
        context.files, base::join_path(out, filled(entry.name, id, name)), filled(text, id, name)));
  }
  MORTISE_TRY(context.print("Made " + out + ". Now, SDK being where the SDK is installed:\n" +
                            "  cd " + out + "\n" +
                            "  cmake -B build -DCMAKE_PREFIX_PATH=SDK && cmake --build build\n" +
                            "  mortise plugin check build/pack\n"));
  return done();
}

Result<job::TaskResult> plugin_list(Context& context) {
  MORTISE_ASSIGN(const pack::Search places, search());
  Json listed = Json::array();
  std::string text;
  for (const pack::Listed& found : pack::list_packs(context.files, places)) {
    if (!found.manifest.ok()) {
      listed.push_back(Json::object({{"folder", found.root},
                                     {"tier", pack::tier_name(found.tier)},
                                     {"error", found.manifest.error().text()}}));
      text += found.root + "  BROKEN: " + found.manifest.error().text() + "\n";
      continue;
    }
    Json shown = plugin_json(*found.manifest);
    shown["tier"] = pack::tier_name(found.tier);
    text += found.manifest->id + " " + found.manifest->version + "  (" +
            pack::tier_name(found.tier) + ")\n";
    listed.push_back(std::move(shown));
  }
  const Json document = Json::object({{"packs", listed}});
  MORTISE_TRY(context.print(context.argument("json").as_bool() ? document.dump() + "\n" : text));
  job::TaskResult result = done();
  result.record["packs_found"] = std::move(listed);  // "packs" are those that a task used
  return result;
}

// arguments: {id}. Exit code 1 when no pack gives the plugin: then the explanation says why.
Result<job::TaskResult> plugin_why(Context& context) {
  MORTISE_ASSIGN(const pack::Search places, search());
  const auto explanation = pack::explain(context.files, places, context.text("id"));
  MORTISE_TRY(context.print(pack::explanation_text(context.text("id"), explanation)));
  job::TaskResult result;
  result.ok = explanation.outcome.ok();
  return result;
}

Result<job::TaskResult> plugin_show(Context& context) {
  MORTISE_ASSIGN(const pack::Search places, search());
  MORTISE_ASSIGN(const pack::Decision decision,
                 pack::find_plugin(context.files, places, context.text("id")));
  MORTISE_TRY(context.print(decision.manifest.document.dump(2) + "\n"));
  return done();
}

// arguments: {root, out}
Result<job::TaskResult> plugin_pack(Context& context) {
  MORTISE_TRY(pack::write_archive(context.files, context.text("root"), context.text("out")));
  return done("Wrote " + context.text("out") + ".");
}

// arguments: {root, key}: the key file holds 64 hex digits, the secret half. With "make" a new key
// pair is written first and its public half printed.
Result<job::TaskResult> plugin_sign(Context& context) {
  base::SigningKey key;
  const std::string path = context.text("key");
  if (context.argument("make_key").as_bool()) {
    key = base::make_signing_key();
    MORTISE_ASSIGN(const bool is_there, context.files.exists(path));
    if (is_there) return Error(Code::kAlreadyExists, "The key file is there.").at_file(path);
    MORTISE_TRY(base::write_file_durably(
        context.files, path, base::to_hex(key.secret) + "\n" + base::to_hex(key.verify) + "\n"));
  } else {
    MORTISE_ASSIGN(const std::string text, base::read_file(context.files, path, 4096));
    const size_t line = text.find('\n');
    if (line == std::string::npos || text.size() < line + 65) {
      return Error(Code::kInvalidArgument, "The key file holds no key pair.",
                   "Make one with `mortise plugin sign PACK --key FILE --make-key`.")
          .at_file(path);
    }
    MORTISE_ASSIGN(const base::Bytes secret, base::from_hex(text.substr(0, line)));
    MORTISE_ASSIGN(const base::Bytes verify, base::from_hex(text.substr(line + 1, 64)));
    if (secret.size() != 32) return Error(Code::kInvalidArgument, "A key has 32 bytes.");
    std::copy(secret.begin(), secret.end(), key.secret.begin());
    std::copy(verify.begin(), verify.end(), key.verify.begin());
  }
  MORTISE_TRY(pack::sign_pack(context.files, context.text("root"), key));
  MORTISE_TRY(context.print(Json::object({{"key", base::to_base64(key.verify)}}).dump() + "\n"));
  return done();
}

// arguments: {source: a pack's folder or archive}
Result<job::TaskResult> plugin_install(Context& context) {
  std::string source = context.text("source");
  if (!context.files.list(source).ok()) {
    const std::string unpacked = base::join_path(context.task_folder, "unpacked");
    MORTISE_TRY(pack::read_archive(context.files, source, unpacked));
    source = unpacked;
  }
  const std::string store = base::join_path(home(), "packs");
  MORTISE_TRY(base::make_folders(context.files, store));
  MORTISE_ASSIGN(const pack::Search places, search());
  MORTISE_ASSIGN(const pack::Installed installed,
                 pack::install(context.files, source, store, places.signatures, places.keyring,
                               base::system_clock().now_ns()));
  MORTISE_TRY(context.print(plugin_json(installed.manifest).dump() + "\n"));
  return done();
}

// arguments: {sha256}
Result<job::TaskResult> plugin_remove(Context& context) {
  MORTISE_TRY(
      pack::uninstall(context.files, base::join_path(home(), "packs"), context.text("sha256")));
  return done();
}

// arguments: {id}: pins what is found now in $MORTISE_HOME/mortise.lock.
Result<job::TaskResult> plugin_lock(Context& context) {
  MORTISE_ASSIGN(pack::Search places, search());
  MORTISE_ASSIGN(const pack::Decision decision,
                 pack::find_plugin(context.files, places, context.text("id")));
  places.lock[context.text("id")] = {decision.manifest.version, decision.manifest.sha256};
  MORTISE_TRY(base::make_folders(context.files, home()));
  MORTISE_TRY(
      pack::write_lock(context.files, base::join_path(home(), "mortise.lock"), places.lock));
  return done("Pinned " + context.text("id") + " " + decision.manifest.version + ".");
}

}  // namespace mortise::worker
