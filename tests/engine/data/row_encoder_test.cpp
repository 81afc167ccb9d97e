// Rows to ids and labels, with a tokenizer that is one byte a token.
#include "engine/data/row_encoder.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/engine/data/byte_encoder.h"

namespace mortise::engine {
namespace {

using base::Code;
using base::Json;

constexpr const char* kRowTextTemplate =
    "{% for m in messages %}{{ m.role[0] }}:{{ m.content }}{{ '</s>' if m.role == 'assistant' }}\n"
    "{% endfor %}{% if add_generation_prompt %}a:{% endif %}";
constexpr const char* kRowPartsTemplate =
    "{% for m in messages %}{{ m.role[0] }}:{% if m.content is string %}{{ m.content }}{% else %}"
    "{% for p in m.content %}{{ '<image>' if p.type == 'image' else p.text }}{% endfor %}"
    "{% endif %}{{ '</s>' if m.role == 'assistant' }}\n{% endfor %}"
    "{% if add_generation_prompt %}a:{% endif %}";

class Encoding : public ::testing::Test {
 protected:
  base::Result<EncodedRow> encode(const char* row, RowSettings settings,
                                  const char* source = kRowTextTemplate) {
    chat_.emplace(ChatSetup{.chat_template = *Template::parse(source),
                            .variables = Json::object(),
                            .is_default = false});
    auto encoder = RowEncoder::create(bytes_, *chat_, std::move(settings));
    if (!encoder.ok()) return std::move(encoder).error();
    const auto parsed = base::parse_json(row);
    return encoder->encode(*parsed, [this](const std::vector<MediaField>& media) {
      asked_ = media;
      std::vector<int64_t> counts;
      for (size_t i = 0; i < media.size(); ++i) counts.push_back(counts_.at(i));
      return base::Result<std::vector<int64_t>>(std::move(counts));
    });
  }
  static RowSettings settings(const char* task, int64_t length = 100) {
    return {.task_type = task,
            .length_max = length,
            .truncation = Truncation::kRefuse,
            .image = {kImage, "<image>", "<image>"},
            .video = {}};
  }
  // Qwen-VL's: pictures stand between marks, films too.
  static RowSettings qwen(const char* task, int64_t length = 100) {
    RowSettings out = settings(task, length);
    out.image = {kPad, "<|image_pad|>", "<|vision_start|><|image_pad|><|vision_end|>"};
    out.video = {kFilm, "<|video_pad|>", "<|vision_start|><|video_pad|><|vision_end|>"};
    return out;
  }
  // Qwen2-Audio's.
  static RowSettings audio(const char* task, int64_t length = 100) {
    RowSettings out = settings(task, length);
    out.image = {};
    out.audio = {kSound, "<|AUDIO|>", "<|audio_bos|><|AUDIO|><|audio_eos|>"};
    return out;
  }
  // Ids as text: "#" for a placeholder, "%" of a film, "[" and "]" around them, "~" of a sound, "("
  // and ")" around it, "$" the end mark.
  static std::string text_of(const std::vector<int32_t>& ids) {
    std::string text;
    for (const int32_t id : ids) {
      text += id == kNoLabel ? '_' : id < kImage ? static_cast<char>(id) : "#$#%[]~()"[id - kImage];
    }
    return text;
  }

  std::vector<int64_t> counts_ = {3, 3, 3};  // tokens of a row's media
  std::vector<MediaField> asked_;            // the media that were asked about

  ByteEncoder bytes_;
  std::optional<ChatSetup> chat_;
};

TEST_F(Encoding, LearnsTheAnswerAndItsEndAlone) {
  const auto row = encode(R"({"messages": [{"role": "user", "content": "hi"},
                                           {"role": "assistant", "content": "yo"}]})",
                          settings("sft"));
  ASSERT_TRUE(row.ok()) << row.error().text();
  EXPECT_EQ(text_of(row->ids), "u:hi\na:yo$\n");
  EXPECT_EQ(text_of(row->labels), "_______yo$_");
}

