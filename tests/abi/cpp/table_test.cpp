// Tables made from classes that no example pack covers: device operations, a trainer, a parallel
// tokenizer, a format that projects; and how they meet callers with smaller structs.
#include <gmock/gmock.h>

#include <atomic>
#include <thread>

#include "mortise/cpp/device_ops.hpp"
#include "mortise/cpp/format_table.hpp"
#include "mortise/cpp/plugin.hpp"
#include "mortise/cpp/tokenizer_table.hpp"
#include "mortise/cpp/tokenizer_trainer.hpp"
#include "tests/abi/fake_host.h"

namespace mortise::sdk {
namespace {

using ::testing::HasSubstr;

class SumSquares : public Op {
 public:
  void launch(const OpCall& call) override {
    call.check_counts("sum_squares", 1, 1, 0);
    check_tensor(call.input(0), "x", kFloat32, {-1});
    double sum = 0;
    for (int64_t i = 0; i < element_count(*call.input(0)); ++i) {
      const auto x = static_cast<double>(elements<float>(*call.input(0))[i]);
      sum += x * x;
    }
    *elements<float>(*call.output(0)) = static_cast<float>(sum);
  }
};

class OneOp : public DeviceOps {
 public:
  uint32_t query(const OpQuery& query) override {
    return query.op == MORTISE_OP_SUM_SQUARES ? MORTISE_OP_NATIVE : MORTISE_OP_UNSUPPORTED;
  }
  std::unique_ptr<Op> prepare(const OpQuery&) override { return std::make_unique<SumSquares>(); }
};

TEST(DeviceOpsTable, RunsAPreparedOperation) {
  float x[] = {1, 2, 3};
  float sum[] = {0};
  const TensorView in(x, kFloat32, {3});
  const TensorView out(sum, kFloat32, {1});

  const PreparedOp op(*device_ops_table<OneOp>(), MORTISE_OP_SUM_SQUARES, kFloat32, kFloat32, 0);
  op.launch({in.get()}, {out.get()}, {}, nullptr);

  EXPECT_EQ(sum[0], 14.0F);
}

TEST(DeviceOpsTable, RefusesUnknownOperationsAndWrongCountsByName) {
  try {
    PreparedOp(*device_ops_table<OneOp>(), "rope", kFloat32, kBfloat16, 0);
    FAIL() << "accepted";
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.code, MORTISE_STATUS_UNIMPLEMENTED);
    EXPECT_THAT(failure.message, HasSubstr("\"rope\" for float32 and weights in bfloat16"));
  }
  const PreparedOp op(*device_ops_table<OneOp>(), MORTISE_OP_SUM_SQUARES, kFloat32, kFloat32, 0);
  try {
    op.launch({}, {}, {1.0}, nullptr);
    FAIL() << "accepted";
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.message, "sum_squares got 0 inputs, expected 1.");
  }
}

