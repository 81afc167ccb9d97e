// One sweep finds where each line begins; afterwards a row is one read.
#include "engine/data/dataset.h"

#include "job/split.h"

namespace mortise::engine {
namespace {

using base::Code;
using base::Error;
using base::Json;

std::string absolute(const std::string& folder, const std::string& path) {
  return path.starts_with('/') ? path : base::join_path(folder, path);
}

}  // namespace

base::Result<Dataset> Dataset::open(base::FileOps& files, const std::string& dataset_file,
                                    const std::shared_ptr<store::Domain>& domain) {
  MORTISE_ASSIGN(const std::string text, base::read_file(files, dataset_file));
  auto json = base::parse_json(text, {.size_bytes_max = SIZE_MAX});
  if (!json.ok()) return std::move(json.error().at_file(dataset_file));
  Dataset out;
  out.info_ = std::move(json).value();
  const size_t slash = dataset_file.rfind('/');
  out.folder_ = slash == std::string::npos ? "." : dataset_file.substr(0, slash);
  const bool is_sealed = out.info_["domain"].is_string();
  for (const char* field : {is_sealed ? "rows_object" : "rows_file", "task_type"}) {
    if (!out.info_[field].is_string()) {
      return Error(Code::kInvalidArgument, std::string("\"") + field + "\" must be a text.")
          .at_file(dataset_file)
          .at_field(std::string("/") + field);
    }
  }
  out.task_type_ = out.info_["task_type"].as_string();
  if (is_sealed) {
    MORTISE_TRY(out.open_objects(domain));
    return out;
  }
  out.media_files_ = &files;
  out.rows_path_ = absolute(out.folder_, out.info_["rows_file"].as_string());
  for (const auto& [name, path] : out.info_["media"].members()) {
    out.media_[name] = absolute(out.folder_, path.as_string());
  }
  MORTISE_ASSIGN(auto file, files.open(out.rows_path_, base::OpenMode::kRead));
  out.file_ = std::move(file);
  MORTISE_TRY(out.index_lines());
  return out;
}

base::Status Dataset::open_objects(const std::shared_ptr<store::Domain>& domain) {
  if (domain == nullptr || domain->domain_id() != info_["domain"].as_string()) {
    return Error(Code::kFailedPrecondition,
                 "The key of the data set's domain was not handed to this task.",
                 "Install mortised and mortise-worker of the same release.");
  }
  rows_path_ = info_["name"].as_string();  // what errors name
  MORTISE_ASSIGN(const auto rows, store::parse_object_ref(info_["rows_object"].as_string()));
  MORTISE_ASSIGN(table_, store::RowTable::open(domain, rows));
  MORTISE_ASSIGN(const auto media, store::parse_object_ref(info_["media_object"].as_string()));
  MORTISE_ASSIGN(store::NameTable names, store::NameTable::open(domain, media));
  media_table_ = std::make_shared<store::TableFiles>(domain, std::move(names));
  media_files_ = media_table_.get();
  if (table_->row_count() > 0) return {};
  return Error(Code::kFailedPrecondition, "The data set holds no row.").at_file(rows_path_);
}

base::Status Dataset::index_lines() {
  std::vector<std::byte> buffer(1 << 20);
  uint64_t at = 0, line_begin = 0;
  while (true) {
    MORTISE_ASSIGN(const size_t got, file_->read_at(at, buffer));
    if (got == 0) break;
    for (size_t i = 0; i < got; ++i) {
      if (buffer[i] != std::byte{'\n'}) continue;
      if (at + i > line_begin) offsets_.push_back(line_begin);
      line_begin = at + i + 1;
    }
    at += got;
  }
  if (at > line_begin) {
    offsets_.push_back(line_begin);
    ++at;  // as if the newline were there
  }
  if (offsets_.empty()) {
    return Error(Code::kFailedPrecondition, "The data set holds no row.").at_file(rows_path_);
  }
  offsets_.push_back(at);
  return {};
}

base::Result<std::string> Dataset::line(uint64_t index) const {
  if (table_) return table_->row(index);
  const uint64_t begin = offsets_.at(index);
  std::string text(offsets_.at(index + 1) - begin - 1, '\0');
  size_t done = 0;
  while (done < text.size()) {
    const auto rest = std::as_writable_bytes(std::span(text)).subspan(done);
    MORTISE_ASSIGN(const size_t got, file_->read_at(begin + done, rest));
    if (got == 0) {
      return Error(Code::kDataLoss, "The file of rows became shorter while it was read.")
          .at_file(rows_path_)
          .at_row(static_cast<int64_t>(index) + 1);
    }
    done += got;
  }
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  return text;
}

base::Result<Json> Dataset::row(uint64_t index) const {
  MORTISE_ASSIGN(const std::string text, line(index));
  auto json = base::parse_json(text);
  if (!json.ok()) {
    return std::move(json.error().at_file(rows_path_).at_row(static_cast<int64_t>(index) + 1));
  }
  return json;
}

base::Result<std::string> Dataset::media_path(const std::string& name) const {
  const auto found = media_.find(name);
  if (found != media_.end()) return found->second;
  if (media_table_) {
    MORTISE_ASSIGN(const bool is_there, media_table_->exists(name));
    if (is_there) return name;
  }
  return Error(Code::kNotFound, "The row names \"" + name +
                                    "\", which is not among the media of "
                                    "the data set.");
}

base::Result<std::string> Dataset::row_id(uint64_t index) const {
  if (!table_) return "line:" + std::to_string(index + 1);
  MORTISE_ASSIGN(const auto ids, table_->ids(index, 1));
  return store::to_text(ids.at(0));
}

base::Result<std::unique_ptr<base::File>> Dataset::open_medium(const std::string& name) const {
  MORTISE_ASSIGN(const std::string path, media_path(name));
  return media_files_->open(path, base::OpenMode::kRead);
}

base::Result<std::vector<std::string>> Dataset::media_below(const std::string& folder) const {
  std::string prefix = folder;
  while (prefix.ends_with('/')) prefix.pop_back();
  std::vector<std::string> names;
  if (!media_table_) {
    prefix += '/';
    for (auto at = media_.lower_bound(prefix); at != media_.end() && at->first.starts_with(prefix);
         ++at) {
      if (at->first.find('/', prefix.size()) == std::string::npos) names.push_back(at->first);
    }
    return names;
  }
  auto entries = media_table_->list(prefix);
  if (!entries.ok() && entries.error().code == Code::kNotFound) return names;
  if (!entries.ok()) return std::move(entries).error();
  for (const base::FileInfo& entry : *entries) {
    if (!entry.is_folder) names.push_back(base::join_path(prefix, entry.name));
  }
  return names;
}

base::Result<Split> split_rows(const Dataset& dataset, double ratio, uint64_t seed) {
  Split split;
  for (uint64_t i = 0; i < dataset.count(); ++i) {
    bool held_out = false;
    if (ratio > 0) {
      MORTISE_ASSIGN(const std::string text, dataset.line(i));
      held_out = job::is_held_out(text, ratio, seed);
    }
    (held_out ? split.held_out : split.train).push_back(i);
  }
  return split;
}

}  // namespace mortise::engine
