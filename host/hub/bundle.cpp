// See bundle.h.
#include "hub/bundle.h"

#include <optional>

#include "store/tar_reader.h"

namespace mortise::hub {

using base::Result;
using base::Status;

Result<store::NamesWritten> unpack_bundle(const std::shared_ptr<store::Domain>& domain,
                                          const store::ObjectRef& archive) {
  std::vector<store::NamedObject> files;
  std::optional<store::ObjectWriter> writer;
  store::TarReader reader({.begin_file = [&](const std::string& name, uint64_t) -> Status {
                             files.push_back({name, {}});
                             writer.emplace(domain->begin());
                             return {};
                           },
                           .data = [&](base::ByteView piece) { return writer->write(piece); },
                           .end_file = [&]() -> Status {
                             MORTISE_ASSIGN(files.back().ref, writer->finish());
                             return {};
                           }});
  MORTISE_ASSIGN(const store::ObjectReader object, domain->open_object(archive));
  base::Bytes buffer(1u << 20);
  for (uint64_t at = 0; at < object.size_bytes();) {
    MORTISE_ASSIGN(const size_t got, object.read_at(at, buffer));
    MORTISE_TRY(reader.take(base::ByteView(buffer).first(got)));
    at += got;
  }
  MORTISE_TRY(reader.finish());
  return store::write_names(domain, std::move(files));
}

}  // namespace mortise::hub
