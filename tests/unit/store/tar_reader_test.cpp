#include "store/tar_reader.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <map>

namespace mortise::store {
namespace {

using base::Code;
using base::Status;

std::string padded(std::string text) {
  text.resize((text.size() + 511) / 512 * 512, '\0');
  return text;
}

// One entry as ustar writes it.
std::string entry(const std::string& name, const std::string& content, char type = '0') {
  std::string block(512, '\0');
  block.replace(0, name.size(), name);
  char size[13];
  std::snprintf(size, sizeof size, "%011zo", content.size());
  block.replace(124, 11, size, 11);
  block[156] = type;
  block.replace(257, 5, "ustar");
  block.replace(263, 2, "00");
  block.replace(148, 8, "        ");
  unsigned sum = 0;
  for (const char c : block) sum += static_cast<unsigned char>(c);
  char text[8];
  std::snprintf(text, sizeof text, "%06o", sum);
  block.replace(148, 7, text, 7);
  return block + padded(content);
}

const std::string kEnd(1024, '\0');

struct Taken {
  Status status;
  std::map<std::string, std::string> files;
};

// Feeds the archive in pieces of so many bytes.
Taken take(const std::string& archive, size_t piece, uint64_t files_max = 100) {
  Taken taken;
  std::string name;
  TarReader reader({.begin_file =
                        [&](const std::string& begun, uint64_t) {
                          name = begun;
                          taken.files[name] = "";
                          return Status();
                        },
                    .data =
                        [&](base::ByteView data) {
                          taken.files[name] += base::as_text(data);
                          return Status();
                        },
                    .end_file = [] { return Status(); }},
                   files_max);
  for (size_t at = 0; at < archive.size() && taken.status.ok(); at += piece) {
    taken.status = reader.take(base::as_bytes(std::string_view(archive).substr(at, piece)));
  }
  if (taken.status.ok()) taken.status = reader.finish();
  return taken;
}

TEST(TarReader, GivesTheSameFilesHoweverTheStreamIsCut) {
  const std::string archive = entry("images/", "", '5') +
                              entry("images/a.png", std::string(1000, 'a')) + entry("empty", "") +
                              entry("./rows.jsonl", "{}\n") + kEnd + std::string(3000, '\0');
  for (const size_t piece : {size_t{1}, size_t{7}, size_t{512}, size_t{1000}, archive.size()}) {
    const Taken taken = take(archive, piece);
    ASSERT_TRUE(taken.status.ok()) << taken.status.error().text();
    ASSERT_EQ(taken.files.size(), 3u);
    EXPECT_EQ(taken.files.at("images/a.png"), std::string(1000, 'a'));
    EXPECT_EQ(taken.files.at("rows.jsonl"), "{}\n");
    EXPECT_EQ(taken.files.at("empty"), "");
  }
}

TEST(TarReader, ReadsLongNamesOfBothKinds) {
  const std::string name = std::string(90, 'd') + "/" + std::string(90, 'f');
  const std::string pax = "191 path=" + name + "\n";
  ASSERT_EQ(pax.size(), 191u);
  const Taken by_pax = take(entry("x", pax, 'x') + entry("short", "1") + kEnd, 512);
  ASSERT_TRUE(by_pax.status.ok()) << by_pax.status.error().text();
  EXPECT_EQ(by_pax.files.at(name), "1");
  const Taken by_gnu = take(entry("././@LongLink", name + std::string(1, '\0'), 'L') +
                                entry("short", "2") + entry("next", "3") + kEnd,
                            100);
  ASSERT_TRUE(by_gnu.status.ok()) << by_gnu.status.error().text();
  EXPECT_EQ(by_gnu.files.at(name), "2");
  EXPECT_EQ(by_gnu.files.at("next"), "3");
}

TEST(TarReader, RefusesLinksDevicesAndNamesThatLeaveTheFolder) {
  for (const char type : {'1', '2', '3', '4', '6', 'K'}) {
    EXPECT_EQ(take(entry("x", "", type) + kEnd, 512).status.error().code, Code::kInvalidArgument)
        << type;
  }
  for (const char* name : {"../x", "/etc/passwd", "a/../../b", ""}) {
    EXPECT_EQ(take(entry(name, "x") + kEnd, 512).status.error().code, Code::kInvalidArgument)
        << name;
  }
}

TEST(TarReader, SeesAnArchiveThatWasCutOffAnywhere) {
  const std::string archive = entry("a", "abc") + entry("b", std::string(600, 'b'));
  for (size_t size = 0; size <= archive.size(); size += 64) {
    EXPECT_EQ(take(archive.substr(0, size), 512).status.error().code, Code::kInvalidArgument)
        << size;
  }
}

TEST(TarReader, NamesTheByteOfADamagedHeader) {
  std::string archive = entry("a", "abc") + entry("b", "x") + kEnd;
  archive[1024 + 3] = 'z';
  for (const size_t piece : {size_t{512}, size_t{100}, archive.size()}) {
    const Taken taken = take(archive, piece);
    ASSERT_FALSE(taken.status.ok());
    EXPECT_EQ(taken.status.error().code, Code::kInvalidArgument);
    EXPECT_EQ(taken.status.error().byte_offset, 1024);
  }
}

TEST(TarReader, RefusesBrokenPaxRecordsAndTooManyFiles) {
  for (const char* record : {"8 path=x\n", "99 path=x\n", "path=x\n", "10 size=-1\n", "0 \n"}) {
    EXPECT_FALSE(take(entry("x", record, 'x') + entry("a", "") + kEnd, 512).status.ok()) << record;
  }
  EXPECT_EQ(take(entry("a", "") + entry("b", "") + kEnd, 512, 1).status.error().code,
            Code::kResourceExhausted);
}

TEST(TarReader, SurvivesRandomDamage) {
  const std::string archive = entry("images/a.png", std::string(700, 'a')) + entry("b", "b") + kEnd;
  uint32_t state = 12345;
  for (int round = 0; round < 3000; ++round) {
    std::string damaged = archive;
    for (int i = 0; i < 3; ++i) {
      state = state * 1664525u + 1013904223u;
      damaged[(state >> 8) % damaged.size()] = static_cast<char>(state >> 24);
    }
    const Taken taken = take(damaged, 333);
    EXPECT_LE(taken.files.size(), 5u);
  }
}

}  // namespace
}  // namespace mortise::store
