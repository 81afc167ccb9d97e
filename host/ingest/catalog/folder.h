// The files of an upload as a mapping sees them: found by name, read as texts and as tables. Called
// by the words of the mapping language through Lookup. Opens what is asked for, and nothing else.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/file_ops.h"
#include "ingest/catalog/lookup.h"
#include "ingest/upload_files.h"

namespace mortise::ingest::catalog {

class Folder final : public Lookup {  // [serial]
 public:
  // Reads the rows of a separated table with a format's configuration.
  using ReadTable =
      std::function<base::Result<base::Json>(const std::string& name, const base::Json& config)>;

  // media: the files on this machine; what is kept is added. It must outlive this. tables: of
  // the catalogue's entry, {name: {file?, records?, lines?, config?}}; without a file, a table lies
  // in rows_file. Media that stand in rows are written below kept_folder, in media/.
  Folder(base::FileOps& files, LocalFiles& media, base::Json tables, std::string rows_file,
         std::string kept_folder, ReadTable read_table);

  base::Result<std::string> find(std::string_view name) override;
  base::Result<std::vector<std::string>> list(std::string_view folder) override;
  base::Result<std::string> text(std::string_view name) override;
  base::Result<std::string> line(std::string_view name, int64_t number) override;
  base::Result<const base::Json*> table(std::string_view name) override;
  base::Result<const base::Json*> row_of(std::string_view table, std::string_view key,
                                         const std::string& value) override;
  base::Result<std::string> keep(std::string bytes) override;
  // Bytes [offset, offset + length) of a file as a medium: the file itself where they are all of
  // it. Errors: NOT_FOUND; DATA_LOSS for a range past its end.
  base::Result<std::string> keep_range(const std::string& name, uint64_t offset, uint64_t length);

 private:
  base::Result<std::string> table_file(std::string_view name, const base::Json& spec) const;
  base::Result<base::Json> read(const std::string& file, const base::Json& spec);

  base::FileOps& files_;
  LocalFiles& local_;
  const std::map<std::string, std::string>& media_;  // those of local_
  std::multimap<std::string, std::string> by_base_name_;
  base::Json specs_;
  std::string rows_file_, kept_folder_;
  ReadTable read_table_;
  std::map<std::string, base::Json, std::less<>> tables_;
  std::map<std::string, std::unordered_map<std::string, size_t>> indexes_;  // by table and key
  std::map<std::string, std::vector<std::string>> lines_;                   // of parallel files
};

}  // namespace mortise::ingest::catalog