TEST_F(Encoding, KeepsTheWeightOfEachMessageThroughImagesAndCuts) {
  const char* messages = R"({"image_path": "a.png", "messages": [
      {"role": "user", "content": "hi"}, {"role": "assistant", "content": "yo", "loss_scale": 0.5},
      {"role": "assistant", "content": "so"}]})";
  const auto row = encode(messages, settings("chat"));
  ASSERT_TRUE(row.ok()) << row.error().text();
  EXPECT_EQ(text_of(row->ids), "u:###\nhi\na:yo$\na:so$\n");
  EXPECT_EQ(row->weights, (std::vector<double>{0,   0,   0,   0, 0, 0, 0, 0, 0, 0, 0,
                                               0.5, 0.5, 0.5, 0, 0, 0, 1, 1, 1, 0}));
  RowSettings left = settings("chat", 8);
  left.truncation = Truncation::kLeft;
  EXPECT_EQ(encode(messages, left)->weights, (std::vector<double>{0.5, 0, 0, 0, 1, 1, 1, 0}));
  EXPECT_TRUE(encode(R"({"messages": [{"role": "assistant", "content": "yo", "loss_scale": 1}]})",
                     settings("chat"))
                  ->weights.empty());
}

TEST_F(Encoding, PutsThePairOfAPreferenceRowEndToEnd) {
  const char* row = R"({"image_path": "a.png", "rejected_response": "no",
      "messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "so"},
                   {"role": "user", "content": "?"}, {"role": "assistant", "content": "yes"}]})";
  const auto whole = encode(row, settings("preference"));
  ASSERT_TRUE(whole.ok()) << whole.error().text();
  EXPECT_EQ(text_of(whole->ids), "u:###\nhi\na:so$\nu:?\na:yes$\nu:###\nhi\na:so$\nu:?\na:no$\n");
  EXPECT_EQ(text_of(whole->labels), "_____________________yes$______________________no$_");
  EXPECT_EQ(whole->split, 26);
  ASSERT_EQ(whole->pictures.size(), 2u);
  EXPECT_EQ(whole->pictures[0].begin, 2);
  EXPECT_EQ(whole->pictures[1].begin, 26 + 2);
  EXPECT_EQ(whole->pictures[1].medium, 0u);
  RowSettings sharing = settings("preference");
  sharing.shares_beginnings = true;
  const auto once = encode(row, sharing);
  ASSERT_TRUE(once.ok()) << once.error().text();
  EXPECT_EQ(text_of(once->ids), "u:###\nhi\na:so$\nu:?\na:yes$\n:no$\n");
  EXPECT_EQ(text_of(once->labels), "_____________________yes$__no$_");
  EXPECT_EQ(once->shared, 20);
  ASSERT_EQ(once->pictures.size(), 1u);
  EXPECT_EQ(once->pictures[0].begin, 2);
}

TEST_F(Encoding, RepeatsPlaceholdersInBothKindsOfTemplate) {
  const char* question = R"({"image_path": "a.png", "question": "what?", "output": "ok"})";
  const auto text = encode(question, settings("vqa"));
  ASSERT_TRUE(text.ok()) << text.error().text();
  EXPECT_EQ(text_of(text->ids), "u:###\nwhat?\na:ok$\n");
  ASSERT_EQ(text->pictures.size(), 1u);
  EXPECT_EQ(text->pictures[0].begin, 2);
  EXPECT_EQ(asked_,
            (std::vector<MediaField>{{ingest::MediaKind::kImage, "/image_path", {"a.png"}}}));
  const auto parts = encode(question, settings("vqa"), kRowPartsTemplate);
  ASSERT_TRUE(parts.ok()) << parts.error().text();
  EXPECT_EQ(text_of(parts->ids), "u:###what?\na:ok$\n");
  EXPECT_EQ(text_of(parts->labels), "_____________ok$_");
}

TEST_F(Encoding, KeepsImageMarksWhereTheRowPutsThem) {
  const auto row = encode(
      R"({"images": ["a", "b"], "question": "x<image>y<image>", "output": "z"})", settings("vqa"));
  ASSERT_TRUE(row.ok()) << row.error().text();
  EXPECT_EQ(text_of(row->ids), "u:x###y###\na:z$\n");
}

