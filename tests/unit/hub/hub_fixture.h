// A hub in a folder of its own, and short ways to fill it.
#pragma once

#include <gtest/gtest.h>

#include "hub/hub.h"
#include "tests/support/temp_folder.h"
#include "tests/support/test_database.h"

namespace mortise::hub {

class HubFixture : public ::testing::Test {
 protected:
  void SetUp() override { open(base::posix_file_ops()); }

  void open(base::FileOps& files) {
    hub_.reset();
    auto opened = Hub::open(files, base::system_clock(), base::system_random(), folder_ / "home",
                            database_);
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
      EXPECT_TRUE(hub_->uploads().put_file(upload->id, file, sealed(name, text)).ok());
    }
    return upload->id;
  }

  // A durable object in the domain of a name.
  std::shared_ptr<store::Domain> domain(const std::string& name) {
    return hub_->domains().open(hub_->domains().id_of(name).value()).value();
  }
  store::ObjectRef sealed(const std::string& name, std::string_view text) {
    const auto ref = domain(name)->put(base::as_bytes(text));
    EXPECT_TRUE(domain(name)->sync().ok());
    return ref.value();
  }
  std::vector<std::string> names_of(const std::string& upload) {
    std::vector<std::string> names;
    const auto files = hub_->uploads().files(upload, {1000, ""});
    EXPECT_TRUE(files.ok()) << files.error().text();
    for (const store::NamedObject& entry : files->items) names.push_back(entry.name);
    return names;
  }

  NewVersion version_of(const std::string& name, const std::vector<std::string>& rows = {"{}"},
                        const std::vector<std::pair<std::string, std::string>>& media = {
                            {"a.png", "PNG"}}) {
    const auto in = domain(name);
    NewVersion version;
    version.name = name;
    version.task_type = "vqa";
    version.domain = in->domain_id();
    store::RowTableWriter table(in, hub_->store().key_of(version.domain).value());
    for (const std::string& row : rows) EXPECT_TRUE(table.add(row).ok());
    version.rows = table.finish().value();
    version.row_count = static_cast<int64_t>(rows.size());
    std::vector<store::NamedObject> named;
    for (const auto& [file, bytes] : media) named.push_back({file, sealed(name, bytes)});
    version.media_count = static_cast<int64_t>(media.size());
    version.media = store::write_names(in, named)->ref;
    version.originals = version.media;
    version.report = sealed(name, "{}");
    EXPECT_TRUE(in->sync().ok());
    version.labels = base::Json::object({{"language", "zh"}});
    return version;
  }
  // A model's files from texts.
  base::Result<PreparedModel> prepared_model(
      const std::vector<std::pair<std::string, std::string>>& files) {
    std::vector<store::NamedObject> named;
    for (const auto& [file, text] : files) named.push_back({file, sealed("models", text)});
    MORTISE_ASSIGN(const auto written, store::write_names(domain("models"), named));
    MORTISE_ASSIGN(const auto table, store::NameTable::open(domain("models"), written.ref));
    return hub_->models().prepare_upload(*domain("models"), table);
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
  const std::string database_ = tests::new_test_database();
  std::unique_ptr<Hub> hub_;
};

}  // namespace mortise::hub
