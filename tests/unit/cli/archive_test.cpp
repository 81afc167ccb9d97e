// Archives of strangers: each way out of the folder, each bomb and each lie is refused with the
// name of the archive and the entry. The archives are made here, by libarchive or byte by byte.
#include "cli/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <locale.h>

#include <filesystem>
#include <fstream>

#include "base/file_ops.h"
#include "tests/support/temp_folder.h"

namespace mortise::cli {
namespace {

using base::Code;
using ::testing::HasSubstr;

struct Made {
  std::string name, text;
  unsigned type = AE_IFREG;
  std::string target = {};  // of a link
  bool is_hard = false;     // of a link
  bool has_hole = false;    // 1 MiB of nothing before the text
};

class Archive : public ::testing::Test {
 protected:
  // suffix: ".zip" and the like.
  std::string make(const std::string& suffix, const std::vector<Made>& entries) {
    ::setlocale(LC_CTYPE, "C.UTF-8");  // the writer wants it; the reader is to do without
    const std::string path = work_ / ("a" + suffix);
    struct archive* out = archive_write_new();
    if (suffix == ".zip") {
      archive_write_set_format_zip(out);
    } else {
      archive_write_set_format_pax(out);
    }
    if (suffix.ends_with("gz")) archive_write_add_filter_gzip(out);
    if (suffix.ends_with("zst")) archive_write_add_filter_zstd(out);
    archive_write_set_options(out, "hdrcharset=UTF-8");
    EXPECT_EQ(archive_write_open_filename(out, path.c_str()), ARCHIVE_OK);
    for (const Made& made : entries) add(out, made);
    EXPECT_EQ(archive_write_free(out), ARCHIVE_OK);
    ::setlocale(LC_CTYPE, "C");
    return path;
  }

  static void add(struct archive* out, const Made& made) {
    struct archive_entry* entry = archive_entry_new();
    archive_entry_copy_pathname(entry, made.name.c_str());
    archive_entry_set_filetype(entry, made.type);
    archive_entry_set_perm(entry, 0644);
    const size_t hole = made.has_hole ? 1u << 20 : 0;
    archive_entry_set_size(entry, static_cast<la_int64_t>(made.text.size() + hole));
    if (made.has_hole) {
      archive_entry_sparse_add_entry(entry, 1 << 20, static_cast<la_int64_t>(made.text.size()));
    }
    if (made.is_hard) archive_entry_copy_hardlink(entry, made.target.c_str());
    if (made.type == AE_IFLNK) archive_entry_copy_symlink(entry, made.target.c_str());
    EXPECT_GE(archive_write_header(out, entry), ARCHIVE_WARN) << archive_error_string(out);
    const std::string data = std::string(hole, '\0') + made.text;
    archive_write_data(out, data.data(), data.size());
    archive_entry_free(entry);
  }

  base::Status unpack(const std::string& path, const ArchiveLimits& limits = {}) {
    auto scratch = SealedScratch::create(work_ / "scratch");
    EXPECT_TRUE(scratch.ok());
    scratch_ = *scratch;
    auto files = unpack_archive(path, *scratch_, limits);
    if (!files.ok()) return files.error();
    files_ = std::move(*files);
    return {};
  }

  base::Error refusal(const std::string& path, const ArchiveLimits& limits = {}) {
    const base::Status status = unpack(path, limits);
    if (status.ok()) {
      ADD_FAILURE() << path << " was taken";
      return {};
    }
    EXPECT_EQ(status.error().file, path);
    return status.error();
  }

  std::string content(const std::string& name) {
    for (const UnpackedFile& file : files_) {
      if (file.name != name) continue;
      std::string text(file.size_bytes, '?');
      const auto status =
          scratch_->read_at(file.begin_bytes, std::as_writable_bytes(std::span(text)));
      EXPECT_TRUE(status.ok()) << status.error().text();
      return text;
    }
    return "(no such file)";
  }

