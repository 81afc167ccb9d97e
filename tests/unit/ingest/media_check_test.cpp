#include "ingest/media_check.h"

#include <gtest/gtest.h>

#include "tests/support/media_files.h"
#include "tests/support/temp_folder.h"
#include "tests/unit/ingest/rows.h"

namespace mortise::ingest {
namespace {

using tests::film_file;
using tests::wav_file;

// What is said of these bytes under this name; "" for nothing.
std::string said(const std::string& name, const std::string& bytes) {
  const LocalFiles files(base::posix_file_ops(), {});
  MediaCheck check(files);
  check.take(name, base::as_bytes(bytes));
  const auto finding = check.check(name, "image_path");
  return finding ? finding->code + ": " + finding->message : "";
}

TEST(MediaCheck, GoodMediaOfEachKindPass) {
  EXPECT_EQ(said("a.png", grey_png(3, 1)), "");
  EXPECT_EQ(said("a.WAV", wav_file({1, 2, 3}, 16000, 1)), "");
  EXPECT_EQ(said("a.mp4", film_file("mp4", "mpeg4", {40, 50}, 32, 32, 5)), "");
  EXPECT_EQ(said("a.bin", "anything"), "");
}

TEST(MediaCheck, CutAndMisnamedMediaAreNamedWithTheReason) {
  const std::string sound = wav_file({1, 2, 3}, 16000, 1);
  EXPECT_EQ(said("a.wav", sound.substr(0, sound.size() - 2)),
            "media_broken: a.wav: The sound is damaged: it says that it has 50 bytes, but has 48.");
  const std::string film = film_file("mp4", "mpeg4", {40, 50}, 32, 32, 5);
  EXPECT_EQ(said("a.mp4", film.substr(0, film.size() / 2)).substr(0, 40),
            "media_broken: a.mp4: The film is damaged");
  EXPECT_EQ(said("a.mp4", sound), "media_broken: a.mp4: This is no film that is read here.");
  EXPECT_EQ(said("a.flac", ""), "media_empty: a.flac is empty.");
}

// A film may be a folder of pictures; each of them is checked and goes into the version.
TEST(MediaCheck, AFolderOfPicturesIsAFilm) {
  const tests::TempFolder folder;
  for (const auto& [name, bytes] :
       {std::pair("1.png", grey_png(3, 1)), std::pair("broken.png", grey_png(3, 1).substr(0, 20)),
        std::pair("notes.txt", std::string("no frame"))}) {
    ASSERT_TRUE(base::write_file_durably(base::posix_file_ops(), folder / name, bytes).ok());
  }
  const LocalFiles files(base::posix_file_ops(), {{"clip/1.png", folder / "1.png"},
                                                  {"clip/2.png", folder / "1.png"},
                                                  {"clip/notes.txt", folder / "notes.txt"},
                                                  {"clip/more/3.png", folder / "1.png"},
                                                  {"cut/1.png", folder / "broken.png"},
                                                  {"texts/notes.txt", folder / "notes.txt"}});
  MediaCheck check(files);
  EXPECT_FALSE(check.check("clip", "/video"));
  EXPECT_EQ(check.files_of("clip"), (std::vector<std::string>{"clip/1.png", "clip/2.png"}));
  EXPECT_EQ(check.facts("clip").size_bytes, 2 * grey_png(3, 1).size());
  EXPECT_EQ(check.files_of("clip/1.png"), std::vector<std::string>{"clip/1.png"});
  const auto cut = check.check("cut", "/video");
  ASSERT_TRUE(cut);
  EXPECT_EQ(cut->code, "media_broken");
  EXPECT_EQ(cut->message.substr(0, 9), "cut/1.png") << "the frame is named";
  EXPECT_EQ(cut->field, "/video");
  for (const char* none : {"texts", "clip/more/3", "cli"}) {
    const auto missing = check.check(none, "/video");
    ASSERT_TRUE(missing) << none;
    EXPECT_EQ(missing->code, "media_missing") << none;
    EXPECT_TRUE(check.is_missing(none));
  }
}

// What is found out ahead, by several threads, is what is found out one by one.
TEST(MediaCheck, LooksAheadWithTheSameAnswers) {
  const tests::TempFolder folder;
  std::map<std::string, std::string> paths;
  std::vector<std::string> names = {"none.png", "http://a/b.png", "../x", "clip"};
  for (int i = 0; i < 200; ++i) {
    const std::string name = "f" + std::to_string(i) + ".png";
    std::string bytes = grey_png(9 + i % 3, 8 + i % 5);
    if (i % 7 == 0) bytes.resize(bytes.size() / 2);
    if (i % 11 == 0) bytes.clear();
    ASSERT_TRUE(base::write_file_durably(base::posix_file_ops(), folder / name, bytes).ok());
    paths[name] = folder / name;
    if (i % 7 != 0 && i % 11 != 0) paths["clip/" + name] = folder / name;
    names.push_back(name);
    names.push_back(name);
  }
  const LocalFiles files(base::posix_file_ops(), paths);
  MediaCheck one_by_one(files), ahead(files);
  ahead.finish(*ahead.begin(names));
  size_t bad = 0;
  for (const std::string& name : names) {
    const auto expected = one_by_one.check(name, "/image_path"),
               found = ahead.check(name, "/image_path");
    ASSERT_EQ(found.has_value(), expected.has_value()) << name;
    bad += found ? 1 : 0;
    EXPECT_EQ(found ? found->message : "", expected ? expected->message : "");
    EXPECT_EQ(ahead.facts(name).size_bytes, one_by_one.facts(name).size_bytes) << name;
    EXPECT_EQ(ahead.is_missing(name), one_by_one.is_missing(name)) << name;
  }
  EXPECT_EQ(bad, 3 + 2 * (29 + 19 - 3)) << "of 200, each 7th is cut and each 11th empty";
  ahead.use("clip");
  EXPECT_EQ(ahead.used(), ahead.files_of("clip"));
}

TEST(MediaCheck, AnAddressIsNamedAsSuch) {
  const LocalFiles files(base::posix_file_ops(), {});
  const auto finding = MediaCheck(files).check("http://x/y.png", "/image_path");
  ASSERT_TRUE(finding.has_value());
  EXPECT_EQ(finding->code, "media_name");
  EXPECT_EQ(finding->field, "/image_path");
  EXPECT_EQ(finding->message, "\"http://x/y.png\" is an address, and addresses are never fetched.");
  EXPECT_EQ(finding->hint,
            "Put the file into the upload and name it in the row, such as images/0001.png.");
}

}  // namespace
}  // namespace mortise::ingest
