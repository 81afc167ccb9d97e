// Signatures of packs and the keys that may make them. See signature.h.
#include "pack/signature.h"

#include <algorithm>

#include "base/json.h"

namespace mortise::pack {
namespace {

using base::Bytes;
using base::Code;
using base::Error;
using base::Json;
using base::Result;

Error refuse_signature(const std::string& label, const std::string& field, std::string message) {
  return Error(Code::kInvalidArgument, std::move(message)).at_file(label).at_field(field);
}

// Base64 of exactly `size` bytes.
Result<Bytes> read_bytes(const Json& json, size_t size, const std::string& label,
                         const std::string& field) {
  auto bytes = base::from_base64(json.as_string());
  if (!bytes.ok() || bytes->size() != size) {
    return refuse_signature(label, field,
                            "This is not base64 text of " + std::to_string(size) + " bytes.");
  }
  return std::move(*bytes);
}

Result<TrustedKey> read_key(const Json& json, const std::string& label, const std::string& field) {
  for (const auto& [name, value] : json.members()) {
    if (name != "key" && name != "id_prefixes" && name != "name" && name != "not_after" &&
        name != "revoked") {
      return refuse_signature(label, field + "/" + name, "A key has no member \"" + name + "\".");
    }
  }
  TrustedKey key;
  MORTISE_ASSIGN(key.key, read_bytes(json["key"], 32, label, field + "/key"));
  key.name = json["name"].as_string();
  if (key.name.empty()) key.name = base::to_hex(key.key).substr(0, 16);
  key.not_after = json["not_after"].as_string();
  key.is_revoked = json["revoked"].as_bool();
  if (!json["id_prefixes"].is_array() || json["id_prefixes"].size() == 0) {
    return refuse_signature(label, field + "/id_prefixes",
                            "A key needs id_prefixes, the beginnings of the ids that it may sign.");
  }
  for (const Json& prefix : json["id_prefixes"].items()) {
    if (prefix.as_string().empty()) {
      return refuse_signature(label, field + "/id_prefixes",
                              "A prefix must be text and not empty.");
    }
    key.id_prefixes.push_back(prefix.as_string());
  }
  return key;
}

}  // namespace

Result<Keyring> parse_keyring(std::string_view text, const std::string& label) {
  auto parsed = base::parse_json(text, {.size_bytes_max = 1u << 20, .depth_max = 8});
  if (!parsed.ok()) return Error(std::move(parsed).error()).at_file(label);
  if (!(*parsed)["keys"].is_array() || parsed->size() != 1) {
    return refuse_signature(label, "/keys",
                            "A keyring is an object with the one member \"keys\", a list.");
  }
  Keyring keyring;
  const auto& items = (*parsed)["keys"].items();
  for (size_t i = 0; i < items.size(); ++i) {
    MORTISE_ASSIGN(TrustedKey key, read_key(items[i], label, "/keys/" + std::to_string(i)));
    keyring.keys.push_back(std::move(key));
  }
  return keyring;
}

Result<Keyring> read_keyring(base::FileOps& files, const std::string& path) {
  MORTISE_ASSIGN(const std::string text, base::read_file(files, path, 1u << 20));
  return parse_keyring(text, path);
}

Result<Signature> parse_signature(std::string_view text, const std::string& label) {
  auto parsed = base::parse_json(text, {.size_bytes_max = 4096, .depth_max = 4});
  if (!parsed.ok()) return Error(std::move(parsed).error()).at_file(label);
  if ((*parsed)["algorithm"].as_string() != "ed25519") {
    return refuse_signature(label, "/algorithm", "The signature's algorithm is not \"ed25519\".");
  }
  Signature signature;
  MORTISE_ASSIGN(signature.key, read_bytes((*parsed)["key"], 32, label, "/key"));
  MORTISE_ASSIGN(signature.bytes, read_bytes((*parsed)["signature"], 64, label, "/signature"));
  return signature;
}

Result<std::string> verify(const Keyring& keyring, const std::vector<std::string>& ids,
                           std::string_view manifest_text, const Signature& signature,
                           int64_t now_ns) {
  const auto key =
      std::find_if(keyring.keys.begin(), keyring.keys.end(),
                   [&](const TrustedKey& candidate) { return candidate.key == signature.key; });
  const std::string shown = base::to_base64(signature.key);
  const std::string id = ids.empty() ? "(no id)" : ids.front();
  if (key == keyring.keys.end()) {
    return Error(Code::kUnauthenticated,
                 "The pack " + id + " is signed with the key " + shown +
                     ", which the keyring does not hold.",
                 "Ask the vendor for his key over a second channel, then add it to keyring.json.");
  }
  if (key->is_revoked) {
    return Error(
        Code::kUnauthenticated,
        "The pack " + id + " is signed with the key \"" + key->name + "\", which was revoked.",
        "Install a version that is signed with a key in use.");
  }
  if (!key->not_after.empty() && base::format_utc(now_ns).substr(0, 10) > key->not_after) {
    return Error(Code::kUnauthenticated,
                 "The pack " + id + " is signed with the key \"" + key->name +
                     "\", which was good until " + key->not_after + ".",
                 "Install a version that is signed with a key in use.");
  }
  for (const std::string& name : ids) {
    const bool may_sign =
        std::any_of(key->id_prefixes.begin(), key->id_prefixes.end(),
                    [&](const std::string& prefix) { return name.starts_with(prefix); });
    if (may_sign) continue;
    return Error(Code::kPermissionDenied,
                 "The key \"" + key->name + "\" may not sign the id " + name +
                     ": it is limited to other prefixes.",
                 "Add the prefix to the key's id_prefixes if that is meant.");
  }
  const auto fixed_key = std::span<const std::byte, 32>(signature.key.data(), 32);
  const auto fixed_bytes = std::span<const std::byte, 64>(signature.bytes.data(), 64);
  if (!base::verify_ed25519(fixed_key, base::as_bytes(manifest_text), fixed_bytes)) {
    return Error(Code::kUnauthenticated,
                 "The signature of the pack " + id +
                     " does not fit pack.json: the file was "
                     "changed after it was signed, or the signature is of another pack.",
                 "Fetch the pack again and compare its SHA-256 with the vendor's.");
  }
  return key->name;
}

std::string sign_text(const base::SigningKey& key, std::string_view manifest_text) {
  const auto signature = base::sign_ed25519(key, base::as_bytes(manifest_text));
  const Json document = Json::object({{"algorithm", "ed25519"},
                                      {"key", base::to_base64(key.verify)},
                                      {"signature", base::to_base64(signature)}});
  return document.dump() + "\n";
}

base::Status sign_pack(base::FileOps& files, const std::string& root, const base::SigningKey& key) {
  MORTISE_ASSIGN(const std::string text,
                 base::read_file(files, base::join_path(root, "pack.json"), 4u << 20));
  return base::write_file_durably(files, base::join_path(root, "pack.json.sig"),
                                  sign_text(key, text));
}

}  // namespace mortise::pack