TEST_F(Encoding, TakesTokensAndTextAsTheyAre) {
  const auto tokens =
      encode(R"({"input_ids": [5, 6, 7], "labels": [-100, 6, -100]})", settings("tokens"));
  ASSERT_TRUE(tokens.ok());
  EXPECT_EQ(tokens->labels, (std::vector<int32_t>{-100, 6, -100}));
  const auto text = encode(R"({"text": "abc"})", settings("pretrain"));
  ASSERT_TRUE(text.ok());
  EXPECT_EQ(text_of(text->ids), "abc$");
  EXPECT_EQ(text->labels, text->ids);
}

TEST_F(Encoding, RefusesARowThatIsTooLongNamingBothLengths) {
  const auto row = encode(R"({"text": "abcdefgh"})", settings("pretrain", 4));
  ASSERT_FALSE(row.ok());
  EXPECT_EQ(row.error().code, Code::kInvalidArgument);
  EXPECT_NE(row.error().message.find("9 tokens"), std::string::npos);
  EXPECT_NE(row.error().message.find("4"), std::string::npos);
}

TEST_F(Encoding, NeverCutsInsideAnImage) {
  const char* row = R"({"image_path": "a", "question": "q", "output": "answer"})";
  RowSettings left = settings("vqa", 14);  // the cut would fall on the second placeholder
  left.truncation = Truncation::kLeft;
  const auto cut = encode(row, left);
  ASSERT_TRUE(cut.ok()) << cut.error().text();
  EXPECT_EQ(text_of(cut->ids), "\nq\na:answer$\n");
  EXPECT_TRUE(cut->pictures.empty());
  RowSettings right = settings("vqa", 12);
  right.truncation = Truncation::kRight;
  const auto kept = encode(row, right);
  ASSERT_TRUE(kept.ok()) << kept.error().text();
  EXPECT_EQ(text_of(kept->ids), "u:###\nq\na:an");
  EXPECT_EQ(kept->pictures.size(), 1u);
}

TEST_F(Encoding, RefusesWhatCannotBeLearned) {
  RowSettings right = settings("vqa", 4);
  right.truncation = Truncation::kRight;
  EXPECT_EQ(encode(R"({"image_path": "a", "question": "q", "output": "x"})", right).error().code,
            Code::kInvalidArgument);  // truncation takes the answer
  EXPECT_EQ(
      encode(R"({"images": ["a"], "question": "<image><image>", "output": "x"})", settings("vqa"))
          .error()
          .code,
      Code::kInvalidArgument);
  EXPECT_EQ(encode(R"({"question": "q"})", settings("vqa")).error().field, "/output");
  EXPECT_EQ(encode(R"({"image_path": "a", "objects": {}})", settings("grounding")).error().code,
            Code::kUnimplemented);
  EXPECT_EQ(encode(R"({"input_ids": [1, 2], "labels": [1]})", settings("tokens")).error().field,
            "/labels");
  RowSettings no_images = settings("vqa");
  no_images.image = {};
  EXPECT_EQ(
      encode(R"({"image_path": "a", "question": "q", "output": "x"})", no_images).error().code,
      Code::kInvalidArgument);
}

// The template of Qwen2-VL, shortened.
constexpr const char* kQwenTemplate =
    "{% for m in messages %}{{ m.role[0] }}:{% if m.content is string %}{{ m.content }}{% else %}"
    "{% for p in m.content %}{% if p.type == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif p.type == 'video' %}<|vision_start|><|video_pad|><|vision_end|>"
    "{% else %}{{ p.text }}{% endif %}{% endfor %}{% endif %}"
    "{{ '</s>' if m.role == 'assistant' }}\n{% endfor %}"
    "{% if add_generation_prompt %}a:{% endif %}";