TEST(DeviceOpsTable, RefusesReservedFieldsThatAreNotZero) {
  mortise_op_query query{};
  query.struct_size = sizeof(query);
  query.op = text(MORTISE_OP_SUM_SQUARES);
  query.reserved[4] = 1;
  uint32_t answer = 7;

  const Failure failure = abi::reported([&](mortise_error* error) {
    return device_ops_table<OneOp>()->query(&query, &answer, error);
  });

  EXPECT_EQ(failure.code, MORTISE_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(answer, 7u);
}

TEST(DeviceOpsTable, ReadsAQueryOfASmallerCaller) {
  mortise_op_query query{};
  query.struct_size = offsetof(mortise_op_query, device_id);
  query.op = text(MORTISE_OP_SUM_SQUARES);
  query.reserved[0] = 0xCB;  // behind what the caller has: must not be read
  uint32_t answer = 0;

  EXPECT_EQ(device_ops_table<OneOp>()->query(&query, &answer, nullptr), MORTISE_STATUS_OK);
  EXPECT_EQ(answer, MORTISE_OP_NATIVE);
}

class CountingTrainer : public TokenizerTrainer {
 public:
  explicit CountingTrainer(Json config) : size_(config["vocab_size"].as_integer()) {}
  void add(const TextView& texts) override { rows_ += texts.size(); }
  std::string finish() override { return std::to_string(rows_) + "/" + std::to_string(size_); }

 private:
  int64_t size_;
  int64_t rows_ = 0;
};

TEST(TokenizerTrainerTable, CountsTextsAndRefusesBadUtf8BeforeTheClassSeesIt) {
  const auto* table = tokenizer_trainer_table<CountingTrainer>();
  mortise_tokenizer_trainer_instance* trainer = nullptr;
  ASSERT_EQ(table->create(text(R"({"vocab_size": 9})"), &trainer, nullptr), 0);
  TextBuilder builder;
  builder.append("a");
  builder.append("b");
  const Array good = builder.finish();
  builder.append("c\xFF");
  const Array bad = builder.finish();

  EXPECT_EQ(table->add(trainer, good.get(), nullptr), 0);
  const Failure failure =
      abi::reported([&](mortise_error* error) { return table->add(trainer, bad.get(), error); });
  StringSink out;
  table->finish(trainer, out.raw(), nullptr);
  table->destroy(trainer);

  EXPECT_EQ(failure.row, 1);
  EXPECT_EQ(failure.byte, 1);
  EXPECT_EQ(out.value(), "2/9");
}

TEST(TokenizerTrainerTable, RefusesAMissingField) {
  mortise_tokenizer_trainer_instance* trainer = nullptr;

  const Failure failure = abi::reported([&](mortise_error* error) {
    return tokenizer_trainer_table<CountingTrainer>()->create(text("{}"), &trainer, error);
  });

  EXPECT_EQ(failure.code, MORTISE_STATUS_INVALID_ARGUMENT);
  EXPECT_EQ(trainer, nullptr);
}

// One id a text: its length. Counts the threads that came by.
class LengthTokenizer : public Tokenizer {
 public:
  LengthTokenizer(std::string_view, Json) {}
  TokenizerFacts describe() const override { return {100}; }
  void encode(std::string_view text, const EncodeOptions&, Encoding* out) const override {
    if (text == "throw") throw internal_fault("asked for");
    out->ids.push_back(static_cast<int32_t>(text.size()));
  }
  void decode(const int32_t*, size_t, const DecodeOptions&, std::string*) const override {}
  bool token_bytes(int32_t id, std::string* out) const override {
    if (id % 2 == 0) out->push_back('x');
    return id % 2 == 0;
  }
  std::string fingerprint() const override { return std::string(64, 'f'); }
};

// mortise.pool/1 with a thread a piece.
void run_pieces(mortise_host*, uint64_t count, uint64_t grain,
                void (*body)(void*, uint64_t, uint64_t), void* user) {
  std::vector<std::thread> threads;
  for (uint64_t begin = 0; begin < count; begin += grain) {
    threads.emplace_back([=] { body(user, begin, std::min(begin + grain, count)); });
  }
  for (std::thread& thread : threads) thread.join();
}

class ParallelTokenizer : public ::testing::Test {
 protected:
  ParallelTokenizer() {
    pool_.struct_size = sizeof(pool_);
    pool_.parallel_for = run_pieces;
    host_.services[MORTISE_SERVICE_POOL] = &pool_;
    set_host(host_.hello);
    tokenizer_table<LengthTokenizer>()->create(text(""), text(""), &instance_, nullptr);
  }
  ~ParallelTokenizer() override {
    tokenizer_table<LengthTokenizer>()->destroy(instance_);
    set_host(mortise_hello{});
  }
  Failure encode(const std::vector<std::string>& texts, Array* out) {
    TextBuilder builder;
    for (const std::string& text : texts) builder.append(text);
    const Array array = builder.finish();
    return abi::reported([&](mortise_error* error) {
      return tokenizer_table<LengthTokenizer>()->encode_batch(instance_, array.get(), nullptr,
                                                              out->get(), error);
    });
  }

  abi::FakeHost host_;
  mortise_pool_service pool_{};
  mortise_tokenizer_instance* instance_ = nullptr;
};

TEST_F(ParallelTokenizer, KeepsTheOrderOfRows) {
  std::vector<std::string> texts;
  for (size_t i = 0; i < 200; ++i) texts.emplace_back(i, 'a');
  Array out;

  ASSERT_EQ(encode(texts, &out).message, "");

  const StructView view(out.get(), 2);
  const auto ids = view.column<ListView<NumberView<int32_t>>>(0, "ids");
  for (int32_t i = 0; i < 200; ++i) EXPECT_EQ(ids.items()[ids.begin(i)], i);
}

TEST_F(ParallelTokenizer, ReportsWhatAThreadThrew) {
  std::vector<std::string> texts(100, "fine");
  texts[70] = "throw";
  Array out;

  EXPECT_EQ(encode(texts, &out).message, "asked for");
  EXPECT_TRUE(out.is_released());
}

TEST_F(ParallelTokenizer, StopsWhenCancelled) {
  host_.is_cancelled = true;
  Array out;

  EXPECT_EQ(encode({"a"}, &out).code, MORTISE_STATUS_CANCELLED);
}

TEST_F(ParallelTokenizer, UnusedIdsAreNullInTheVocabulary) {
  Array out;
  tokenizer_table<LengthTokenizer>()->vocab(instance_, out.get(), nullptr);

  const TextView vocab(out.get());

  ASSERT_EQ(vocab.size(), 100);
  EXPECT_FALSE(vocab.is_null(0));
  EXPECT_TRUE(vocab.is_null(1));
}

}  // namespace
}  // namespace mortise::sdk
