// Rows of the task types preference and kto: of a conversation the last answer alone is learned
// from.
#include <algorithm>

#include "engine/data/row_encoder.h"
#include "engine/template/chat.h"

namespace mortise::engine {
namespace {

using base::Code;
using base::Error;
using base::Json;

// The row with only its last message to learn from, and another text in it unless `answer` is null.
base::Result<Json> with_answer(const Json& row, const Json& answer) {
  Json out = row;
  Json* messages = out.find("messages");
  const bool has_answer = messages != nullptr && messages->is_array() && messages->size() > 0 &&
                          messages->items().back()["role"].as_string() == "assistant";
  if (!has_answer) {
    return Error(Code::kInvalidArgument, "The conversation does not end with an answer.",
                 "The last message must be the assistant's.")
        .at_field("/messages");
  }
  for (Json& message : messages->items()) {
    if (message["role"].as_string() == "assistant") message["loss"] = false;
  }
  Json& last = messages->items().back();
  last["loss"] = Json(row["messages"].items().back()["loss"].as_bool(true));
  if (loss_weight(last) != 1) {
    return Error(Code::kInvalidArgument,
                 "The answer of a preference row counts as a whole: it has no weight.",
                 "Leave loss, loss_scale and weight out of the last message.")
        .at_field("/messages/" + std::to_string(messages->size() - 1));
  }
  if (!answer.is_null()) last["content"] = answer;
  return out;
}

base::Result<Json> rejected_of(const Json& row) {
  const Json& rejected = row["rejected_response"];
  if (rejected.is_string()) return rejected;
  if (rejected.is_array() && rejected.size() == 1 && rejected.at(0).is_string()) {
    return rejected.at(0);
  }
  return Error(Code::kInvalidArgument,
               rejected.size() > 1 ? "The row has several worse answers; a pair has one."
                                   : "The row has no worse answer.",
               "Give one text, and a row for each pair.")
      .at_field("/rejected_response");
}

// How many tokens both conversations begin with before anything is learned, but one: it predicts
// the first token of either answer, and a row of hidden states carries one label. 0 when a picture
// would be left.
int64_t shared_beginning(const EncodedRow& a, const EncodedRow& b) {
  size_t count = 0;
  while (count < a.ids.size() && count < b.ids.size() && a.ids[count] == b.ids[count] &&
         a.labels[count] == kNoLabel && b.labels[count] == kNoLabel) {
    ++count;
  }
  if (count < 2) return 0;
  const auto shared = static_cast<int64_t>(count - 1);
  const bool leaves_picture = std::ranges::any_of(
      b.pictures, [&](const PicturePlace& place) { return place.begin + place.tokens > shared; });
  return leaves_picture ? 0 : shared;
}

}  // namespace

base::Result<EncodedRow> RowEncoder::encode_pair(const Json& row, const MediaTokens& tokens) const {
  MORTISE_ASSIGN(const Json rejected, rejected_of(row));
  MORTISE_ASSIGN(const Json better, with_answer(row, Json()));
  MORTISE_ASSIGN(const Json worse, with_answer(row, rejected));
  MORTISE_ASSIGN(EncodedRow pair, encode_one(better, tokens));
  MORTISE_ASSIGN(EncodedRow second, encode_one(worse, tokens));
  pair.split = static_cast<int64_t>(pair.ids.size());
  second.labels[0] = kNoLabel;  // nothing of its own conversation predicts it
  if (settings_.shares_beginnings) {
    pair.shared = shared_beginning(pair, second);
  }
  const auto append = [&](std::vector<int32_t>& to, const std::vector<int32_t>& from) {
    to.insert(to.end(), from.begin() + pair.shared, from.end());
  };
  for (PicturePlace place : second.pictures) {
    place.begin += pair.split;
    if (pair.shared == 0) pair.pictures.push_back(place);
  }
  append(pair.ids, second.ids);
  append(pair.labels, second.labels);
  return pair;
}

base::Result<EncodedRow> RowEncoder::encode_judged(const Json& row,
                                                   const MediaTokens& tokens) const {
  if (!row["label"].is_bool()) {
    return Error(Code::kInvalidArgument, "\"label\" must say whether the answer is wanted.",
                 "Set it to true or false.")
        .at_field("/label");
  }
  MORTISE_ASSIGN(const Json answered, with_answer(row, Json()));
  MORTISE_ASSIGN(EncodedRow out, encode_one(answered, tokens));
  out.is_wanted = row["label"].as_bool();
  return out;
}

}  // namespace mortise::engine
