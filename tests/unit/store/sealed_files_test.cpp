#include "store/sealed_files.h"

#include <gtest/gtest.h>

#include "tests/support/volatile_file_ops.h"

namespace mortise::store {
namespace {

using base::Code;
using base::OpenMode;

struct Scene {
  Scene() : files(disk, "/sealed/films@1") {
    tests::FixedRandom random(1);
    domain = *Domain::open(disk, base::system_random(), base::system_clock(),
                           DomainKey::make("films", random), {"/segments", {}});
    for (const char* path : {"images/a.png", "images/b/c.png", "rows.jsonl"}) {
      EXPECT_TRUE(
          files.add(path, {domain, *domain->put(base::as_bytes(std::string("bytes of ") + path))})
              .ok());
    }
    EXPECT_TRUE(base::write_file_durably(disk, "/plain.txt", "plain").ok());
  }
  tests::VolatileFileOps disk;
  std::shared_ptr<Domain> domain;
  SealedFiles files;
};

TEST(SealedFiles, ReadsSealedObjectsAsFilesAndPassesTheRestOn) {
  Scene scene;
  EXPECT_EQ(*base::read_file(scene.files, "/sealed/films@1/images/a.png"), "bytes of images/a.png");
  EXPECT_EQ(*base::read_file(scene.files, "/plain.txt"), "plain");
  const auto file = scene.files.open("/sealed/films@1/rows.jsonl", OpenMode::kRead);
  ASSERT_TRUE(file.ok());
  EXPECT_EQ((*file)->descriptor(), -1);
  EXPECT_EQ(*(*file)->size(), 19u);
  std::string piece(4, '\0');
  EXPECT_EQ(*(*file)->read_at(9, std::as_writable_bytes(std::span(piece))), 4u);
  EXPECT_EQ(piece, "rows");
  EXPECT_EQ(*(*file)->read_at(19, std::as_writable_bytes(std::span(piece))), 0u);
}

TEST(SealedFiles, ListsFoldersThatExistOnlyAsNames) {
  Scene scene;
  const auto top = scene.files.list("/sealed/films@1");
  ASSERT_EQ(top->size(), 2u);
  EXPECT_EQ((*top)[0].name, "images");
  EXPECT_TRUE((*top)[0].is_folder);
  EXPECT_EQ((*top)[1].name, "rows.jsonl");
  EXPECT_EQ((*top)[1].size_bytes, 19u);
  EXPECT_EQ(scene.files.list("/sealed/films@1/images")->size(), 2u);
  EXPECT_TRUE(*scene.files.exists("/sealed/films@1/images/b"));
  EXPECT_FALSE(*scene.files.exists("/sealed/films@1/images/x"));
  EXPECT_FALSE(*scene.files.exists("/sealed/films@10"));
  EXPECT_EQ(scene.files.list("/sealed/films@1/none").error().code, Code::kNotFound);
}

TEST(SealedFiles, CannotBeWritten) {
  Scene scene;
  const std::string path = "/sealed/films@1/rows.jsonl";
  for (const OpenMode mode : {OpenMode::kAppend, OpenMode::kTruncate, OpenMode::kCreateNew}) {
    EXPECT_EQ(scene.files.open(path, mode).error().code, Code::kPermissionDenied);
  }
  EXPECT_EQ(scene.files.remove(path).error().code, Code::kPermissionDenied);
  EXPECT_EQ(scene.files.rename("/plain.txt", path).error().code, Code::kPermissionDenied);
  EXPECT_EQ(scene.files.make_folder("/sealed/films@1/x").error().code, Code::kPermissionDenied);
  auto file = scene.files.open(path, OpenMode::kRead);
  EXPECT_EQ((*file)->write({}).error().code, Code::kPermissionDenied);
}

TEST(SealedFiles, RefusesPathsThatLeaveOrClash) {
  Scene scene;
  const SealedFile file{scene.domain, ObjectRef{}};
  EXPECT_EQ(scene.files.add("../x", file).error().code, Code::kInvalidArgument);
  for (const char* path : {"rows.jsonl", "images", "images/a.png/x"}) {
    EXPECT_EQ(scene.files.add(path, file).error().code, Code::kAlreadyExists) << path;
  }
  EXPECT_EQ(scene.files.open("/sealed/films@1/images", OpenMode::kRead).error().code,
            Code::kInvalidArgument);
  EXPECT_EQ(scene.files.open("/sealed/films@1/none", OpenMode::kRead).error().code,
            Code::kNotFound);
}

}  // namespace
}  // namespace mortise::store
