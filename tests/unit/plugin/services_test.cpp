// The services as a plugin sees them: through the tables.
#include <gtest/gtest.h>
#include <mortise/service/config.h>
#include <mortise/service/files.h>
#include <mortise/service/log.h>
#include <mortise/service/memory.h>
#include <mortise/service/pool.h>
#include <mortise/service/progress.h>
#include <mortise/service/rng.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "plugin/error_box.h"
#include "plugin/guard.h"
#include "plugin/host_services.h"

namespace mortise::plugin {
namespace {

using base::Code;

class Services : public testing::Test {
 protected:
  Services() {
    std::string pattern = (std::filesystem::temp_directory_path() / "mortise-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    std::filesystem::create_directories(folder_ + "/data/images");
    write("data/train.jsonl", "{\"a\":1}\n");
    write("data/images/1.png", "png");
    write("secret.txt", "secret");
  }
  ~Services() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  void write(const std::string& name, const std::string& content) {
    std::ofstream(folder_ + "/" + name) << content;
  }

  template <class Table>
  const Table* service(const char* id) {
    return static_cast<const Table*>(HostServices::get_service(host(), text_of(id)));
  }
  mortise_host* host() { return services_.open_host("com.example.f1 1.0.0"); }
  const mortise_files_service* files() {
    return service<mortise_files_service>(MORTISE_SERVICE_FILES);
  }

  // Content behind a name, or the error's code.
  base::Result<std::string> read(const std::string& name) {
    ErrorBox error;
    mortise_file* file = nullptr;
    MORTISE_TRY(
        error.check(files()->open(host(), text_of(name), MORTISE_FILE_READ, &file, error.get())));
    char buffer[100];
    uint64_t size = 0;
    const auto status = files()->read_at(file, 0, buffer, sizeof buffer, &size, error.get());
    files()->close(file, error.get());
    MORTISE_TRY(error.check(status));
    return std::string(buffer, size);
  }
  base::Result<mortise_file*> create(const std::string& name) {
    ErrorBox error;
    mortise_file* file = nullptr;
    MORTISE_TRY(error.check(
        files()->open(host(), text_of(name), MORTISE_FILE_WRITE_NEW, &file, error.get())));
    return file;
  }

  std::string folder_;
  HostServices services_;
};

TEST_F(Services, FilesReadsInsideTheGrantedRootOnly) {
  ASSERT_TRUE(services_.grant("data", folder_ + "/data").ok());

  EXPECT_EQ(read("data/train.jsonl").value(), "{\"a\":1}\n");
  EXPECT_EQ(read("data/none.jsonl").error().code, Code::kNotFound);
  EXPECT_EQ(read("secret.txt").error().code, Code::kNotFound);
  for (const char* name : {"data/../secret.txt", "/etc/passwd", "", "data//train.jsonl",
                           "data\\train.jsonl", "./data/train.jsonl"}) {
    EXPECT_EQ(read(name).error().code, Code::kInvalidArgument) << name;
  }
}

TEST_F(Services, FilesFollowsNoLink) {
  ASSERT_TRUE(services_.grant("", folder_ + "/data").ok());
  std::filesystem::create_symlink(folder_ + "/secret.txt", folder_ + "/data/link.txt");
  std::filesystem::create_directory_symlink(folder_, folder_ + "/data/up");

  EXPECT_EQ(read("link.txt").error().code, Code::kPermissionDenied);
  EXPECT_EQ(read("up/secret.txt").error().code, Code::kPermissionDenied);
}

TEST_F(Services, FilesShowsANewFileOnlyAfterClose) {
  ASSERT_TRUE(services_.grant("out", folder_ + "/data", Access::kReadWrite).ok());
  ErrorBox error;
  mortise_file* file = create("out/new/a.txt").value();
  ASSERT_EQ(files()->write(file, "text", 4, error.get()), MORTISE_STATUS_OK);

  EXPECT_EQ(read("out/new/a.txt").error().code, Code::kNotFound);
  ASSERT_EQ(files()->close(file, error.get()), MORTISE_STATUS_OK);
  EXPECT_EQ(read("out/new/a.txt").value(), "text");
  EXPECT_EQ(create("out/new/a.txt").error().code, Code::kAlreadyExists);
}

TEST_F(Services, FilesLeavesNoTraceOfADiscardedFile) {
  ASSERT_TRUE(services_.grant("out", folder_ + "/data/images", Access::kReadWrite).ok());

  files()->discard(create("out/a.txt").value());
  files()->discard(nullptr);

  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_ + "/data/images"), {}), 1);
}

