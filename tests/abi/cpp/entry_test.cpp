// MORTISE_PLUGIN: what the one exported function accepts and refuses, and quiesce.
#include "mortise/entry.h"

#include <gtest/gtest.h>

#include "mortise/cpp/plugin.hpp"
#include "tests/abi/fake_host.h"

namespace {

bool g_quiesce_throws = false;
int g_quiesced = 0;

void stop() {
  ++g_quiesced;
  if (g_quiesce_throws) throw mortise::sdk::internal_fault("A thread does not end.");
}

const mortise_sink kTable{sizeof(mortise_sink), 0, nullptr, nullptr};  // any table

}  // namespace

MORTISE_PLUGIN("com.example.entry", {"com.example.thing/1", &kTable},
               mortise::sdk::Interface(stop));

namespace mortise::abi {
namespace {

class Entry : public ::testing::Test {
 protected:
  Entry() {
    reply_.magic = MORTISE_MAGIC;
    reply_.struct_size = sizeof(reply_);
  }
  mortise_status enter() { return mortise_entry_1(&host_.hello, &reply_); }
  void expect_refused() {
    EXPECT_EQ(enter(), MORTISE_STATUS_FAILED_PRECONDITION);
    EXPECT_EQ(reply_.get_interface, nullptr);
    EXPECT_EQ(reply_.generation, 0u);
  }

  FakeHost host_;
  mortise_hello_reply reply_{};
};

TEST_F(Entry, FillsTheReply) {
  ASSERT_EQ(enter(), MORTISE_STATUS_OK);

  EXPECT_EQ(sdk::view(reply_.plugin_id), "com.example.entry");
  EXPECT_EQ(reply_.generation, 1u);
  EXPECT_EQ(reply_.built_minor, static_cast<uint32_t>(MORTISE_ABI_MINOR));
  EXPECT_EQ(reply_.needs_minor, 0u);
  EXPECT_EQ(reply_.get_interface(sdk::text("com.example.thing/1")), &kTable);
  EXPECT_EQ(reply_.get_interface(sdk::text("")), nullptr);
  for (const uint8_t byte : reply_.reserved) EXPECT_EQ(byte, 0);
}

TEST_F(Entry, StoresTheHost) {
  enter();

  EXPECT_EQ(sdk::host().pack_root, "/nowhere");
  EXPECT_NE(sdk::host().files, nullptr);
  EXPECT_EQ(sdk::host().rng, nullptr);
}

TEST_F(Entry, WorksWithANewerHostAndALargerHello) {
  host_.hello.host_minor = MORTISE_ABI_MINOR + 5;
  host_.hello.struct_size = sizeof(mortise_hello) + 64;

  EXPECT_EQ(enter(), MORTISE_STATUS_OK);
}

TEST_F(Entry, RefusesAnotherMagic) {
  host_.hello.magic ^= 1;
  expect_refused();
}

TEST_F(Entry, RefusesAnotherGeneration) {
  host_.hello.generation = 2;
  expect_refused();
}

TEST_F(Entry, RefusesACutHelloOrReply) {
  host_.hello.struct_size = 16;
  expect_refused();
  host_.hello.struct_size = sizeof(mortise_hello);
  reply_.struct_size = 16;
  expect_refused();
}

TEST_F(Entry, RefusesNull) {
  EXPECT_EQ(mortise_entry_1(nullptr, &reply_), MORTISE_STATUS_FAILED_PRECONDITION);
  EXPECT_EQ(mortise_entry_1(&host_.hello, nullptr), MORTISE_STATUS_FAILED_PRECONDITION);
}

TEST_F(Entry, QuiesceStopsAndReportsWhatItThrew) {
  enter();
  g_quiesced = 0;
  g_quiesce_throws = false;

  EXPECT_EQ(reply_.quiesce(sdk::ErrorCollector().raw()), MORTISE_STATUS_OK);
  g_quiesce_throws = true;
  const sdk::Failure failure =
      reported([&](mortise_error* error) { return reply_.quiesce(error); });

  EXPECT_EQ(g_quiesced, 2);
  EXPECT_EQ(failure.message, "A thread does not end.");
}

}  // namespace
}  // namespace mortise::abi