TEST_F(Encoding, EachPictureTakesItsOwnNumberOfTokens) {
  counts_ = {1, 4, 2};
  const char* row = R"({"images": ["a", "b"], "videos": ["f"], "question": "x<video>y<image>",
                        "output": "z"})";
  for (const char* source : {kQwenTemplate, kRowTextTemplate}) {
    const auto encoded = encode(row, qwen("vqa"), source);
    ASSERT_TRUE(encoded.ok()) << encoded.error().text();
    // The image without a place comes to the front; the n-th place is that of the n-th image.
    EXPECT_EQ(text_of(encoded->ids), "u:[#]x[%%]y[####]\na:z$\n");
    EXPECT_EQ(text_of(encoded->labels), "____________________z$_");
    ASSERT_EQ(encoded->pictures.size(), 3u);
    EXPECT_EQ(encoded->pictures[0].medium, 0u);
    EXPECT_EQ(encoded->pictures[1].medium, 2u) << "the film stands before the second image";
    EXPECT_EQ(encoded->pictures[1].begin, 7);
    EXPECT_EQ(encoded->pictures[2].tokens, 4);
  }
}

TEST_F(Encoding, FilmsOfATemplateWithoutThemStandBetweenTheirMarks) {
  counts_ = {2};
  const auto row = encode(R"({"video": ["1.png", "2.png"], "question": "q", "output": "z"})",
                          qwen("video_qa"), kRowPartsTemplate);
  ASSERT_TRUE(row.ok()) << row.error().text();
  EXPECT_EQ(text_of(row->ids), "u:[%%]q\na:z$\n");
  EXPECT_EQ(asked_,
            (std::vector<MediaField>{{ingest::MediaKind::kVideo, "/video", {"1.png", "2.png"}}}));
}

// As Qwen2-Audio's own template: a part of sound is one that has a member of that name.
constexpr const char* kAudioTemplate =
    "{% set n = namespace(value=0) %}{% for m in messages %}{{ m.role[0] }}:"
    "{% if m.content is string %}{{ m.content }}{% else %}{% for p in m.content %}"
    "{% if 'audio' in p or 'audio_url' in p or m.type == 'audio' %}{% set n.value = n.value + 1 %}"
    "Audio {{ n.value }}: <|audio_bos|><|AUDIO|><|audio_eos|>\n"
    "{% elif 'text' in p %}{{ p.text }}{% endif %}{% endfor %}{% endif %}"
    "{{ '</s>' if m.role == 'assistant' }}\n{% endfor %}";

TEST_F(Encoding, SoundsStandWhereTheirTemplateOrTheirMarksPutThem) {
  counts_ = {3, 2};
  const char* two = R"({"audios": ["a.wav", "b.wav"], "question": "x<audio>y", "output": "z"})";
  const auto parts = encode(two, audio("audio_qa"), kAudioTemplate);
  ASSERT_TRUE(parts.ok()) << parts.error().text();
  EXPECT_EQ(text_of(parts->ids), "u:Audio 1: (~~~)\nxAudio 2: (~~)\ny\na:z$\n");
  EXPECT_EQ(parts->pictures.at(1).medium, 1u);
  EXPECT_EQ(parts->pictures.at(1).tokens, 2);
  const auto marks = encode(two, audio("audio_qa"));
  ASSERT_TRUE(marks.ok()) << marks.error().text();
  EXPECT_EQ(text_of(marks->ids), "u:(~~~)x(~~)y\na:z$\n");
  EXPECT_EQ(asked_.at(0), (MediaField{ingest::MediaKind::kAudio, "/audios/0", {"a.wav"}}));
  const auto said = encode(R"({"audio_path": "a.wav", "text": "hi"})", audio("asr"));
  ASSERT_TRUE(said.ok()) << said.error().text();
  EXPECT_EQ(text_of(said->ids), "u:(~~~)\na:hi$\n");
  EXPECT_EQ(text_of(said->labels), "__________hi$_");
}

TEST_F(Encoding, FindsTheMarkOfSound) {
  ModelConfig config;
  config.text.emplace();
  config.audio.emplace();
  config.audio_token_id = kSound;
  const auto marks = row_settings_of(config, bytes_);
  ASSERT_TRUE(marks.ok()) << marks.error().text();
  EXPECT_EQ(marks->audio.text, "<|audio_bos|><|AUDIO|><|audio_eos|>");
  EXPECT_EQ(marks->image.token_id, -1);
  config.audio_token_id = 999;
  EXPECT_EQ(row_settings_of(config, bytes_).error().code, Code::kInvalidArgument);
}

