// The barrier, the size rule, the sink, UTF-8 and tensors of the C++ wrapper, and its services over
// a fake host.
#include <gmock/gmock.h>

#include <thread>

#include "mortise/cpp/dlpack.hpp"
#include "mortise/cpp/files.hpp"
#include "mortise/cpp/plugin.hpp"
#include "mortise/cpp/utf8.hpp"
#include "tests/abi/fake_host.h"

namespace mortise::sdk {
namespace {

using ::testing::HasSubstr;

TEST(Guarded, TurnsEveryThrowIntoACode) {
  const auto code = [](auto body) { return guarded(nullptr, body); };

  EXPECT_EQ(code([] {}), MORTISE_STATUS_OK);
  EXPECT_EQ(code([] { throw out_of_range("x"); }), MORTISE_STATUS_OUT_OF_RANGE);
  EXPECT_EQ(code([] { throw std::bad_alloc(); }), MORTISE_STATUS_RESOURCE_EXHAUSTED);
  EXPECT_EQ(code([] { throw std::runtime_error("x"); }), MORTISE_STATUS_INTERNAL);
  EXPECT_EQ(code([] { throw 7; }), MORTISE_STATUS_UNKNOWN);
  EXPECT_EQ(code([] { throw Failure(MORTISE_STATUS_OK, "no code"); }), MORTISE_STATUS_INTERNAL);
}

TEST(Failure, ReachesTheHostWithPlaceAndHint) {
  const Failure failure = abi::reported([](mortise_error* error) {
    return guarded(error, [] {
      throw invalid_argument("Bad row.").at("a.csv", 4, 90, "/x").with_hint("Mend it.");
    });
  });

  EXPECT_EQ(failure.code, MORTISE_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(failure.message, "Bad row.");
  EXPECT_EQ(failure.file, "a.csv");
  EXPECT_EQ(failure.row, 4);
  EXPECT_EQ(failure.byte, 90);
  EXPECT_EQ(failure.field, "/x");
  EXPECT_EQ(failure.hint, "Mend it.");
}

TEST(ReadStruct, TakesAMissingTailAsZeroAndIgnoresALargerOne) {
  mortise_error cut{};
  cut.struct_size = offsetof(mortise_error, host);
  cut.host = &cut;

  EXPECT_EQ(read_struct(&cut).host, nullptr);

  cut.struct_size = sizeof(cut) + 100;
  EXPECT_EQ(read_struct(&cut).host, &cut);
  EXPECT_EQ(read_struct<mortise_error>(nullptr).struct_size, 0u);
}

TEST(WriteStruct, StopsWhereTheCallerHasNoRoom) {
  mortise_sink sink{};
  int marker = 0;
  sink.struct_size = offsetof(mortise_sink, user);
  mortise_sink value{};
  value.flags = 5;
  value.user = &marker;

  write_struct(&sink, value);

  EXPECT_EQ(sink.flags, 5u);
  EXPECT_EQ(sink.user, nullptr);
  EXPECT_EQ(sink.struct_size, offsetof(mortise_sink, user));
}

TEST(StringSink, RefusesMoreThanItsLimit) {
  StringSink sink(4);

  write_sink(sink.raw(), "abcd");

  EXPECT_THROW(write_sink(sink.raw(), "e"), Failure);
  EXPECT_EQ(sink.value(), "abcd");
}

TEST(Utf8, ReplacesEachMaximalIllFormedPartOnce) {
  const auto repair = [](std::string_view bytes) {
    Utf8Assembler assembler;
    std::string out;
    for (const char c : bytes) assembler.push(std::string_view(&c, 1), &out);
    assembler.flush(&out);
    return out;
  };
  const std::string kBad = "\xEF\xBF\xBD";

  EXPECT_EQ(repair("a\xE2\x82\xACz"), "a\xE2\x82\xACz");
  EXPECT_EQ(repair("\xE2\x82z"), kBad + "z");
  EXPECT_EQ(repair("\xF0\x9F\x98"), kBad);
  EXPECT_EQ(repair("\xED\xA0\x80"), kBad + kBad + kBad);  // a surrogate
  EXPECT_EQ(repair("\xC0\x80"), kBad + kBad);             // overlong
  EXPECT_EQ(repair("\xF4\x90\x80\x80"), kBad + kBad + kBad + kBad);
}

TEST(CheckTensor, NamesTheTensorAndBothShapes) {
  float data[6] = {};
  const TensorView view(data, kFloat32, {2, 3});

  EXPECT_NO_THROW(check_tensor(view.get(), "x", kFloat32, {-1, 3}));
  try {
    check_tensor(view.get(), "x", kFloat32, {2, 4});
    FAIL() << "accepted";
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.message, "Tensor \"x\" is float32 [2, 3], expected float32 [2, 4].");
  }
  EXPECT_THROW(check_tensor(view.get(), "x", kBfloat16, {2, 3}), Failure);
  EXPECT_THROW(check_tensor(nullptr, "x", kFloat32, {2, 3}), Failure);
}

TEST(CheckTensor, RefusesAnotherOrderAndTakesNullStrides) {
  float data[6] = {};
  const TensorView view(data, kFloat32, {2, 3});
  DLTensor tensor = *view.get();
  int64_t transposed[] = {1, 2};

  tensor.strides = nullptr;
  EXPECT_NO_THROW(check_tensor(&tensor, "x", kFloat32, {2, 3}));
  tensor.strides = transposed;
  EXPECT_THROW(check_tensor(&tensor, "x", kFloat32, {2, 3}), Failure);
}

TEST(Bfloat16, RoundsToNearestEven) {
  EXPECT_EQ(float_to_bfloat16(1.0F), 0x3F80);
  EXPECT_EQ(float_to_bfloat16(1.00390625F), 0x3F80);  // a tie, to even
  EXPECT_EQ(float_to_bfloat16(1.01171875F), 0x3F82);  // a tie, to even
  EXPECT_EQ(bfloat16_to_float(0xC000), -2.0F);
  EXPECT_TRUE(std::isnan(bfloat16_to_float(float_to_bfloat16(NAN))));
}

TEST(Services, BehaveWithoutAHost) {
  set_host(mortise_hello{});

  EXPECT_FALSE(is_cancelled());
  EXPECT_EQ(remaining_ns(), INT64_MAX);
  EXPECT_NO_THROW(log(MORTISE_LOG_INFO, "nobody listens"));
  EXPECT_THROW(Buffer(8, "x"), Failure);
  EXPECT_THROW(File::open("x"), Failure);
  EXPECT_THROW(random_u64("x", 0), Failure);
  uint64_t covered = 0;
  parallel_for(10, 3, [&covered](uint64_t begin, uint64_t end) { covered += end - begin; });
  EXPECT_EQ(covered, 10u);
}

TEST(Buffer, GivesItsMemoryBackAndSaysWhatWasRefused) {
  abi::FakeHost host;
  set_host(host.hello);

  {
    Buffer first(100, "rows");
    Buffer second = std::move(first);
    first = Buffer(10, "other");
    EXPECT_EQ(host.blocks_count, 2);
    EXPECT_EQ(second.size_bytes(), 100u);
  }
  EXPECT_EQ(host.blocks_count, 0);
  host.budget_bytes = 10;
  try {
    Buffer(11, "rows");
    FAIL() << "accepted";
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.code, MORTISE_STATUS_RESOURCE_EXHAUSTED);
    EXPECT_THAT(failure.message, HasSubstr("\"rows\": 11 bytes"));
  }
}

TEST(File, IsVisibleAfterCloseOnly) {
  abi::FakeHost host;
  set_host(host.hello);

  {
    File file = File::create("a");
    file.write("text");
  }
  EXPECT_EQ(host.stored.count("a"), 0u);
  File file = File::create("a");
  file.write("text");
  file.close();

  EXPECT_EQ(File::open("a").read_all(4), "text");
  EXPECT_THROW(File::open("a").read_all(3), Failure);
  EXPECT_THROW(File::create("a"), Failure);
  EXPECT_THROW(File::open("b"), Failure);
  EXPECT_EQ(host.open_files["a"], 0);
}

TEST(ParallelFor, ThrowsAgainWhatABodyThrew) {
  set_host(mortise_hello{});
  EXPECT_THROW(parallel_for(4, 1, [](uint64_t, uint64_t) { throw out_of_range("x"); }), Failure);

  mortise_pool_service pool{};
  pool.struct_size = sizeof(pool);
  pool.parallel_for = [](mortise_host*, uint64_t count, uint64_t,
                         void (*body)(void*, uint64_t, uint64_t), void* user) {
    std::thread other([&] { body(user, 0, count / 2); });
    body(user, count / 2, count);
    other.join();
  };
  host_state.pool = &pool;
  EXPECT_THROW(parallel_for(4, 1, [](uint64_t, uint64_t) { throw out_of_range("x"); }), Failure);
  set_host(mortise_hello{});
}

}  // namespace
}  // namespace mortise::sdk