TEST_F(Services, FilesWritesNothingWhereReadingIsGranted) {
  ASSERT_TRUE(services_.grant("data", folder_ + "/data").ok());

  EXPECT_EQ(create("data/new.txt").error().code, Code::kPermissionDenied);
  EXPECT_EQ(create("elsewhere/new.txt").error().code, Code::kNotFound);
}

TEST_F(Services, FilesListsSortedWithFoldersMarked) {
  ASSERT_TRUE(services_.grant("", folder_ + "/data").ok());
  std::vector<std::string> names;
  const auto take = [](void* user, mortise_text name) -> mortise_status {
    static_cast<std::vector<std::string>*>(user)->emplace_back(view_of(name));
    return MORTISE_STATUS_OK;
  };
  ErrorBox error;

  ASSERT_EQ(files()->list(host(), text_of(""), take, &names, error.get()), MORTISE_STATUS_OK);

  EXPECT_EQ(names, (std::vector<std::string>{"images/", "train.jsonl"}));
}

TEST_F(Services, MemoryCountsAlignsAndKeepsTheBudget) {
  HostOptions options;
  options.memory_budget_bytes = 1000;
  HostServices small(options);
  mortise_host* host = small.open_host("p");
  const auto* memory = service<mortise_memory_service>(MORTISE_SERVICE_MEMORY);

  void* block = memory->allocate(host, 600, 4096, text_of("cache"));
  ASSERT_NE(block, nullptr);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(block) % 4096, 0u);
  EXPECT_EQ(memory->allocate(host, 401, 0, text_of("more")), nullptr);
  EXPECT_EQ(memory->allocate(host, UINT64_MAX, 0, text_of("all")), nullptr);
  EXPECT_EQ(small.memory_use("p").used_bytes, 600u);
  memory->free(host, block);

  EXPECT_EQ(small.memory_use("p").used_bytes, 0u);
  EXPECT_EQ(small.memory_use("p").peak_bytes, 600u);
}

TEST_F(Services, MemoryBlamesAForeignAndASecondFree) {
  const auto* memory = service<mortise_memory_service>(MORTISE_SERVICE_MEMORY);
  forget_violations();
  void* block = memory->allocate(host(), 0, 0, text_of(""));
  int foreign = 0;

  memory->free(host(), &foreign);
  memory->free(host(), block);
  memory->free(host(), block);

  EXPECT_EQ(violations_of("com.example.f1 1.0.0").size(), 2u);
}

TEST_F(Services, MemoryFailsTheChosenAllocation) {
  const auto* memory = service<mortise_memory_service>(MORTISE_SERVICE_MEMORY);
  services_.fail_allocation("com.example.f1 1.0.0", 2);

  void* first = memory->allocate(host(), 8, 0, text_of(""));
  void* second = memory->allocate(host(), 8, 0, text_of(""));

  EXPECT_NE(first, nullptr);
  EXPECT_EQ(second, nullptr);
  memory->free(host(), first);
}