  tests::TempFolder work_;
  std::shared_ptr<SealedScratch> scratch_;
  std::vector<UnpackedFile> files_;
};

TEST_F(Archive, EachKindUnpacksToTheSameFiles) {
  const std::string big(300'000, 'x');
  for (const char* suffix : {".zip", ".tar", ".tar.gz", ".tgz", ".tar.zst", ".tzst"}) {
    SCOPED_TRACE(suffix);
    const std::string path = make(suffix, {{"./rows.jsonl", "{}\n"},
                                           {"img/", "", AE_IFDIR},
                                           {"img/深/a b.png", "PNG"},
                                           {"img/" + std::string(180, 'n'), "long"},
                                           {"empty", ""},
                                           {"big", big}});
    const auto status = unpack(path);
    ASSERT_TRUE(status.ok()) << status.error().text();
    EXPECT_EQ(content("rows.jsonl"), "{}\n");
    EXPECT_EQ(content("img/深/a b.png"), "PNG");
    EXPECT_EQ(content("img/" + std::string(180, 'n')), "long");
    EXPECT_EQ(content("empty"), "");
    EXPECT_EQ(content("big"), big);
    EXPECT_EQ(files_.size(), 5u);
  }
}

TEST(ArchiveName, SaysWhatIsAnArchive) {
  for (const char* yes : {"a.zip", "/x/a.tar", "a.tar.gz", "a.tgz", "a.tar.zst", "a.tzst"}) {
    EXPECT_TRUE(is_archive_name(yes)) << yes;
  }
  for (const char* no : {"a.jsonl", ".zip", "a.zip.txt", "a.gz", "a.rar", "a.7z", "tar"}) {
    EXPECT_FALSE(is_archive_name(no)) << no;
  }
}

TEST(EntryName, KeepsWhatStaysInTheFolder) {
  for (const char* name : {"a", "a/b.png", "..a", "a..", "a..b/c", ".hidden", "a/.b", "100%.png",
                           "a%20b", "50%25 off", "深/图.png", "a b", "…", "ab:c"}) {
    const auto checked = checked_entry_name(name);
    ASSERT_TRUE(checked.ok()) << checked.error().text();
    EXPECT_EQ(*checked, name);
  }
  EXPECT_EQ(*checked_entry_name("././a"), "a");
}

// What some system, shell or library somewhere takes for "the folder above", or for a place of its
// own.
const std::string kWaysOut[] = {"..",
                                "../",
                                "../x",
                                "a/..",
                                "a/../x",
                                "a/../../x",
                                "./../x",
                                "./.././x",
                                ".//../x",
                                "a//../x",
                                "a/./b",
                                "a/.",
                                "/",
                                "/x",
                                "//x",
                                "///../x",
                                "/../x",
                                "..//x",
                                "../../../../../../etc/passwd",
                                "..\\",
                                "..\\x",
                                "a\\..\\x",
                                "\\x",
                                "\\\\host\\x",
                                ".\\..\\x",
                                "..\\/x",
                                "../\\x",
                                "a\\b",
                                "C:x",
                                "C:/x",
                                "c:\\x",
                                "z:..",
                                "...",
                                ".../x",
                                "..../x",
                                ".. /x",
                                " ../x",
                                ".. ",
                                ". ./x",
                                "a/ .. /x",
                                "%2e%2e/x",
                                "%2E%2E/x",
                                "%2e./x",
                                ".%2e/x",
                                "..%2fx",
                                "%2e%2e%2fx",
                                "..%5cx",
                                "%2e%2e%5cx",
                                "%252e%252e%252fx",
                                "%25252e%25252e/x",
                                "a%2f..%2f..%2fx",
                                "%2fetc/passwd",
                                "\xEF\xBC\x8E\xEF\xBC\x8E/x",
                                "\xE2\x80\xA4\xE2\x80\xA4/x",
                                "\xE2\x80\xA5/x",
                                "\xEF\xB9\x92\xEF\xB9\x92/x",
                                "..\xEF\xBC\x8Fx",
                                "..\xE2\x88\x95x",
                                "..\xE2\x81\x84x",
                                "..\xEF\xBC\xBCx",
                                "..\xE2\x88\x96x",
                                "\xC0\xAE\xC0\xAE/x",
                                "\xC0\xAE\xC0\xAE\xC0\xAFx",
                                "\xE0\x80\xAE\xE0\x80\xAE/x",
                                "..\xC0\xAFx",
                                "..\n/x",
                                "..\t/x",
                                "..\x7F/x",
                                "a\rb",
                                "",
                                std::string("..\0/x", 5),
                                std::string("a\0b", 3)};

TEST(EntryName, RefusesEachWayOut) {
  EXPECT_GE(std::size(kWaysOut), 50u);
  for (const std::string& name : kWaysOut) {
    const auto checked = checked_entry_name(name);
    EXPECT_FALSE(checked.ok()) << "\"" << name << "\" became \"" << *checked << "\"";
    EXPECT_EQ(checked.ok() ? Code::kOk : checked.error().code, Code::kInvalidArgument);
  }
}

TEST_F(Archive, NothingIsWrittenOutsideWhateverTheSpelling) {
  for (const std::string& name : kWaysOut) {
    if (name.empty() || name.find('\0') != std::string::npos) continue;  // not writable as a name
    const bool is_folder = name.ends_with('/');
    const std::string path = make(".tar", {{name, "out", is_folder ? AE_IFDIR : AE_IFREG}});
    EXPECT_FALSE(unpack(path).ok()) << name;
  }
  for (const auto& found : std::filesystem::directory_iterator(work_.path())) {
    const std::string name = found.path().filename();
    EXPECT_EQ(name, "a.tar");
  }
}

TEST_F(Archive, ErrorsNameArchiveAndEntry) {
  const base::Error error = refusal(make(".zip", {{"ok", "1"}, {"../evil.txt", "2"}}));
  EXPECT_EQ(error.code, Code::kInvalidArgument);
  EXPECT_EQ(error.field, "\"../evil.txt\"");
  EXPECT_THAT(error.text(), HasSubstr("a.zip"));
  EXPECT_THAT(error.message, HasSubstr("may leave the folder"));
}

TEST_F(Archive, LinksDevicesAndHolesAreRefused) {
  const struct {
    Made made;
    const char* says;
  } cases[] = {
      {{"l", "", AE_IFLNK, "/etc/passwd"}, "a link"},
      {{"h", "", AE_IFREG, "first", true}, "a link"},
      {{"d", "", AE_IFCHR}, "a device"},
      {{"b", "", AE_IFBLK}, "a device"},
      {{"p", "", AE_IFIFO}, "a device"},
      {{"s", "text", AE_IFREG, "", false, true}, "a file with holes"},
  };
  for (const auto& one : cases) {
    const base::Error error = refusal(make(".tar", {{"first", "1"}, one.made}));
    EXPECT_THAT(error.message, HasSubstr(one.says)) << one.made.name;
    EXPECT_EQ(error.field, one.made.name);
  }
  const base::Error error = refusal(make(".zip", {{"l", "", AE_IFLNK, "/etc/passwd"}}));
  EXPECT_THAT(error.message, HasSubstr("a link"));
}

TEST_F(Archive, NamesComeOnce) {
  EXPECT_THAT(refusal(make(".tar", {{"a/b", "1"}, {"./a/b", "2"}})).message, HasSubstr("twice"));
  EXPECT_THAT(refusal(make(".zip", {{"a", "1"}, {"a", "2"}})).message, HasSubstr("twice"));
  EXPECT_THAT(refusal(make(".tar", {{"a", "1"}, {"a/b", "2"}})).message,
              HasSubstr("a file and a folder"));
  EXPECT_THAT(refusal(make(".tar", {{"a/b", "1"}, {"a", "2"}})).message, HasSubstr("twice"));
}

TEST_F(Archive, ABombEndsAtTheRatio) {
  const std::string zeros(64u << 20, '\0');
  for (const char* suffix : {".zip", ".tar.gz", ".tar.zst"}) {
    const std::string path = make(suffix, {{"rows.jsonl", "{}\n"}, {"zeros", zeros}});
    const base::Error error = refusal(path);
    EXPECT_EQ(error.code, Code::kResourceExhausted) << suffix;
    EXPECT_EQ(error.field, "zeros");
    EXPECT_THAT(error.message, HasSubstr("more than 200 times"));
    const auto bytes = std::filesystem::file_size(path);
    EXPECT_LE(scratch_->size_bytes(), bytes * 200 + (2u << 20));
    EXPECT_TRUE(unpack(path, {.ratio_max = 1'000'000}).ok()) << "the limit can be moved";
  }
}

TEST_F(Archive, LimitsOfEntriesAndBytes) {
  const std::string path = make(".tar", {{"a", "12345"}, {"b", "12345"}, {"c", "12345"}});
  EXPECT_TRUE(unpack(path, {.entries_max = 3, .entry_bytes_max = 5, .total_bytes_max = 15}).ok());
  EXPECT_THAT(refusal(path, {.entries_max = 2}).message, HasSubstr("more than 2 entries"));
  EXPECT_THAT(refusal(path, {.entry_bytes_max = 4}).message, HasSubstr("more than 4 bytes"));
  const base::Error error = refusal(path, {.total_bytes_max = 14});
  EXPECT_EQ(error.code, Code::kResourceExhausted);
  EXPECT_EQ(error.field, "c");
}

// A file of 4 GiB in an archive of 200 bytes: the claim alone is refused, nothing is reserved.
TEST_F(Archive, AClaimedSizeIsNotBelieved) {
  const std::string path = make(".tar", {{"a", std::string(300, 'x')}});
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  std::string block(512, '\0');
  file.read(block.data(), 512);
  block.replace(124, 12, "40000000000\0", 12);  // 4 GiB in octal
  block.replace(148, 8, "        ");
  unsigned sum = 0;
  for (const char c : block) sum += static_cast<unsigned char>(c);
  char text[8];
  std::snprintf(text, sizeof text, "%06o", sum);
  block.replace(148, 7, text, 7);
  file.seekp(0);
  file.write(block.data(), 512);
  file.close();
  const base::Error error = refusal(path);
  EXPECT_EQ(error.code, Code::kResourceExhausted);
  EXPECT_EQ(error.field, "a");
  EXPECT_EQ(scratch_->size_bytes(), 0u);
  EXPECT_FALSE(unpack(path, {.ratio_max = 1'000'000'000}).ok()) << "the archive ends before it";
}

TEST_F(Archive, ACutOrDamagedArchiveIsRefused) {
  std::string noise(200'000, '\0');
  uint32_t state = 7;
  for (char& c : noise) c = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
  for (const char* suffix : {".zip", ".tar", ".tar.gz", ".tar.zst"}) {
    SCOPED_TRACE(suffix);
    const std::string path = make(suffix, {{"a", noise}, {"b", "2"}});
    const auto size = std::filesystem::file_size(path);
    if (std::string(suffix) == ".zip") {  // only a zip has checksums that are sure to be there
      std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
      file.seekp(100'000);
      file.write("damage", 6);
      file.close();
      EXPECT_FALSE(unpack(path).ok());
    }
    std::filesystem::resize_file(path, size / 2);
    EXPECT_EQ(refusal(path).code, Code::kInvalidArgument);
  }
}

TEST_F(Archive, OnlyWhatTheNameSaysIsRead) {
  const std::string gz = make(".tar.gz", {{"a", "1"}});
  const std::string as_tar = work_ / "b.tar", as_zip = work_ / "c.zip";
  std::filesystem::copy_file(gz, as_tar);
  std::filesystem::copy_file(gz, as_zip);
  EXPECT_EQ(refusal(as_tar).code, Code::kInvalidArgument);
  EXPECT_EQ(refusal(as_zip).code, Code::kInvalidArgument);
  EXPECT_EQ(refusal(work_ / "a.rar").code, Code::kInvalidArgument);
  EXPECT_EQ(unpack(work_ / "none.zip").error().code, Code::kNotFound);
}

}  // namespace
}  // namespace mortise::cli
