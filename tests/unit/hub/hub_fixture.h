// A hub in a folder of its own, and short ways to fill it.
#pragma once

#include <gtest/gtest.h>

#include "hub/hub.h"
#include "tests/support/temp_folder.h"

namespace mortise::hub {

class HubFixture : public ::testing::Test {
 protected:
  void SetUp() override { open(base::posix_file_ops()); }

  void open(base::FileOps& files) {
    hub_.reset();
    auto opened = Hub::open(files, base::system_clock(), base::system_random(), folder_ / "home");
    ASSERT_TRUE(opened.ok()) << opened.error().text();
    hub_ = std::move(*opened);
  }

  static job::Manifest manifest(const std::string& text) {
    auto parsed = job::parse_manifest(text);
    EXPECT_TRUE(parsed.ok()) << parsed.error().text();
    return std::move(*parsed);
  }
  static job::Manifest train(const std::string& name, int priority = 50) {
    return manifest(R"({"kind":"train","model":"m","dataset":"d","name":")" + name +
                    R"(","priority":)" + std::to_string(priority) + "}");
  }

  // An upload with one file of rows and one image, both stored.
  std::string upload_of(const std::string& name) {
    auto upload = hub_->uploads().create(
        name, base::Json::object({{"task_type", "vqa"}, {"description", "of the chest"}}));
    EXPECT_TRUE(upload.ok()) << upload.error().text();
    for (const auto& [file, text] : {std::pair{"rows.jsonl", "{}\n"}, {"images/a.png", "PNG"}}) {
      const auto blob = hub_->blobs().put(base::as_bytes(text));
      EXPECT_TRUE(hub_->uploads().put_file(upload->id, file, *blob).ok());
    }
    return upload->id;
  }

  NewVersion version_of(const std::string& name, const std::string& rows = "{}\n") {
    NewVersion version;
    version.name = name;
    version.task_type = "vqa";
    version.row_count = 1;
    version.rows = hub_->blobs().put(base::as_bytes(rows)).value();
    version.media["a.png"] = hub_->blobs().put(base::as_bytes("PNG")).value();
    version.labels = base::Json::object({{"language", "zh"}});
    return version;
  }
  base::Result<std::string> add(const NewVersion& version) {
    std::string reference;
    const base::Status status = hub_->database().write([&](Connection& connection) -> base::Status {
      MORTISE_ASSIGN(reference, hub_->datasets().add_version(connection, version));
      return {};
    });
    if (!status.ok()) return status.error();
    return reference;
  }

  tests::TempFolder folder_;
  std::unique_ptr<Hub> hub_;
};

}  // namespace mortise::hub
