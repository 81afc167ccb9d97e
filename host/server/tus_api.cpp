// tus 1.0.0 at /api/v1/uploads: one transfer is one file, a bundle of files, or a part of one. What
// it belongs to is said by its metadata, or by the query of the creation where a client sends no
// metadata. See api.h and docs/formats/upload.md.
#include <algorithm>
#include <cctype>

#include "server/receive.h"

namespace mortise::server {
namespace {

using base::Code;
using base::Error;
using base::Result;
using base::Status;

Error refused(int status, std::string message, std::string hint = {}) {
  Error error(Code::kInvalidArgument, std::move(message), std::move(hint));
  return error.with("status", std::to_string(status));
}

Status check_version(const Request& request) {
  const std::string version = request.header("tus-resumable");
  if (version == kTusVersion) return {};
  return refused(412,
                 version.empty() ? "The request has no Tus-Resumable header."
                                 : "The server speaks tus 1.0.0, not " + version + ".",
                 "Send Tus-Resumable: 1.0.0.")
      .with("header:Tus-Version", std::string(kTusVersion));
}

Status check_body_type(const Request& request) {
  std::string type = request.header("content-type");
  type = type.substr(0, type.find(';'));
  if (type == kTusBodyType) return {};
  return refused(415, "The body of an upload is " + std::string(kTusBodyType) + ", not " +
                          base::json_quote(type) + ".");
}

Response tus_response(int status, const hub::Transfer& transfer) {
  Response response;
  response.status = status;
  response.headers = {{"Tus-Resumable", std::string(kTusVersion)},
                      {"Upload-Offset", std::to_string(transfer.offset_bytes)}};
  if (transfer.may_expire()) {
    response.headers.emplace_back("Upload-Expires", http_date(transfer.expires_ns));
  }
  return response;
}

Error with_offset(Error error, const hub::Transfer& transfer) {
  return error.with("header:Upload-Offset", std::to_string(transfer.offset_bytes));
}

// The place of a new transfer: the id of an upload, "" for none.
Result<std::string> upload_named(Api& api, const Request& request, const TusMetadata& metadata) {
  const auto said = [&](const char* key) {
    return metadata.contains(key) ? metadata.value(key) : request.query_value(key);
  };
  if (std::string upload = said("upload"); !upload.empty()) return upload;
  const std::string dataset = said("dataset");
  if (dataset.empty()) return std::string();
  MORTISE_ASSIGN(const hub::Upload upload, api.hub->uploads().join(dataset, said("task_type")));
  return upload.id;
}

Result<std::string> sha256_named(const TusMetadata& metadata) {
  std::string text = metadata.value("sha256");
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  const auto bytes = base::from_hex(text);
  if (bytes.ok() && (bytes->empty() || bytes->size() == 32)) return text;
  return refused(400, "sha256 in Upload-Metadata is not 64 hexadecimal digits.");
}

// Upload-Length and Upload-Defer-Length of a creation; -1: later.
Result<int64_t> length_named(const Request& request, bool is_final) {
  MORTISE_ASSIGN(const auto length, number_in_header(request, "upload-length"));
  const std::string deferred = request.header("upload-defer-length");
  if (!deferred.empty() && deferred != "1") {
    return refused(400, "Upload-Defer-Length is " + base::json_quote(deferred) + ", it may be 1.");
  }
  if (is_final) {
    if (length || !deferred.empty()) {
      return refused(400, "The length of a final upload is that of its parts; do not send one.");
    }
    return 0;
  }
  if (length.has_value() == !deferred.empty()) {
    return refused(400, "A new upload needs Upload-Length, or Upload-Defer-Length: 1.");
  }
  if (length && static_cast<uint64_t>(*length) > kTransferBytesMax) {
    return refused(413, "The upload has " + std::to_string(*length) + " bytes, at most " +
                            std::to_string(kTransferBytesMax) + " are taken.");
  }
  return length.value_or(-1);
}

Result<hub::Transfer> wanted_of(Api& api, const Request& request, const TusConcat& concat) {
  hub::Transfer wanted;
  wanted.owner = request.subject;
  wanted.metadata = request.header("upload-metadata");
  wanted.concat = request.header("upload-concat");
  MORTISE_ASSIGN(const TusMetadata metadata, TusMetadata::parse(wanted.metadata));
  MORTISE_ASSIGN(wanted.size_bytes, length_named(request, concat.is_final));
  MORTISE_ASSIGN(wanted.sha256, sha256_named(metadata));
  MORTISE_ASSIGN(wanted.upload_id, upload_named(api, request, metadata));
  wanted.kind = concat.is_partial ? "partial" : metadata.contains("bundle") ? "bundle" : "file";
  wanted.name = metadata.value("filename");
  if (wanted.kind == "bundle" && wanted.upload_id.empty()) {
    return refused(400, "A bundle belongs to an upload.",
                   "Name it as dataset or upload in Upload-Metadata.");
  }
  if (wanted.kind == "file" && wanted.upload_id.empty()) {
    wanted.purpose = metadata.contains("purpose") ? metadata.value("purpose") : "user_data";
  }
  return wanted;
}

// A length that was deferred may come with any PATCH.
Status take_length(const Request& request, hub::Transfer& transfer, Api& api) {
  MORTISE_ASSIGN(const auto length, number_in_header(request, "upload-length"));
  if (!length || *length == transfer.size_bytes) return {};
  if (transfer.size_bytes >= 0) {
    return refused(400, "The length of this upload is " + std::to_string(transfer.size_bytes) +
                            " and does not change.");
  }
  if (static_cast<uint64_t>(*length) > kTransferBytesMax) {
    return refused(413, "At most " + std::to_string(kTransferBytesMax) + " bytes are taken.");
  }
  return api.hub->transfers().set_size(transfer, *length);
}

// What a body may be added to the transfer, before any of it is read.
Status check_append(const Request& request, const hub::Transfer& transfer) {
  if (transfer.concat.starts_with("final")) {
    return Error(Code::kPermissionDenied, "A final upload takes no bytes of its own.");
  }
  MORTISE_ASSIGN(const auto offset, number_in_header(request, "upload-offset"));
  if (!offset) return refused(400, "PATCH needs Upload-Offset.");
  if (*offset != transfer.offset_bytes) {
    Error error(Code::kAborted,
                "The upload is at " + std::to_string(transfer.offset_bytes) + ", not at " +
                    std::to_string(*offset) + ".",
                "Go on from the offset that HEAD says.");
    return with_offset(std::move(error), transfer);
  }
  const uint64_t end = static_cast<uint64_t>(transfer.offset_bytes) + request.body->size_bytes();
  const uint64_t end_max =
      transfer.size_bytes < 0 ? kTransferBytesMax : static_cast<uint64_t>(transfer.size_bytes);
  if (end <= end_max) return {};
  return with_offset(refused(413, "The body would end at " + std::to_string(end) +
                                      ", the upload ends at " + std::to_string(end_max) + "."),
                     transfer);
}

Status receive_and_finish(Api& api, Request& request, hub::Transfer& transfer,
                          const TransferLocks::Lease& lease, TusChecksum checksum) {
  const Status received = receive_body(api, request, transfer, lease, std::move(checksum));
  if (!received.ok()) return with_offset(received.error(), transfer);
  return transfer.is_whole() ? api.hub->transfers().finish(transfer) : Status();
}

}  // namespace

bool is_tus(const Request& request) {
  return request.headers.contains("tus-resumable") || request.headers.contains("upload-length") ||
         request.headers.contains("upload-defer-length") ||
         request.headers.contains("upload-concat");
}

Answer tus_options(Api&, Request&) {
  Response response = no_content();
  response.headers = {{"Tus-Resumable", std::string(kTusVersion)},
                      {"Tus-Version", std::string(kTusVersion)},
                      {"Tus-Extension", std::string(kTusExtensions)},
                      {"Tus-Checksum-Algorithm", std::string(kTusChecksums)},
                      {"Tus-Max-Size", std::to_string(kTransferBytesMax)}};
  return response;
}

Answer create_transfer(Api& api, Request& request) {
  MORTISE_TRY(check_version(request));
  MORTISE_ASSIGN(const TusConcat concat, parse_tus_concat(request.header("upload-concat")));
  const bool has_body = request.body->size_bytes() > 0;
  if (has_body && !concat.is_final) MORTISE_TRY(check_body_type(request));
  MORTISE_ASSIGN(hub::Transfer wanted, wanted_of(api, request, concat));
  if (wanted.size_bytes >= 0 && !concat.is_final &&
      request.body->size_bytes() > static_cast<uint64_t>(wanted.size_bytes)) {
    return refused(413, "The body is longer than Upload-Length says.");
  }
  MORTISE_ASSIGN(TusChecksum checksum, parse_tus_checksum(request.header("upload-checksum")));
  hub::Transfer made;
  if (concat.is_final) {
    MORTISE_ASSIGN(made, api.hub->transfers().concat(std::move(wanted), concat.ids));
  } else {
    MORTISE_ASSIGN(const uint64_t room, room_bytes(api));
    MORTISE_ASSIGN(made, api.hub->transfers().create(std::move(wanted), room));
    if (has_body || made.is_whole()) {
      MORTISE_ASSIGN(const auto lease, api.locks->take(made.id, made.owner, request.body));
      MORTISE_TRY(receive_and_finish(api, request, made, lease, std::move(checksum)));
    }
  }
  Response response = tus_response(201, made);
  response.headers.emplace_back("Location", "/api/v1/uploads/" + made.id);
  return response;
}

Answer head_transfer(Api& api, Request& request) {
  MORTISE_TRY(check_version(request));
  const std::string id = request.parameter("id");
  // Nobody interrupts a transfer that is not his.
  MORTISE_TRY(api.hub->transfers().get(id, request.subject));
  MORTISE_ASSIGN(const auto lease, api.locks->take_over(id, request.subject));
  MORTISE_ASSIGN(hub::Transfer transfer, api.hub->transfers().get(id, request.subject));
  if (transfer.is_whole()) MORTISE_TRY(api.hub->transfers().finish(transfer));
  Response response = tus_response(200, transfer);
  auto& headers = response.headers;
  headers.emplace_back("Cache-Control", "no-store");
  if (transfer.size_bytes >= 0) {
    headers.emplace_back("Upload-Length", std::to_string(transfer.size_bytes));
  } else {
    headers.emplace_back("Upload-Defer-Length", "1");
  }
  if (!transfer.metadata.empty()) headers.emplace_back("Upload-Metadata", transfer.metadata);
  if (!transfer.concat.empty()) headers.emplace_back("Upload-Concat", transfer.concat);
  return response;
}

Answer patch_transfer(Api& api, Request& request) {
  MORTISE_TRY(check_version(request));
  MORTISE_TRY(check_body_type(request));
  MORTISE_ASSIGN(TusChecksum checksum, parse_tus_checksum(request.header("upload-checksum")));
  const std::string id = request.parameter("id");
  MORTISE_TRY(api.hub->transfers().get(id, request.subject));
  MORTISE_ASSIGN(const auto lease, api.locks->take(id, request.subject, request.body));
  MORTISE_ASSIGN(hub::Transfer transfer, api.hub->transfers().get(id, request.subject));
  MORTISE_TRY(check_append(request, transfer));
  MORTISE_TRY(take_length(request, transfer, api));
  MORTISE_TRY(check_append(request, transfer));  // against the length that was just said
  MORTISE_TRY(receive_and_finish(api, request, transfer, lease, std::move(checksum)));
  return tus_response(204, transfer);
}

Answer delete_transfer(Api& api, Request& request) {
  MORTISE_TRY(check_version(request));
  const std::string id = request.parameter("id");
  MORTISE_TRY(api.hub->transfers().get(id, request.subject));
  MORTISE_ASSIGN(const auto lease, api.locks->take_over(id, request.subject));
  MORTISE_ASSIGN(const hub::Transfer transfer, api.hub->transfers().get(id, request.subject));
  MORTISE_TRY(api.hub->transfers().remove(transfer));
  Response response = no_content();
  response.headers.emplace_back("Tus-Resumable", kTusVersion);
  return response;
}

}  // namespace mortise::server