TEST_F(Encoding, TakesPartsOfAMessageAsTheirMarks) {
  counts_ = {2};
  const auto row = encode(R"({"images": ["a"], "messages": [{"role": "user", "content": [
      {"type": "text", "text": "x"}, {"type": "image"}]}, {"role": "assistant", "content": "z"}]})",
                          qwen("sft"), kQwenTemplate);
  ASSERT_TRUE(row.ok()) << row.error().text();
  EXPECT_EQ(text_of(row->ids), "u:x[##]\na:z$\n");
  const auto sound = encode(R"({"messages": [{"role": "user", "content": [{"type": "sound"}]},
                                             {"role": "assistant", "content": "z"}]})",
                            qwen("sft"), kQwenTemplate);
  EXPECT_EQ(sound.error().field, "/messages/0/content");
}

TEST_F(Encoding, RefusesMediaOfAKindThatTheModelDoesNotTake) {
  const char* film = R"({"video": "f.mp4", "question": "q", "output": "z"})";
  const auto no_films = encode(film, settings("video_qa"));
  ASSERT_FALSE(no_films.ok());
  EXPECT_NE(no_films.error().message.find("1 videos, but the model takes none"), std::string::npos);
  EXPECT_EQ(no_films.error().field, "/video");
  EXPECT_TRUE(asked_.empty()) << "nothing is decoded for it";
  const auto sound = encode(R"({"messages": [{"role": "assistant", "content": "z"}],
                                "audios": ["s.wav"]})",
                            qwen("sft"));
  EXPECT_EQ(sound.error().field, "/audios/0");
}

TEST_F(Encoding, RefusesPlacesThatAreNotThoseOfThePictures) {
  const auto more = encode(R"({"videos": ["f"], "images": ["a"], "question": "<video><video>",
                               "output": "z"})",
                           qwen("vqa"));
  ASSERT_FALSE(more.ok());
  EXPECT_NE(more.error().message.find("1 videos, but the text has 2 places"), std::string::npos);
}

TEST_F(Encoding, SaysWhatThePicturesOfATooLongRowTake) {
  counts_ = {60, 50};
  const auto row = encode(R"({"images": ["a", "b"], "question": "q", "output": "z"})", qwen("vqa"));
  ASSERT_FALSE(row.ok());
  EXPECT_NE(row.error().message.find("123 tokens (110 of them of 2 pictures), max_length is 100"),
            std::string::npos)
      << row.error().text();
  EXPECT_NE(row.error().hint.find("media.max_pixels"), std::string::npos);
}

TEST_F(Encoding, FindsTheMarksOfAModel) {
  ModelConfig config;
  config.text.emplace();
  config.qwen_vision.emplace();
  config.image_token_id = kPad;
  config.video_token_id = kFilm;
  config.vision_start_id = kStart;
  config.vision_end_id = kStop;
  const auto marks = row_settings_of(config, bytes_);
  ASSERT_TRUE(marks.ok()) << marks.error().text();
  EXPECT_EQ(marks->image.text, "<|vision_start|><|image_pad|><|vision_end|>");
  EXPECT_EQ(marks->video.text, "<|vision_start|><|video_pad|><|vision_end|>");
  config.vision_end_id = 999;  // of no token: the bare mark
  EXPECT_EQ(row_settings_of(config, bytes_)->image.text, "<|image_pad|>");
  config.image_token_id = 999;
  EXPECT_EQ(row_settings_of(config, bytes_).error().code, Code::kInvalidArgument);
  config.qwen_vision.reset();
  EXPECT_EQ(row_settings_of(config, bytes_)->image.token_id, -1) << "a model of text";
}

TEST_F(Encoding, RefusesAnImageTokenThatTheTokenizerDoesNotKnow) {
  RowSettings wrong = settings("vqa");
  wrong.image.token = "<picture>";
  EXPECT_EQ(encode(R"({"image_path": "a", "question": "q", "output": "x"})", wrong).error().code,
            Code::kInvalidArgument);
}

}  // namespace
}  // namespace mortise::engine
