// A dataset version as a worker gets it: canonical JSON rows and where its media lie, sealed in a
// domain of the store or (tests, local commands) as plain files. Rows stay where they are until
// asked for. Called by multimodal_dataset, engine/train and evaluate. Knows nothing of tokens.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/file_ops.h"
#include "base/json.h"
#include "base/result.h"
#include "ingest/media_decode.h"
#include "store/row_table.h"
#include "store/table_files.h"

namespace mortise::engine {

class Dataset final : public ingest::MediaFiles {  // [parallel] once open
 public:
  // dataset_file: dataset.json as job/dataset_file.h has it; relative paths are relative to its
  // folder. domain: the one that it names, or null for plain files. Errors: INVALID_ARGUMENT naming
  // file and field; those of FileOps and of the store; FAILED_PRECONDITION when there is no row.
  static base::Result<Dataset> open(base::FileOps& files, const std::string& dataset_file,
                                    const std::shared_ptr<store::Domain>& domain = nullptr);

  uint64_t count() const { return table_ ? table_->row_count() : offsets_.size() - 1; }
  const std::string& task_type() const { return task_type_; }
  const base::Json& info() const { return info_; }  // dataset.json

  const std::string& name() const { return rows_path_; }  // of the rows, as errors call them

  // What row `index` is called: its id in the store ("row:..."), "line:N" from 1 in a plain file.
  base::Result<std::string> row_id(uint64_t index) const;
  // The text of row `index` (from 0), without its newline. Errors: DATA_LOSS when the file changed.
  base::Result<std::string> line(uint64_t index) const;
  base::Result<base::Json> row(uint64_t index) const;
  // The file of a medium that a row names, as media_files() knows it. Errors: NOT_FOUND naming it.
  base::Result<std::string> media_path(const std::string& name) const;
  base::FileOps& media_files() const { return *media_files_; }
  // As MediaFiles has them. A folder is what names have before a "/".
  base::Result<std::unique_ptr<base::File>> open_medium(const std::string& name) const override;
  base::Result<std::vector<std::string>> media_below(const std::string& folder) const override;

 private:
  base::Status open_objects(const std::shared_ptr<store::Domain>& domain);
  base::Status index_lines();

  std::string rows_path_, folder_, task_type_;
  base::Json info_;
  std::optional<store::RowTable> table_;            // sealed rows
  std::shared_ptr<store::TableFiles> media_table_;  // sealed media
  base::FileOps* media_files_ = nullptr;
  std::map<std::string, std::string> media_;
  std::shared_ptr<base::File> file_;
  std::vector<uint64_t> offsets_;  // of each line, and the end
};

// Splits by job::is_held_out: indices of the rows to train on, and of the others. ratio 0: all
// train.
struct Split {
  std::vector<uint64_t> train, held_out;
};
base::Result<Split> split_rows(const Dataset& dataset, double ratio, uint64_t seed);

}  // namespace mortise::engine
