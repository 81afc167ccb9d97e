// Rows of VQA: a question, its picture's name and, where there are annotations, its answer.
//
// Called by plugin.cpp. Questions are read as a stream, answers by their place.
#pragma once

#include <mortise/cpp/format_rows.hpp>

#include <optional>

#include "answers.h"

namespace mortise::format_vqa {

// How a file of questions names its pictures.
struct Naming {
  std::string data_type;  // "mscoco", "abstract_v002"
  std::string subset;     // "train2014"
  std::string folder;     // "" or what stands before each name

  // COCO_train2014_000000000042.jpg. image_id: a whole number, or a text that is the name itself.
  // Throws INVALID_ARGUMENT.
  std::string path(sdk::Json image_id) const;
};

// Reads the questions file over once, for what it says of itself; a subset that is not said comes
// from its name. Throws INVALID_ARGUMENT when it holds no questions.
Naming read_naming(const std::string& name);

class QuestionReader : public sdk::RowReader {
 public:
  // naming and answers must outlive the reader.
  QuestionReader(const std::string& name, const Naming& naming, const Answers& answers,
                 const sdk::RowPosition* from);

  bool next(sdk::JsonRow* out) override;
  sdk::RowPosition position() const override { return position_; }

 private:
  std::string row_of(sdk::Json question, uint64_t begin) const;
  void add_answer(sdk::JsonObject& row, int64_t id, uint64_t begin) const;

  sdk::JsonWalker walker_;
  const Naming& naming_;
  const Answers& answers_;
  std::optional<sdk::File> answers_file_;
  sdk::RowPosition position_;  // at: the byte behind the last question
  bool is_done_ = false;
};

}  // namespace mortise::format_vqa