TEST_F(Services, ConfigReadsByPointerAndType) {
  const auto* config = service<mortise_config_service>(MORTISE_SERVICE_CONFIG);
  const auto text = text_of(R"({"a":{"n":3,"f":0.5,"b":true,"t":"x\ny","l":[1,2]}})");
  int64_t whole = 0;
  double real = 0;
  int32_t flag = 0;
  uint64_t count = 0;
  SinkBox words;

  EXPECT_EQ(config->get_int(host(), text, text_of("/a/n"), &whole), MORTISE_STATUS_OK);
  EXPECT_EQ(config->get_double(host(), text, text_of("/a/n"), &real), MORTISE_STATUS_OK);
  EXPECT_EQ(config->get_bool(host(), text, text_of("/a/b"), &flag), MORTISE_STATUS_OK);
  EXPECT_EQ(config->get_text(host(), text, text_of("/a/t"), words.get()), MORTISE_STATUS_OK);
  EXPECT_EQ(config->count(host(), text, text_of("/a/l"), &count), MORTISE_STATUS_OK);
  EXPECT_EQ(config->get_int(host(), text, text_of("/a/none"), &whole), MORTISE_STATUS_NOT_FOUND);
  EXPECT_EQ(config->get_int(host(), text, text_of("/a/f"), &whole),
            MORTISE_STATUS_INVALID_ARGUMENT);

  EXPECT_EQ(whole, 3);
  EXPECT_EQ(real, 3.0);
  EXPECT_EQ(flag, 1);
  EXPECT_EQ(words.bytes(), "x\ny");
  EXPECT_EQ(count, 2u);
}

TEST_F(Services, RngIsAFunctionOfSeedStreamAndIndex) {
  const auto* rng = service<mortise_rng_service>(MORTISE_SERVICE_RNG);
  uint64_t whole[8], tail[4], other[4];
  double reals[8];

  rng->uniform_u64(host(), text_of("shuffle"), 0, whole, 8);
  rng->uniform_u64(host(), text_of("shuffle"), 4, tail, 4);
  rng->uniform_u64(host(), text_of("dropout"), 4, other, 4);
  rng->uniform_double(host(), text_of("shuffle"), 0, reals, 8);

  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(tail[i], whole[4 + i]);
    EXPECT_NE(other[i], tail[i]);
  }
  for (int i = 0; i < 8; ++i) {
    EXPECT_EQ(reals[i], static_cast<double>(whole[i] >> 11) * 0x1p-53);
  }
}

// Values of an independent program that gives Philox's published vectors (Random123, kat_vectors).
TEST_F(Services, RngIsPhilox4x32WithTenRounds) {
  HostOptions options;
  options.seed = 42;
  HostServices seeded(options);
  const auto* rng = service<mortise_rng_service>(MORTISE_SERVICE_RNG);
  uint64_t first = 0, far = 0;

  rng->uniform_u64(seeded.open_host("p"), text_of("shuffle"), 0, &first, 1);
  rng->uniform_u64(seeded.open_host("p"), text_of("shuffle"), UINT64_C(1) << 33, &far, 1);

  EXPECT_EQ(first, UINT64_C(0x33b4f83f99349a4a));
  EXPECT_EQ(far, UINT64_C(0x32669d29eae42cf9));
}

TEST_F(Services, PoolCoversEachIndexOnceInFixedPieces) {
  HostOptions options;
  options.threads_count = 3;
  HostServices three(options);
  mortise_host* host = three.open_host("p");
  const auto* pool = service<mortise_pool_service>(MORTISE_SERVICE_POOL);
  struct Seen {
    std::array<std::atomic<int>, 1000> hits{};
    std::atomic<int> pieces{0};
  } seen;
  const auto body = [](void* user, uint64_t begin, uint64_t end) {
    auto* at = static_cast<Seen*>(user);
    ++at->pieces;
    for (uint64_t i = begin; i < end; ++i) ++at->hits[i];
  };

  for (int round = 0; round < 50; ++round) pool->parallel_for(host, 1000, 7, body, &seen);

  for (const auto& hits : seen.hits) EXPECT_EQ(hits.load(), 50);
  EXPECT_EQ(seen.pieces.load(), 50 * 12);  // 3 threads, 4 pieces each
  EXPECT_EQ(pool->threads_count(host), 3u);
}

TEST_F(Services, ProgressTellsCancelAndThatThereIsNoDeadline) {
  const auto* progress = service<mortise_progress_service>(MORTISE_SERVICE_PROGRESS);
  EXPECT_EQ(progress->is_cancelled(host()), 0);
  EXPECT_EQ(progress->remaining_ns(host()), INT64_MAX);

  services_.cancel();

  EXPECT_EQ(progress->is_cancelled(host()), 1);
}

