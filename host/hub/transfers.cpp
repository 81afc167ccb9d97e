// See transfers.h.
#include "hub/transfers.h"

#include <algorithm>

#include "base/file_ops.h"
#include "hub/bundle.h"

namespace mortise::hub {
namespace {

using base::Code;
using base::Error;
using base::Json;
using base::Result;
using base::Status;

constexpr int64_t kDayNs = INT64_C(86'400) * 1'000'000'000;
constexpr int64_t kLifeNs = 7 * kDayNs;     // after the last byte of one that is not complete
constexpr int64_t kMemoryNs = 30 * kDayNs;  // how long 410 is answered for one that ended

constexpr const char* kTransferColumns =
    "SELECT id, owner, upload_id, domain, kind, state, name, purpose, parent, sha256, metadata,"
    " concat, size_bytes, offset_bytes, file_ref, created_ns, expires_ns FROM transfers ";

Transfer transfer_of(const Row& row) {
  Transfer transfer;
  std::string* const texts[] = {&transfer.id,     &transfer.owner,    &transfer.upload_id,
                                &transfer.domain, &transfer.kind,     &transfer.state,
                                &transfer.name,   &transfer.purpose,  &transfer.parent,
                                &transfer.sha256, &transfer.metadata, &transfer.concat};
  int column = 0;
  for (std::string* text : texts) *text = row.text(column++);
  transfer.size_bytes = row.integer(column++);
  transfer.offset_bytes = row.integer(column++);
  transfer.file_ref = row.text(column++);
  transfer.created_ns = row.integer(column++);
  transfer.expires_ns = row.integer(column);
  return transfer;
}

Error gone(const Transfer& transfer) {
  Error error(Code::kNotFound, "The upload " + transfer.id + " was ended or has expired.",
              "Start a new one.");
  return error.with("status", "410");
}

Status insert(Connection& connection, const Transfer& made) {
  MORTISE_TRY(connection.run(
      "INSERT INTO transfers VALUES (?1, ?2, ?3, ?4, ?5, 'open', ?6, ?7, ?8, ?9, ?10, ?11, ?12, 0,"
      " '', ?13, ?14)",
      {made.id, made.owner, made.upload_id, made.domain, made.kind, made.name, made.purpose,
       made.parent, made.sha256, made.metadata, made.concat, made.size_bytes, made.created_ns,
       made.expires_ns}));
  return {};
}

// The parts that follow what is there; the row is moved on only from the offset that we know.
Status insert_parts(Connection& connection, const Transfer& transfer, int64_t expires_ns,
                    const std::vector<store::ObjectRef>& parts) {
  int64_t end = transfer.offset_bytes;
  for (const auto& part : parts) end += static_cast<int64_t>(part.size_bytes);
  MORTISE_ASSIGN(const int64_t changed,
                 connection.run("UPDATE transfers SET offset_bytes = ?3, expires_ns = ?4"
                                " WHERE id = ?1 AND offset_bytes = ?2 AND state = 'open'",
                                {transfer.id, transfer.offset_bytes, end, expires_ns}));
  if (changed != 1) {
    return Error(Code::kAborted, "The upload " + transfer.id + " was changed by somebody else.",
                 "Ask for its offset and go on from there.");
  }
  int64_t begin = transfer.offset_bytes;
  for (const store::ObjectRef& part : parts) {
    if (part.size_bytes == 0) continue;
    MORTISE_TRY(connection.run("INSERT INTO transfer_parts VALUES (?1, ?2, ?3)",
                               {transfer.id, begin, to_text(part)}));
    begin += static_cast<int64_t>(part.size_bytes);
  }
  return {};
}

Status check_quota(Connection& connection, const Transfer& wanted, uint64_t room_bytes) {
  int64_t open = 0, reserved = 0;
  MORTISE_TRY(connection.run("SELECT count(*) FROM transfers WHERE state = 'open' AND owner = ?1",
                             {wanted.owner}, [&open](const Row& row) { open = row.integer(0); }));
  if (open >= kTransfersOpenMax) {
    return Error(Code::kResourceExhausted,
                 "There are " + std::to_string(open) + " unfinished uploads of yours.",
                 "Finish or delete some of them first.")
        .with("status", "429");
  }
  MORTISE_TRY(
      connection.run("SELECT coalesce(sum(size_bytes - offset_bytes), 0) FROM transfers"
                     " WHERE state = 'open' AND size_bytes > offset_bytes",
                     {}, [&reserved](const Row& row) { reserved = row.integer(0); }));
  const uint64_t rest = room_bytes - std::min(room_bytes, static_cast<uint64_t>(reserved));
  if (wanted.size_bytes <= 0 || static_cast<uint64_t>(wanted.size_bytes) <= rest) return {};
  return Error(Code::kResourceExhausted,
               "The upload has " + std::to_string(wanted.size_bytes) +
                   " bytes, the disk of the server takes " + std::to_string(rest) + " more.",
               "Make room there: mortise store compact frees what was deleted.");
}

Result<std::string> sha256_of(store::Domain& domain, const store::ObjectRef& ref) {
  MORTISE_ASSIGN(const store::ObjectReader object, domain.open_object(ref));
  base::Sha256 hash;
  base::Bytes buffer(1u << 20);
  for (uint64_t at = 0; at < object.size_bytes();) {
    MORTISE_ASSIGN(const size_t got, object.read_at(at, buffer));
    hash.update(base::ByteView(buffer).first(got));
    at += got;
  }
  return base::to_hex(hash.finish());
}

}  // namespace

Json Transfer::to_json() const {
  const auto text = [](const std::string& value) { return value.empty() ? Json() : Json(value); };
  return Json::object({{"id", id},
                       {"kind", kind},
                       {"state", state},
                       {"upload", text(upload_id)},
                       {"name", text(name)},
                       {"offset", offset_bytes},
                       {"length", size_bytes < 0 ? Json() : Json(size_bytes)},
                       {"created_at", base::format_utc(created_ns)},
                       {"expires_at", may_expire() ? Json(base::format_utc(expires_ns)) : Json()}});
}

Status Transfers::place(Transfer& wanted) {
  if (wanted.upload_id.empty()) {
    MORTISE_ASSIGN(wanted.domain, domain_of_files(wanted.owner));
    return {};
  }
  MORTISE_ASSIGN(const Upload upload, uploads_->get(wanted.upload_id));
  MORTISE_TRY(uploads_->require_open(upload));
  if (wanted.kind == "file") MORTISE_TRY(base::check_relative_path(wanted.name));
  wanted.domain = upload.domain;
  return {};
}

Result<Transfer> Transfers::create(Transfer wanted, uint64_t room_bytes) {
  MORTISE_TRY(expire());
  MORTISE_TRY(place(wanted));
  wanted.id = base::random_hex(*random_, 16);
  wanted.created_ns = clock_->now_ns();
  wanted.expires_ns = wanted.created_ns + kLifeNs;
  MORTISE_TRY(database_->write([&](Connection& connection) -> Status {
    MORTISE_TRY(check_quota(connection, wanted, room_bytes));
    return insert(connection, wanted);
  }));
  return get(wanted.id, wanted.owner);
}

Result<Transfer> Transfers::get(const std::string& id, const std::string& owner) {
  std::vector<Transfer> found;
  MORTISE_TRY(database_->read([&](Connection& connection) -> Status {
    MORTISE_TRY(connection.run(std::string(kTransferColumns) + "WHERE id = ?1 AND owner = ?2",
                               {id, owner},
                               [&](const Row& row) { found.push_back(transfer_of(row)); }));
    return {};
  }));
  if (found.empty()) return not_found("upload", id);
  const bool is_over = found[0].state == "removed" || found[0].state == "expired";
  const bool is_late = found[0].may_expire() && found[0].expires_ns < clock_->now_ns();
  if (is_over || is_late) return gone(found[0]);
  return std::move(found[0]);
}

Status Transfers::set_size(Transfer& transfer, int64_t size_bytes) {
  MORTISE_TRY(database_->write([&](Connection& connection) -> Status {
    MORTISE_ASSIGN(const int64_t changed,
                   connection.run("UPDATE transfers SET size_bytes = ?2 WHERE id = ?1 AND"
                                  " size_bytes = -1 AND offset_bytes <= ?2",
                                  {transfer.id, size_bytes}));
    if (changed == 1) return {};
    return Error(Code::kInvalidArgument,
                 "The length of an upload is said once and is no less than what has arrived.");
  }));
  transfer.size_bytes = size_bytes;
  return {};
}

Status Transfers::append(Transfer& transfer, const std::vector<store::ObjectRef>& parts) {
  const int64_t expires_ns = clock_->now_ns() + kLifeNs;
  MORTISE_TRY(database_->write([&](Connection& connection) {
    return insert_parts(connection, transfer, expires_ns, parts);
  }));
  for (const auto& part : parts) transfer.offset_bytes += static_cast<int64_t>(part.size_bytes);
  transfer.expires_ns = expires_ns;
  return {};
}

Status Transfers::finish(Transfer& transfer) {
  if (transfer.state == "complete") return {};
  std::vector<std::string> texts;
  MORTISE_TRY(database_->read([&](Connection& connection) -> Status {
    MORTISE_TRY(connection.run(
        "SELECT part_ref FROM transfer_parts WHERE transfer_id = ?1 ORDER BY begin_bytes",
        {transfer.id}, [&](const Row& row) { texts.push_back(row.text(0)); }));
    return {};
  }));
  std::vector<store::ObjectRef> parts;
  for (const std::string& text : texts) {
    MORTISE_ASSIGN(parts.emplace_back(), store::parse_object_ref(text));
  }
  MORTISE_ASSIGN(const auto domain, domains_->open_to_store(transfer.domain));
  MORTISE_ASSIGN(const store::ObjectRef whole, domain->concat(parts));
  if (!transfer.sha256.empty()) {
    MORTISE_ASSIGN(const std::string arrived, sha256_of(*domain, whole));
    if (arrived != transfer.sha256) {
      MORTISE_TRY(remove(transfer));
      return Error(Code::kInvalidArgument,
                   "What arrived has SHA-256 " + arrived + ", its metadata say " + transfer.sha256 +
                       ".",
                   "Send it again as a new upload; nothing of this one was kept.")
          .at_file(transfer.name)
          .with("status", "460");
    }
  }
  return complete(transfer, whole);
}

Status Transfers::complete(Transfer& transfer, const store::ObjectRef& whole) {
  MORTISE_ASSIGN(const auto domain, domains_->open_to_store(transfer.domain));
  store::NamesWritten bundle;
  if (transfer.kind == "bundle") {
    MORTISE_ASSIGN(bundle, unpack_bundle(domain, whole));
  }
  MORTISE_TRY(domain->sync());
  MORTISE_TRY(database_->write([&](Connection& connection) -> Status {
    if (transfer.kind == "bundle") {
      MORTISE_TRY(uploads_->put_table(connection, transfer.upload_id, bundle));
    } else if (transfer.kind == "file" && !transfer.upload_id.empty()) {
      MORTISE_TRY(uploads_->put_file(connection, transfer.upload_id, transfer.name, whole));
    }
    MORTISE_ASSIGN(const int64_t changed,
                   connection.run("UPDATE transfers SET state = 'complete', file_ref = ?2"
                                  " WHERE id = ?1 AND state = 'open'",
                                  {transfer.id, to_text(whole)}));
    if (changed != 1) return gone(transfer);
    MORTISE_TRY(connection.run("DELETE FROM transfer_parts WHERE transfer_id = ?1", {transfer.id}));
    return {};
  }));
  transfer.state = "complete";
  transfer.file_ref = to_text(whole);
  return {};
}

Result<std::vector<store::ObjectRef>> Transfers::gather(const Transfer& whole,
                                                        const std::vector<std::string>& partials) {
  std::vector<store::ObjectRef> parts;
  for (const std::string& id : partials) {
    MORTISE_ASSIGN(const Transfer partial, get(id, whole.owner));
    if (partial.kind != "partial" || partial.domain != whole.domain ||
        (whole.kind == "assembly" && partial.parent != whole.id)) {
      return Error(Code::kPermissionDenied,
                   partial.kind != "partial" ? "The upload " + id + " is not a partial one."
                   : whole.kind == "assembly"
                       ? "The part " + id + " belongs to another upload."
                       : "The partial upload " + id + " belongs to another data set.",
                   "Give partial uploads the same dataset or upload in their metadata.");
    }
    if (partial.state != "complete") {
      return Error(Code::kFailedPrecondition, "The partial upload " + id + " is not complete.",
                   "Send the rest of it first.");
    }
    MORTISE_ASSIGN(parts.emplace_back(), store::parse_object_ref(partial.file_ref));
  }
  return parts;
}

Result<Transfer> Transfers::concat(Transfer wanted, const std::vector<std::string>& partials) {
  MORTISE_TRY(place(wanted));
  MORTISE_ASSIGN(const auto parts, gather(wanted, partials));
  return keep(std::move(wanted), parts, UINT64_MAX);
}

Status Transfers::assemble(Transfer& assembly, const std::vector<std::string>& partials) {
  MORTISE_ASSIGN(const auto parts, gather(assembly, partials));
  int64_t size_bytes = 0;
  for (const store::ObjectRef& part : parts) size_bytes += static_cast<int64_t>(part.size_bytes);
  if (size_bytes != assembly.size_bytes) {
    return Error(Code::kInvalidArgument,
                 "The parts have " + std::to_string(size_bytes) +
                     " bytes, the upload was made for " + std::to_string(assembly.size_bytes) + ".",
                 "Send what is missing, or start a new upload.");
  }
  MORTISE_TRY(append(assembly, parts));
  return finish(assembly);
}

Result<Transfer> Transfers::keep(Transfer wanted, const std::vector<store::ObjectRef>& parts,
                                 uint64_t room_bytes) {
  MORTISE_TRY(place(wanted));
  wanted.id = base::random_hex(*random_, 16);
  wanted.created_ns = clock_->now_ns();
  wanted.expires_ns = wanted.created_ns + kLifeNs;
  wanted.size_bytes = 0;
  for (const auto& part : parts) wanted.size_bytes += static_cast<int64_t>(part.size_bytes);
  MORTISE_TRY(database_->write([&](Connection& connection) -> Status {
    MORTISE_TRY(check_quota(connection, wanted, room_bytes));
    MORTISE_TRY(insert(connection, wanted));
    return insert_parts(connection, wanted, wanted.expires_ns, parts);
  }));
  MORTISE_ASSIGN(Transfer made, get(wanted.id, wanted.owner));
  MORTISE_TRY(finish(made));
  return made;
}

Result<std::vector<Transfer>> Transfers::files(const std::string& owner,
                                               const FilesRequest& request) {
  if (!request.after.empty()) MORTISE_TRY(get(request.after, owner));
  const std::string order = request.is_oldest_first ? "ASC" : "DESC";
  std::vector<Transfer> found;
  MORTISE_TRY(database_->read([&](Connection& connection) -> Status {
    MORTISE_TRY(connection.run(
        std::string(kTransferColumns) +
            "WHERE owner = ?1 AND upload_id = '' AND state = 'complete' AND kind <> 'partial'"
            " AND (?2 = '' OR purpose = ?2) AND (?3 = '' OR (created_ns, id) " +
            (request.is_oldest_first ? ">" : "<") +
            " (SELECT created_ns, id FROM transfers WHERE id = ?3)) ORDER BY created_ns " + order +
            ", id " + order + " LIMIT ?4",
        {owner, request.purpose, request.after, request.limit},
        [&](const Row& row) { found.push_back(transfer_of(row)); }));
    return {};
  }));
  return found;
}

Status Transfers::copy(const Transfer& file, const std::string& upload_id,
                       const std::string& name) {
  MORTISE_ASSIGN(const Upload upload, uploads_->get(upload_id));
  MORTISE_TRY(uploads_->require_open(upload));
  MORTISE_TRY(base::check_relative_path(name));
  MORTISE_ASSIGN(const store::ObjectRef ref, store::parse_object_ref(file.file_ref));
  MORTISE_ASSIGN(const auto from, domains_->open(file.domain));
  MORTISE_ASSIGN(const auto to, domains_->open_to_store(upload.domain));
  MORTISE_ASSIGN(const store::ObjectReader object, from->open_object(ref));
  store::ObjectWriter writer = to->begin();
  base::Bytes buffer(1u << 20);
  for (uint64_t at = 0; at < object.size_bytes();) {
    MORTISE_ASSIGN(const size_t got, object.read_at(at, buffer));
    MORTISE_TRY(writer.write(base::ByteView(buffer).first(got)));
    at += got;
  }
  MORTISE_ASSIGN(const store::ObjectRef copied, writer.finish());
  MORTISE_TRY(to->sync());
  return uploads_->put_file(upload_id, name, copied);
}

Status Transfers::remove(const Transfer& transfer) {
  if (transfer.state == "complete" && transfer.kind == "bundle") {
    return Error(Code::kFailedPrecondition, "The files of this bundle are part of an upload.",
                 "Delete the upload " + transfer.upload_id + ".");
  }
  return database_->write([&](Connection& connection) -> Status {
    if (transfer.state == "complete" && !transfer.upload_id.empty()) {
      MORTISE_TRY(connection.run(
          "DELETE FROM upload_files WHERE upload_id = ?1 AND name = ?2 AND file_ref = ?3 AND"
          " (SELECT state FROM uploads WHERE id = ?1) IN ('open', 'failed')",
          {transfer.upload_id, transfer.name, transfer.file_ref}));
    }
    MORTISE_TRY(
        connection.run("UPDATE transfers SET state = 'removed' WHERE id = ?1", {transfer.id}));
    MORTISE_TRY(connection.run("DELETE FROM transfer_parts WHERE transfer_id = ?1", {transfer.id}));
    return {};
  });
}

Status Transfers::expire() {
  const int64_t now_ns = clock_->now_ns();
  return database_->write([&](Connection& connection) -> Status {
    MORTISE_TRY(connection.run(
        "UPDATE transfers SET state = 'expired' WHERE state IN ('open', 'complete') AND"
        " expires_ns < ?1 AND (state = 'open' OR kind = 'partial')",
        {now_ns}));
    MORTISE_TRY(connection.run(
        "DELETE FROM transfer_parts WHERE transfer_id IN (SELECT id FROM transfers WHERE"
        " state = 'expired')"));
    MORTISE_TRY(connection.run(
        "DELETE FROM transfers WHERE expires_ns < ?1 AND (state IN ('removed', 'expired') OR"
        " (state = 'complete' AND upload_id <> ''))",
        {now_ns - kMemoryNs}));
    return {};
  });
}

}  // namespace mortise::hub
