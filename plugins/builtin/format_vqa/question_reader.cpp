// See question_reader.h.
#include "question_reader.h"

#include <mortise/cpp/json_write.hpp>

#include <cstdio>

namespace mortise::format_vqa {

std::string Naming::path(sdk::Json image_id) const {
  if (image_id.is_text()) return sdk::name_in(folder, image_id.as_text());
  if (!image_id.is_integer()) {
    throw sdk::invalid_argument("The question has no \"image_id\".").at("", -1, -1, "image_id");
  }
  if (subset.empty()) {
    throw sdk::invalid_argument(
        "The name of the picture is not known: the file does not say its "
        "subset.")
        .at("", -1, -1, "image_id")
        .with_hint("Say it: the configuration's member \"subset\", such as \"train2014\".");
  }
  const bool is_abstract = data_type == "abstract_v002";
  char number[24];
  std::snprintf(number, sizeof(number), "%012lld", static_cast<long long>(image_id.as_integer()));
  return sdk::name_in(folder, (is_abstract ? data_type : "COCO") + '_' + subset + '_' + number +
                                  (is_abstract ? ".png" : ".jpg"));
}

Naming read_naming(const std::string& name) {
  Naming naming;
  bool has_questions = false;
  sdk::JsonWalker walker{sdk::ByteReader(name)};
  walker.for_each_member([&](const std::string& key) {
    if (key == "questions") has_questions = true;
    std::string* const target = key == "data_type"      ? &naming.data_type
                                : key == "data_subtype" ? &naming.subset
                                                        : nullptr;
    if (target == nullptr) return walker.skip();
    *target = walker.parse(walker.take()).root().as_text();
  });
  walker.expect_end();
  if (!has_questions) {
    throw sdk::invalid_argument("The document has no member \"questions\".").at(name, -1, 0);
  }
  for (const char* known :
       {"train2014", "val2014", "test-dev2015", "test2015", "train2015", "val2015"}) {
    if (naming.subset.empty() && name.find(known) != name.npos) naming.subset = known;
  }
  if (naming.subset == "test-dev2015") naming.subset = "test2015";  // a part of it
  return naming;
}

QuestionReader::QuestionReader(const std::string& name, const Naming& naming,
                               const Answers& answers, const sdk::RowPosition* from)
    : walker_(sdk::ByteReader(name, from == nullptr ? 0 : from->at)),
      naming_(naming),
      answers_(answers) {
  if (!answers.file.empty()) answers_file_ = sdk::File::open(answers.file);
  if (from != nullptr) {
    position_ = *from;
    return;
  }
  walker_.enter_member("questions");
  walker_.expect('[');
  position_.at = walker_.offset();
}

// The answer of an annotation, or of a result.
void QuestionReader::add_answer(sdk::JsonObject& row, int64_t id, uint64_t begin) const {
  const sdk::JsonEntry* entry = answers_.find(id);
  if (entry == nullptr) {
    throw sdk::invalid_argument("The question " + std::to_string(id) + " has no annotation in " +
                                answers_.file + ".")
        .at("", -1, static_cast<int64_t>(begin), "question_id")
        .with_hint(
            "Are these the annotations of these questions? The configuration's member "
            "\"annotations\" names others; \"\" reads questions alone.");
  }
  const sdk::JsonDocument document =
      sdk::parse_record(*answers_file_, sdk::read_record(*answers_file_, *entry), -1);
  const sdk::Json annotation = document.root();
  sdk::Json answer = annotation["multiple_choice_answer"];
  if (!answer.exists()) answer = annotation["answer"];
  if (!answer.is_text()) {
    throw sdk::invalid_argument("The annotation of question " + std::to_string(id) +
                                " has no \"multiple_choice_answer\".")
        .at(answers_.file, -1, static_cast<int64_t>(entry->begin), "multiple_choice_answer");
  }
  row.value("output", answer);
  for (const char* field : {"answers", "question_type", "answer_type"}) {
    if (annotation[field].exists()) row.value(field, annotation[field]);
  }
}

std::string QuestionReader::row_of(sdk::Json question, uint64_t begin) const {
  sdk::JsonObject row;
  const int64_t id = sdk::number_of(question, "question_id", "The question", walker_.name(), begin);
  row.integer("question_id", id);
  row.value("image_id", question["image_id"]);
  row.text("image_path", naming_.path(question["image_id"]));
  if (!question["question"].is_text()) {
    throw sdk::invalid_argument("The question " + std::to_string(id) + " has no text.")
        .at("", -1, static_cast<int64_t>(begin), "question");
  }
  row.value("question", question["question"]);
  if (answers_file_) add_answer(row, id, begin);
  return row.finish();
}

bool QuestionReader::next(sdk::JsonRow* out) {
  if (is_done_) return false;
  const auto number = static_cast<int64_t>(position_.row);
  uint64_t begin = walker_.offset();
  try {
    const bool is_first = position_.row == 1;
    if (is_first ? walker_.accept(']') : !walker_.accept(',')) {
      is_done_ = true;
      if (!is_first) walker_.expect(']');
      walker_.leave_object();
      walker_.expect_end();
      return false;
    }
    sdk::JsonSlice slice = walker_.take();
    begin = out->byte_offset = slice.begin;
    const sdk::JsonDocument document = walker_.parse(std::move(slice), number);
    out->json = row_of(document.root(), begin);
  } catch (const sdk::Failure& failure) {
    const std::string file = failure.file.empty() ? walker_.name() : failure.file;
    const int64_t byte = failure.byte < 0 ? static_cast<int64_t>(begin) : failure.byte;
    throw failure.at(file, number, byte, failure.field);
  }
  ++position_.row;
  position_.at = walker_.offset();
  return true;
}

}  // namespace mortise::format_vqa