TEST_F(Services, LogNamesThePackAndThinsOut) {
  std::vector<std::string> lines;
  HostOptions options;
  options.on_log = [&](int32_t, std::string_view pack, std::string_view text) {
    lines.push_back(std::string(pack) + ": " + std::string(text));
  };
  HostServices loud(options);
  mortise_host* host = loud.open_host("p");
  const auto* log = service<mortise_log_service>(MORTISE_SERVICE_LOG);

  for (int i = 0; i < 1000; ++i) {
    log->write(host, MORTISE_LOG_INFO, text_of("hello"), nullptr, 0);
  }

  EXPECT_EQ(lines.front(), "p: hello");
  EXPECT_LE(lines.size(), 303u);  // 101 in each of the seconds that this took
}

TEST_F(Services, WithholdsWhatTheOptionsSay) {
  HostOptions options;
  options.withheld = {MORTISE_SERVICE_POOL};
  HostServices poor(options);

  EXPECT_EQ(HostServices::get_service(poor.open_host("p"), text_of(MORTISE_SERVICE_POOL)), nullptr);
  EXPECT_NE(HostServices::get_service(poor.open_host("p"), text_of(MORTISE_SERVICE_LOG)), nullptr);
  EXPECT_EQ(HostServices::get_service(host(), text_of("mortise.nothing/1")), nullptr);
}

TEST_F(Services, CatchesAThreadThatThePluginStartedItself) {
  forget_violations();
  services_.watch_threads("com.example.f1 1.0.0");
  const auto* log = service<mortise_log_service>(MORTISE_SERVICE_LOG);

  std::thread([&] { log->write(host(), MORTISE_LOG_DEBUG, text_of("x"), nullptr, 0); }).join();

  ASSERT_EQ(violations_of("com.example.f1 1.0.0").size(), 1u);
  EXPECT_EQ(violations_of("com.example.f1 1.0.0")[0].rule, "thread");
}

TEST(ErrorBox, KeepsWordsPlaceAndHint) {
  ErrorBox error;
  error.get()->set(error.get(), 5, text_of("gone"));
  error.get()->locate(error.get(), text_of("a"), 3, -7, text_of(""));
  error.get()->detail(error.get(), text_of("hint"), text_of("look"));

  const base::Error plain = error.check(5).error();

  EXPECT_EQ(plain.code, Code::kNotFound);
  EXPECT_EQ(plain.message, "gone");
  EXPECT_EQ(plain.row, 3);
  EXPECT_EQ(plain.byte_offset, -1);
  EXPECT_EQ(plain.hint, "look");
  EXPECT_TRUE(error.check(0).ok());
}

TEST(ErrorBox, BoundsAndCleansWhatItIsTold) {
  ErrorBox error;
  const std::string long_text(100'000, 'x');
  error.get()->set(error.get(), 3, text_of(long_text));
  EXPECT_EQ(error.check(3).error().message.size(), 16u * 1024);

  error.get()->set(error.get(), 3, text_of("bad \xff byte"));
  EXPECT_EQ(error.check(3).error().message, "bad \uFFFD byte");
  for (int i = 0; i < 100; ++i) error.get()->detail(error.get(), text_of("k"), text_of("v"));
  EXPECT_EQ(error.check(3).error().details.size(), 32u);
}

TEST(SinkBox, StopsAtItsLimit) {
  SinkBox sink(10);

  EXPECT_EQ(sink.get()->write(sink.get(), "0123456789", 10), MORTISE_STATUS_OK);
  EXPECT_EQ(sink.get()->write(sink.get(), "x", 1), MORTISE_STATUS_RESOURCE_EXHAUSTED);
  EXPECT_EQ(sink.get()->write(sink.get(), nullptr, 1), MORTISE_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(sink.bytes(), "0123456789");
}

}  // namespace
}  // namespace mortise::plugin
