// See settings.h.
#include "app/mortised/settings.h"

#include <charconv>
#include <map>

#include "base/json.h"
#include "base/schema.h"
#include "schemas/schemas.h"
#include "server/server.h"

namespace mortise::daemon {
namespace {

using base::Code;
using base::Error;
using base::Json;
using base::Result;
using base::Status;

using Variable = const char* (*)(const char* name);

Error usage(std::string message) {
  return Error(Code::kInvalidArgument, std::move(message),
               "usage: mortised [--listen ADDRESS:PORT] [--config site.json] [--private], or"
               " mortised --restore FOLDER [--root-key FILE | --passphrase-descriptor N]"
               " [--config site.json]");
}

Status set_listen(Settings& settings, const std::string& text) {
  const size_t colon = text.rfind(':');
  int port = -1;
  if (colon != std::string::npos) {
    const char* end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data() + colon + 1, end, port);
    if (parsed.ec != std::errc() || parsed.ptr != end) port = -1;
  }
  if (port < 0 || port > 65535 || colon == 0) {
    return usage(base::json_quote(text) + " is not ADDRESS:PORT.");
  }
  settings.address = text.substr(0, colon);
  if (settings.address.starts_with('[') && settings.address.ends_with(']')) {
    settings.address = settings.address.substr(1, settings.address.size() - 2);
  }
  settings.port = static_cast<uint16_t>(port);
  return {};
}

hub::RootKeySource root_key_of(const Json& site) {
  hub::RootKeySource source;
  const std::string& name = site["source"].as_string();
  if (name == "passphrase") source.kind = hub::RootKeySource::Kind::kPassphrase;
  if (name == "program") source.kind = hub::RootKeySource::Kind::kProgram;
  for (const Json& word : site["program"].items()) source.program.push_back(word.as_string());
  return source;
}

Status read_site(base::FileOps& files, const std::string& path, Settings& settings) {
  MORTISE_ASSIGN(const std::string text, base::read_file(files, path, 1u << 20));
  auto parsed = base::parse_json(text);
  if (!parsed.ok()) return std::move(parsed.error().at_file(path));
  MORTISE_ASSIGN(const Json document, base::parse_json(schemas::text("site.json")));
  MORTISE_ASSIGN(const base::Schema schema, base::Schema::load(document));
  MORTISE_TRY(schema.require(*parsed, path));
  const Json site = schema.with_defaults(*parsed);
  MORTISE_TRY(set_listen(settings, site["listen"].as_string()));
  for (const Json& host : site["hosts"].items()) settings.hosts.push_back(host.as_string());
  for (const Json& folder : site["packs"].items()) settings.packs.push_back(folder.as_string());
  settings.home = site["home"].as_string();
  settings.database = site["database"].as_string();
  settings.root_key = root_key_of(site["root_key"]);
  settings.log_level = site["log_level"].as_string();
  settings.has_auth = site["enable_auth"].as_bool(true);
  settings.deploy_mode = site["deploy_mode"].as_string();
  settings.worker = site["worker"].as_string();
  settings.threads = static_cast<int>(site["threads"].as_int());
  settings.lease_ms = site["lease_seconds"].as_int() * 1000;
  settings.headroom_bytes = site["headroom_bytes"].as_int(-1);
  settings.compute_slots = static_cast<int>(site["slots"]["compute"].as_int(1));
  settings.ingest_slots = static_cast<int>(site["slots"]["ingest"].as_int(1));
  settings.search_slots = static_cast<int>(site["slots"]["search"].as_int(1));
  settings.serve_slots = static_cast<int>(site["slots"]["serve"].as_int(4));
  return {};
}

Status set_descriptor(Settings& settings, const std::string& text) {
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, settings.passphrase_descriptor);
  if (parsed.ec != std::errc() || parsed.ptr != end || settings.passphrase_descriptor < 0) {
    return usage(base::json_quote(text) + " is no number of a descriptor.");
  }
  settings.root_key.kind = hub::RootKeySource::Kind::kPassphrase;
  return {};
}

std::string value_of(Variable variable, const char* name) {
  const char* value = variable(name);
  return value == nullptr ? std::string() : std::string(value);
}

// DEVICE_TYPE as CPU, CUDA, ASCEND or MINDSPORE, in any case.
Status read_device(std::string type, Settings& settings) {
  if (type.empty()) return {};
  const std::string given = type;
  for (char& c : type) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  if (type != "cpu" && type != "cuda" && type != "ascend" && type != "mindspore") {
    return usage("DEVICE_TYPE is " + base::json_quote(given) +
                 ", it must be CPU, CUDA, ASCEND or MINDSPORE.");
  }
  settings.device = type;
  return {};
}

Status read_environment(Variable variable, Settings& settings) {
  if (const std::string home = value_of(variable, "MORTISE_HOME"); !home.empty()) {
    settings.home = home;
  }
  if (settings.home.empty()) {
    const std::string user = value_of(variable, "HOME");
    if (user.empty()) return usage("Neither MORTISE_HOME nor HOME says where data are kept.");
    settings.home = user + "/.local/share/mortise";
  }
  if (settings.home[0] != '/') {
    return usage("MORTISE_HOME is " + base::json_quote(settings.home) +
                 ", it must be an absolute path.");
  }
  if (const std::string level = value_of(variable, "LOG_LEVEL"); !level.empty()) {
    settings.log_level = level;
  }
  const std::string auth = value_of(variable, "ENABLE_AUTH");
  if (!auth.empty() && auth != "true" && auth != "false") {
    return usage("ENABLE_AUTH is " + base::json_quote(auth) + ", it must be true or false.");
  }
  if (!auth.empty()) settings.has_auth = auth == "true";
  const std::string mode = value_of(variable, "DEPLOY_MODE");
  if (!mode.empty() && mode != "private" && mode != "connected") {
    return usage("DEPLOY_MODE is " + base::json_quote(mode) + ", it must be private or connected.");
  }
  if (!mode.empty()) settings.deploy_mode = mode;
  return read_device(value_of(variable, "DEVICE_TYPE"), settings);
}

}  // namespace

Result<Settings> read_settings(base::FileOps& files, const std::vector<std::string>& arguments,
                               Variable variable) {
  Settings settings;
  std::string listen, config, descriptor;
  const std::map<std::string_view, std::string*> valued = {
      {"--listen", &listen},
      {"--config", &config},
      {"--restore", &settings.restore_from},
      {"--root-key", &settings.root_key_file},
      {"--passphrase-descriptor", &descriptor}};
  for (size_t i = 0; i < arguments.size(); ++i) {
    const auto known = valued.find(arguments[i]);
    if (arguments[i] == "--private") {
      settings.ends_when_idle = true;
    } else if (known != valued.end() && i + 1 < arguments.size()) {
      *known->second = arguments[++i];
    } else {
      return usage(base::json_quote(arguments[i]) + " is not an argument of mortised, or lacks " +
                   "its value.");
    }
  }
  if (!config.empty()) MORTISE_TRY(read_site(files, config, settings));
  MORTISE_TRY(read_environment(variable, settings));
  if (!listen.empty()) MORTISE_TRY(set_listen(settings, listen));
  if (!descriptor.empty()) MORTISE_TRY(set_descriptor(settings, descriptor));
  if (config.empty() && !server::is_loopback(settings.address)) {
    return usage("Without a site configuration the server listens on loopback only, not on " +
                 settings.address + ". Give --config site.json, which names its hosts.");
  }
  return settings;
}

}  // namespace mortise::daemon
